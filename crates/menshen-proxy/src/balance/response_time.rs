//! By chance, those that answer faster more often (Ribbon's `WeightedResponseTimeRule`): the weight of an endpoint is what its average
//! falls short of the sum of all averages. Until there are weights endpoints take turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Ask;
use super::round::Round;
use crate::endpoint::Endpoint;

/// Weights by response times, reckoned by control.
#[derive(Debug)]
pub(super) struct ResponseTime {
    /// Sums of the weights up to each endpoint.
    sums: Box<[AtomicU64]>,
    seen: Box<[Seen]>,
    round: Round,
}

/// What was counted when weights were last reckoned; only control reads and writes it.
#[derive(Debug, Default)]
struct Seen {
    count: AtomicU64,
    micros: AtomicU64,
    average: AtomicU64,
}

impl ResponseTime {
    pub(super) fn new(weights: &[u16], workers: usize) -> Self {
        Self {
            sums: weights.iter().map(|_| AtomicU64::default()).collect(),
            seen: weights.iter().map(|_| Seen::default()).collect(),
            round: Round::new(weights, workers),
        }
    }

    pub(super) fn draw(&self, ask: &Ask<'_>, nth: usize) -> Option<usize> {
        let total = self.sums.last()?.load(Ordering::Relaxed);
        if total == 0 {
            return self.round.draw(ask, nth);
        }
        let drawn = ask.random() % total;
        // While control writes, sums may be of two reckonings: then somebody else is drawn, which does no harm.
        let at = self.sums.partition_point(|sum| sum.load(Ordering::Relaxed) <= drawn);
        Some(at.min(self.sums.len().saturating_sub(1)))
    }

    pub(super) fn refresh(&self, members: &[Arc<Endpoint>]) {
        let averages: Vec<u64> = members.iter().zip(&self.seen).map(|(e, seen)| seen.average(e)).collect();
        let total: u64 = averages.iter().sum();
        if averages.contains(&0) {
            // Nobody knows yet how fast all of them are.
            return self.sums.iter().for_each(|sum| sum.store(0, Ordering::Relaxed));
        }
        let mut sum = 0u64;
        for ((average, member), cell) in averages.iter().zip(members).zip(&self.sums) {
            sum = sum.saturating_add(total.saturating_sub(*average).saturating_mul(u64::from(member.weight)));
            cell.store(sum, Ordering::Relaxed);
        }
    }
}

impl Seen {
    /// The average in microseconds: what came lately counts for a half, all before for the other; 0 if there was nothing yet.
    fn average(&self, endpoint: &Endpoint) -> u64 {
        let answers = &endpoint.state.answers;
        let (count, micros) = (answers.sum(|a| &a.count), answers.sum(|a| &a.micros));
        let new = count.wrapping_sub(self.count.swap(count, Ordering::Relaxed));
        let time = micros.wrapping_sub(self.micros.swap(micros, Ordering::Relaxed));
        let before = self.average.load(Ordering::Relaxed);
        let average = match (time.checked_div(new), before) {
            (None, before) => before,
            (Some(lately), 0) => lately.max(1),
            (Some(lately), before) => (lately.saturating_add(before) / 2).max(1),
        };
        self.average.store(average, Ordering::Relaxed);
        average
    }
}
