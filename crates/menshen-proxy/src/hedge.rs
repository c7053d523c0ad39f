//! When a request is sent a second time, because the first attempt takes long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::stats::{LATENCY_BOUNDS, Latency, ServiceStats};

/// When a second attempt is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HedgePolicy {
    /// How long the first may take.
    pub after: HedgeAfter,
    /// The most requests that are made twice, as a share of all.
    pub at_most: f64,
}

/// How long a first attempt may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HedgeAfter {
    /// So long.
    Time(Duration),
    /// Longer than this share of those before, from 0 to 1.
    Quantile(f64),
}

/// How often what is usual is looked at again, in milliseconds.
const EACH: u64 = 1_000;
/// Answers that are enough to say what is usual.
const ENOUGH: u64 = 20;
const CELLS: usize = LATENCY_BOUNDS.len() + 1;

/// What a service takes usually, by its own histogram. Looked at once a second, by whoever asks first.
#[derive(Debug)]
pub(crate) struct Usual {
    start: Instant,
    next: AtomicU64,
    micros: AtomicU64,
    /// The histogram as it was when there were last enough answers.
    seen: [AtomicU64; CELLS],
}

impl Usual {
    pub(crate) fn new(start: Instant) -> Self {
        Self {
            start,
            next: AtomicU64::new(0),
            micros: AtomicU64::new(0),
            seen: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// How long a first attempt may take. `None` while too little is known.
    pub(crate) fn quantile(&self, share: f64, stats: &ServiceStats, at: Instant) -> Option<Duration> {
        let now = u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX);
        let next = self.next.load(Ordering::Relaxed);
        let until = now.saturating_add(EACH);
        if now >= next
            && self.next.compare_exchange(next, until, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.look(share, stats.iter().map(|cells| &cells.latency));
        }
        let micros = self.micros.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    fn look<'a>(&self, share: f64, histograms: impl Iterator<Item = &'a Latency>) {
        let mut now = [0u64; CELLS];
        for histogram in histograms {
            for (sum, bucket) in now.iter_mut().zip(&histogram.buckets) {
                *sum = sum.wrapping_add(bucket.get());
            }
        }
        let mut new = [0u64; CELLS];
        for ((new, now), seen) in new.iter_mut().zip(&now).zip(&self.seen) {
            *new = now.wrapping_sub(seen.load(Ordering::Relaxed));
        }
        if new.iter().sum::<u64>() >= ENOUGH {
            self.micros.store(quantile(&new, share), Ordering::Relaxed);
            self.seen.iter().zip(now).for_each(|(seen, now)| seen.store(now, Ordering::Relaxed));
        }
    }
}

/// The microseconds within which this share of the answers came, evenly spread within each bucket.
fn quantile(buckets: &[u64; CELLS], share: f64) -> u64 {
    let wanted = share * buckets.iter().sum::<u64>() as f64;
    let (mut before, mut lower) = (0.0, 0);
    for (count, upper) in buckets.iter().zip(LATENCY_BOUNDS) {
        let count = *count as f64;
        if before + count >= wanted && count > 0.0 {
            let part = (wanted - before) / count;
            return lower + ((upper - lower) as f64 * part) as u64;
        }
        before += count;
        lower = upper;
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_is_of_what_the_service_took_lately() {
        let (stats, start) = (ServiceStats::new(1), Instant::now());
        let (usual, cells) = (Usual::new(start), stats.of(0).unwrap());
        assert_eq!(usual.quantile(0.95, &stats, start), None, "nothing is known");
        for _ in 0..100 {
            cells.latency.record(900);
        }
        let later = |seconds| start + Duration::from_secs(seconds);
        let micros = |seconds| usual.quantile(0.95, &stats, later(seconds)).unwrap().as_micros();
        assert_eq!(micros(2), 975);
        for _ in 0..19 {
            cells.latency.record(90_000);
        }
        assert_eq!(micros(4), 975, "too few to say something new");
        cells.latency.record(90_000);
        assert_eq!(micros(6), 97_500);
    }

    #[test]
    fn what_is_above_all_bounds_counts_as_the_last_of_them() {
        let mut buckets = [0; CELLS];
        buckets[CELLS - 1] = 10;
        assert_eq!(quantile(&buckets, 0.5), 30_000_000);
    }
}
