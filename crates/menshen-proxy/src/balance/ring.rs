//! A ring of hashes (Karger and others, "Consistent Hashing and Random Trees", 1997): each endpoint has many points on it, and a
//! key belongs to the next point. When an endpoint goes only its keys move.

use std::sync::Arc;

use super::hash::{identity, mix};
use crate::endpoint::Endpoint;

/// Points of an endpoint of weight 1, if that is not too many altogether.
const POINTS: u64 = 160;
/// Points altogether, unless there are more endpoints.
const MOST: u64 = 1 << 16;

/// The points of all endpoints in order.
#[derive(Debug)]
pub(super) struct Ring {
    hashes: Box<[u64]>,
    owners: Box<[u32]>,
}

impl Ring {
    pub(super) fn new(members: &[Arc<Endpoint>]) -> Self {
        let weighted: Vec<_> = members.iter().map(|e| (identity(e), e.weight)).collect();
        Self::of(&weighted)
    }

    /// The points of an endpoint are the same whatever others there are, save that a large ring has the first of them only.
    fn of(members: &[(u64, u16)]) -> Self {
        let total: u64 = members.iter().map(|(_, weight)| u64::from(*weight)).sum();
        // Weights of 100, 200, 300 are not a hundred times as much ring as 1, 2, 3.
        let least =
            members.iter().map(|(_, weight)| u64::from(*weight)).filter(|w| *w > 0).min().unwrap_or(1);
        let mut points = Vec::new();
        for ((identity, weight), i) in members.iter().zip(0u32..) {
            let wanted = POINTS * u64::from(*weight) / least;
            let room = MOST * u64::from(*weight) / total.max(1);
            let points_of_it = wanted.min(room).max(u64::from(*weight > 0));
            points.extend((0..points_of_it).map(|n| (mix(identity ^ mix(n + 1)), i)));
        }
        points.sort_unstable();
        let (hashes, owners): (Vec<u64>, Vec<u32>) = points.into_iter().unzip();
        Self { hashes: hashes.into(), owners: owners.into() }
    }

    /// The owner of a key, or who is so many points behind.
    pub(super) fn at(&self, key: u64, nth: usize) -> Option<usize> {
        let at = self.hashes.partition_point(|h| *h < key).wrapping_add(nth);
        self.owners.get(at.checked_rem(self.owners.len())?).map(|i| *i as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn endpoints(n: usize) -> Vec<(u64, u16)> {
        (0..n as u64).map(|i| (mix(i + 99), 1)).collect()
    }

    #[test]
    fn keys_are_spread_by_weight() {
        let mut all = endpoints(10);
        all[0].1 = 3;
        let ring = Ring::of(&all);
        let mut counts = [0u32; 10];
        (0..120_000).for_each(|k| counts[ring.at(mix(k), 0).unwrap()] += 1);
        assert!((24_000..36_000).contains(&counts[0]), "{counts:?}");
        assert!(counts[1..].iter().all(|n| (7_000..13_000).contains(n)), "{counts:?}");
    }

    #[test]
    fn a_ring_is_bounded() {
        assert!(Ring::of(&endpoints(5_000)).hashes.len() <= MOST as usize);
        assert_eq!(Ring::of(&[]).at(7, 0), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn when_an_endpoint_leaves_only_its_keys_move(n in 2usize..30, gone in 0usize..30, start in any::<u64>()) {
            let gone = gone % n;
            let before = endpoints(n);
            let mut after = before.clone();
            after.remove(gone);
            let (a, b) = (Ring::of(&before), Ring::of(&after));
            for k in 0..500 {
                let key = mix(start.wrapping_add(k));
                let (was, is) = (a.at(key, 0).unwrap(), b.at(key, 0).unwrap());
                prop_assert!(was == gone || before[was] == after[is]);
            }
        }
    }
}
