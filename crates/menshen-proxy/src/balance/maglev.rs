//! Maglev's table (Eisenbud and others, "Maglev: A Fast and Reliable Software Network Load Balancer", 2016, §3.4): each cell belongs
//! to an endpoint, almost equally many to each, and a key is one look into it.

use std::sync::Arc;

use super::hash::{identity, mix};
use crate::endpoint::Endpoint;

/// Cells: a prime, and the same for every service, because another size moves every key.
const SIZE: u64 = 65_537;

/// To whom each cell belongs.
#[derive(Debug)]
pub(super) struct Maglev(Box<[u16]>);

impl Maglev {
    pub(super) fn new(members: &[Arc<Endpoint>]) -> Self {
        let weighted: Vec<_> = members.iter().map(|e| (identity(e), e.weight)).collect();
        Self::of(&weighted)
    }

    /// Endpoints take cells in turn, each in the order of its own permutation; those of less weight sit out some turns.
    fn of(members: &[(u64, u16)]) -> Self {
        // The order in which endpoints stand in the document must not matter.
        let mut order: Vec<(u64, u16, u16)> =
            members.iter().zip(0..=u16::MAX).map(|((id, weight), i)| (*id, *weight, i)).collect();
        order.retain(|(_, weight, _)| *weight > 0);
        order.sort_unstable();
        let heaviest = order.iter().map(|(_, weight, _)| u32::from(*weight)).max().unwrap_or(0);
        let mut cells = vec![None; if order.is_empty() { 0 } else { SIZE as usize }];
        let mut takers: Vec<Taker> =
            order.iter().map(|(id, weight, i)| Taker::new(*id, *weight, *i)).collect();
        let mut free = cells.len();
        while free > 0 {
            for taker in &mut takers {
                taker.credit += u32::from(taker.weight);
                if taker.credit < heaviest || free == 0 {
                    continue;
                }
                taker.credit -= heaviest;
                if taker.take(&mut cells) {
                    free -= 1;
                }
            }
        }
        Self(cells.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// The owner of a key, or of the cell so many further, who is as good as any.
    pub(super) fn at(&self, key: u64, nth: usize) -> Option<usize> {
        let at = (key % SIZE).wrapping_add(nth as u64) % SIZE;
        self.0.get(usize::try_from(at).ok()?).map(|i| usize::from(*i))
    }
}

/// An endpoint that takes cells.
struct Taker {
    index: u16,
    weight: u16,
    credit: u32,
    next: u64,
    skip: u64,
}

impl Taker {
    fn new(identity: u64, weight: u16, index: u16) -> Self {
        let skip = mix(identity ^ 0x736b_6970) % (SIZE - 1) + 1;
        Self { index, weight, credit: 0, next: mix(identity) % SIZE, skip }
    }

    /// Takes the next free cell of its permutation; the size is a prime, so it passes all of them.
    fn take(&mut self, cells: &mut [Option<u16>]) -> bool {
        for _ in 0..SIZE {
            let cell = usize::try_from(self.next).ok().and_then(|at| cells.get_mut(at));
            self.next = (self.next + self.skip) % SIZE;
            if let Some(free @ None) = cell {
                *free = Some(self.index);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn endpoints(n: usize) -> Vec<(u64, u16)> {
        (0..n as u64).map(|i| (mix(i + 7), 1)).collect()
    }

    #[test]
    fn cells_are_shared_out_almost_exactly_by_weight() {
        let mut all = endpoints(10);
        all[3].1 = 2;
        let table = Maglev::of(&all);
        let count = |i: u16| table.0.iter().filter(|c| **c == i).count();
        let share = SIZE as usize / 11;
        assert!(count(3).abs_diff(2 * share) < share / 20, "{} of {share}", count(3));
        assert!((0..10).filter(|i| *i != 3).all(|i| count(i).abs_diff(share) < share / 20));
        assert_eq!(Maglev::of(&[]).at(7, 0), None);
    }

    #[test]
    fn the_order_in_the_document_does_not_matter() {
        let all = endpoints(5);
        let reversed: Vec<_> = all.iter().rev().copied().collect();
        let (a, b) = (Maglev::of(&all), Maglev::of(&reversed));
        assert!((0..1000).all(|k| all[a.at(mix(k), 0).unwrap()] == reversed[b.at(mix(k), 0).unwrap()]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn when_an_endpoint_leaves_few_other_keys_move(n in 3usize..30, gone in 0usize..30) {
            let gone = gone % n;
            let before = endpoints(n);
            let mut after = before.clone();
            after.remove(gone);
            let (a, b) = (Maglev::of(&before), Maglev::of(&after));
            let moved = (0..SIZE).filter(|k| {
                let (was, is) = (a.at(*k, 0).unwrap(), b.at(*k, 0).unwrap());
                was != gone && before[was] != after[is]
            });
            let share = moved.count() as f64 / SIZE as f64;
            prop_assert!(share < 0.06, "{share} of the keys of others moved");
        }
    }
}
