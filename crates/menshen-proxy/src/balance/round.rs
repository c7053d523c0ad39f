//! Weighted round robin, written out for one round, with one counter for each worker.

use super::Ask;
use crate::stats::{Counter, PerWorker};

/// Indices of endpoints, each as often as its share, spread out.
#[derive(Debug)]
pub(super) struct Places(Box<[u32]>);

impl Places {
    /// The longest round, unless there are more endpoints; weights are scaled down to fit.
    const LONGEST: u64 = 1024;

    pub(super) fn new(weights: &[u16]) -> Self {
        Self(spread(weights, Self::LONGEST))
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// The index at this point of the round.
    pub(super) fn at(&self, turn: u64) -> Option<usize> {
        let at = turn.checked_rem(self.len())?;
        self.0.get(usize::try_from(at).ok()?).map(|i| *i as usize)
    }
}

/// One round over endpoints.
#[derive(Debug)]
pub(super) struct Round {
    places: Places,
    turns: PerWorker<Counter>,
}

impl Round {
    pub(super) fn new(weights: &[u16], workers: usize) -> Self {
        Self { places: Places::new(weights), turns: PerWorker::new(workers) }
    }

    /// The endpoint whose turn it is. What failed just now is not asked again while there are others, however many turns
    /// others took meanwhile: another attempt looks ahead and takes no turn.
    pub(super) fn draw(&self, ask: &Ask<'_>, nth: usize) -> Option<usize> {
        let worker = ask.live.worker_index();
        if ask.is_again() { self.ahead(worker, nth as u64) } else { self.next(worker) }
    }

    fn next(&self, worker: usize) -> Option<usize> {
        let place = self.ahead(worker, 0);
        self.turns.of(worker)?.add(1);
        place
    }

    /// The endpoint whose turn it will be after `n` others; takes no turn.
    fn ahead(&self, worker: usize, n: u64) -> Option<usize> {
        let turn = self.turns.of(worker)?.get();
        // Workers start at different places, so that few requests on many workers do not all meet the first endpoint.
        self.places.at(turn.wrapping_add(worker as u64).wrapping_add(n))
    }
}

/// Each share is laid evenly over the round, a little later for each next endpoint.
fn spread(weights: &[u16], longest: u64) -> Box<[u32]> {
    let divisor = weights.iter().copied().filter(|w| *w > 0).reduce(greatest_common_divisor).unwrap_or(1);
    let total: u64 = weights.iter().map(|w| u64::from(w / divisor)).sum();
    let scaled = |weight: u16| match u64::from(weight / divisor) {
        0 => 0,
        share if total > longest => (share * longest / total).max(1),
        share => share,
    };
    let offset = 1.0 / (weights.len() as f64 + 1.0);
    let mut places: Vec<(f64, u32)> = Vec::new();
    for (weight, i) in weights.iter().zip(0u32..) {
        let share = scaled(*weight);
        let start = f64::from(i + 1) * offset;
        places.extend((0..share).map(|k| ((k as f64 + start) / share as f64, i)));
    }
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    places.into_iter().map(|(_, i)| i).collect()
}

fn greatest_common_divisor(a: u16, b: u16) -> u16 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_take_turns_by_weight_and_are_spread_out() {
        let r = Round::new(&[2, 1, 0], 1);
        let order: Vec<_> = (0..6).filter_map(|_| r.next(0)).collect();
        assert_eq!(order, [0, 1, 0, 0, 1, 0]);
        let r = Round::new(&[5, 1, 1], 1);
        let order: Vec<_> = (0..7).filter_map(|_| r.next(0)).collect();
        assert_eq!(order, [0, 0, 0, 1, 0, 2, 0]);
    }

    #[test]
    fn looking_ahead_takes_no_turn() {
        let r = Round::new(&[1, 1, 1], 1);
        assert_eq!((r.next(0), r.ahead(0, 0), r.ahead(0, 1)), (Some(0), Some(1), Some(2)));
        assert_eq!((r.next(0), r.ahead(0, 0)), (Some(1), Some(2)));
        assert_eq!(Round::new(&[], 1).next(0), None);
    }

    #[test]
    fn great_weights_are_scaled_and_nobody_is_forgotten() {
        let places = spread(&[60_000, 1, 30_000], 1024);
        let count = |i: u32| places.iter().filter(|p| **p == i).count();
        assert_eq!((count(0), count(1), count(2)), (682, 1, 341));
        assert_eq!(spread(&vec![1; 70_000], 1024).len(), 70_000);
    }
}
