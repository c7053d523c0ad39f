//! Smooth weighted round robin, written out for one round, with one counter for each worker.

use crate::stats::{Counter, PerWorker};

/// One round over endpoints: each as often as its share, spread out.
#[derive(Debug)]
pub(super) struct Round {
    places: Box<[u16]>,
    turns: PerWorker<Counter>,
}

impl Round {
    /// The longest round; weights are scaled down to fit.
    const LONGEST: usize = 1024;

    pub(super) fn new(weights: &[u16], workers: usize) -> Self {
        Self { places: spread(weights, Self::LONGEST), turns: PerWorker::new(workers) }
    }

    /// The place whose turn it is.
    pub(super) fn next(&self, worker: usize) -> Option<usize> {
        let place = self.ahead(worker, 0);
        self.turns.of(worker)?.add(1);
        place
    }

    /// The place whose turn it will be after `n` others; takes no turn.
    pub(super) fn ahead(&self, worker: usize, n: u64) -> Option<usize> {
        let turn = self.turns.of(worker)?.get();
        // Workers start at different places, so that few requests on many workers do not all meet the first endpoint.
        self.at(turn.wrapping_add(worker as u64).wrapping_add(n))
    }

    /// How many places the round has.
    pub(super) fn len(&self) -> u64 {
        self.places.len() as u64
    }

    /// The place at this point of the round.
    pub(super) fn at(&self, turn: u64) -> Option<usize> {
        let at = turn.checked_rem(self.places.len() as u64)?;
        self.places.get(usize::try_from(at).ok()?).map(|i| usize::from(*i))
    }
}

fn spread(weights: &[u16], longest: usize) -> Box<[u16]> {
    let divisor = weights.iter().copied().filter(|w| *w > 0).reduce(greatest_common_divisor).unwrap_or(1);
    let mut shares: Vec<i64> = weights.iter().map(|w| i64::from(w / divisor)).collect();
    let total: i64 = shares.iter().sum();
    if total > longest as i64 {
        for share in shares.iter_mut().filter(|s| **s > 0) {
            *share = (*share * longest as i64 / total).max(1);
        }
    }
    let total: i64 = shares.iter().sum();
    let mut credit = vec![0i64; shares.len()];
    let mut round = Vec::new();
    for _ in 0..total {
        credit.iter_mut().zip(&shares).for_each(|(c, s)| *c += s);
        let best = (0..credit.len()).max_by_key(|i| (credit.get(*i).copied(), std::cmp::Reverse(*i)));
        let Some(best) = best else { break };
        if let Some(c) = credit.get_mut(best) {
            *c -= total;
        }
        round.push(u16::try_from(best).unwrap_or(0));
    }
    round.into()
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
    }

    #[test]
    fn looking_ahead_takes_no_turn() {
        let r = Round::new(&[1, 1, 1], 1);
        assert_eq!((r.next(0), r.ahead(0, 0), r.ahead(0, 1)), (Some(0), Some(1), Some(2)));
        assert_eq!((r.next(0), r.ahead(0, 0)), (Some(1), Some(2)));
        assert_eq!(Round::new(&[], 1).next(0), None);
    }
}
