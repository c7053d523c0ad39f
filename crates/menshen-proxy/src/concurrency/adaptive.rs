//! A limit that moves with what a service takes: Gradient2 of Netflix' concurrency-limits, over windows of a second.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How a limit moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptivePolicy {
    /// Never less.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// The part of the way that one window moves it, from 0 to 1.
    pub smoothing: f64,
    /// How much slower than usual is still good.
    pub tolerance: f64,
}

/// The time over which samples are taken together, in milliseconds.
const WINDOW: u64 = 1_000;
/// A window goes on until it has so many samples.
const SAMPLES: u64 = 10;
/// Shorter times say nothing about load.
const SHORTEST: Duration = Duration::from_micros(100);
/// What may always wait at the service.
const QUEUE: f64 = 4.0;
/// Windows over which what is usual is averaged.
const USUAL: f64 = 600.0;
/// Windows until that average is a warm one: at first it follows quickly.
const WARM: f64 = 10.0;

/// A limit and what moves it. Whoever ends a window is the only one to write the floating-point numbers.
#[derive(Debug)]
pub(super) struct Adaptive {
    start: Instant,
    /// A floating-point number; zero before the first window.
    limit: AtomicU64,
    /// What is usual, in microseconds: a floating-point number.
    usual: AtomicU64,
    windows: AtomicU64,
    /// The millisecond at which the window may end.
    until: AtomicU64,
    count: AtomicU64,
    sum: AtomicU64,
    most: AtomicU32,
}

impl Adaptive {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            limit: AtomicU64::new(0),
            usual: AtomicU64::new(0),
            windows: AtomicU64::new(0),
            until: AtomicU64::new(WINDOW),
            count: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            most: AtomicU32::new(0),
        }
    }

    /// The limit now, within what the policy says.
    pub(super) fn limit(&self, policy: &AdaptivePolicy) -> u32 {
        // A floating-point number that is cast stays within the bounds of the integer.
        (load(&self.limit) as u32).clamp(policy.min, policy.max.max(policy.min))
    }

    /// The limit, once it has moved.
    pub(super) fn moved(&self) -> Option<u32> {
        Some(load(&self.limit) as u32).filter(|limit| *limit > 0)
    }

    /// Notes how long a request took while so many were under way.
    pub(super) fn sample(&self, policy: &AdaptivePolicy, time: Duration, in_flight: u32, at: Instant) {
        if time < SHORTEST {
            return;
        }
        self.sum.fetch_add(u64::try_from(time.as_micros()).unwrap_or(0), Ordering::Relaxed);
        self.most.fetch_max(in_flight, Ordering::Relaxed);
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let now = u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX);
        let until = self.until.load(Ordering::Relaxed);
        let may_end = now >= until && count >= SAMPLES;
        let next = now.saturating_add(WINDOW);
        if may_end && self.until.compare_exchange(until, next, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.step(policy);
        }
    }

    /// Ends a window.
    fn step(&self, policy: &AdaptivePolicy) {
        let count = self.count.swap(0, Ordering::Relaxed);
        let sum = self.sum.swap(0, Ordering::Relaxed);
        let most = f64::from(self.most.swap(0, Ordering::Relaxed));
        if count == 0 {
            return;
        }
        let took = sum as f64 / count as f64;
        let windows = self.windows.fetch_add(1, Ordering::Relaxed) as f64;
        let usual = self.usual(took, windows);
        let limit = f64::from(self.limit(policy)).max(load(&self.limit).min(f64::from(policy.max)));
        // Too few requests to learn from: the limit was not what held them up.
        if most < limit / 2.0 {
            return;
        }
        let gradient = (policy.tolerance * usual / took).clamp(0.5, 1.0);
        let wanted = limit * gradient + QUEUE;
        let new = limit * (1.0 - policy.smoothing) + wanted * policy.smoothing;
        store(&self.limit, new.clamp(f64::from(policy.min), f64::from(policy.max.max(policy.min))));
    }

    /// What is usual, with one more window.
    fn usual(&self, took: f64, windows: f64) -> f64 {
        let before = load(&self.usual);
        let mut usual = if windows < WARM {
            (before * windows + took) / (windows + 1.0)
        } else {
            before + (took - before) * 2.0 / (USUAL + 1.0)
        };
        // After a slow time what is usual must come down faster than it went up.
        if usual / took > 2.0 {
            usual *= 0.95;
        }
        store(&self.usual, usual);
        usual
    }
}

fn load(cell: &AtomicU64) -> f64 {
    f64::from_bits(cell.load(Ordering::Relaxed))
}

fn store(cell: &AtomicU64, value: f64) {
    cell.store(value.to_bits(), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: AdaptivePolicy = AdaptivePolicy { min: 20, max: 200, smoothing: 0.2, tolerance: 1.5 };

    /// Some windows in which requests take so long, as many at once as the limit allows.
    fn windows(adaptive: &Adaptive, now: &mut Instant, count: usize, millis: impl Fn(u32) -> u64) {
        for _ in 0..count {
            *now += Duration::from_millis(WINDOW);
            let limit = adaptive.limit(&POLICY);
            for _ in 0..20 {
                adaptive.sample(&POLICY, Duration::from_millis(millis(limit)), limit, *now);
            }
        }
    }

    #[test]
    fn the_limit_grows_while_the_service_gets_no_slower() {
        let mut now = Instant::now();
        let adaptive = Adaptive::new(now);
        assert_eq!(adaptive.limit(&POLICY), 20);
        windows(&adaptive, &mut now, 400, |_| 10);
        assert_eq!(adaptive.limit(&POLICY), 200);
    }

    #[test]
    fn it_shrinks_when_the_service_gets_slower_and_recovers() {
        let mut now = Instant::now();
        let adaptive = Adaptive::new(now);
        windows(&adaptive, &mut now, 400, |_| 10);
        windows(&adaptive, &mut now, 30, |_| 100);
        let slow = adaptive.limit(&POLICY);
        assert!(slow < 60, "{slow}");
        windows(&adaptive, &mut now, 400, |_| 10);
        assert_eq!(adaptive.limit(&POLICY), 200);
    }

    #[test]
    fn it_settles_near_what_the_service_can_do() {
        let mut now = Instant::now();
        let adaptive = Adaptive::new(now);
        // 50 at once are served in 10 ms; more have to wait.
        windows(&adaptive, &mut now, 100, |limit| 10 * u64::from(limit.max(50)) / 50);
        let limit = adaptive.limit(&POLICY);
        assert!((40..=130).contains(&limit), "{limit}");
    }

    #[test]
    fn few_requests_do_not_move_it() {
        let mut now = Instant::now();
        let adaptive = Adaptive::new(now);
        for _ in 0..200 {
            now += Duration::from_millis(100);
            adaptive.sample(&POLICY, Duration::from_millis(10), 3, now);
        }
        assert_eq!(adaptive.limit(&POLICY), 20);
    }

    proptest! {
        #[test]
        fn it_stays_between_least_and_most(
            samples in prop::collection::vec((0u64..100_000_000, 0u32..1000, 0u64..3000), 1..300),
        ) {
            let mut now = Instant::now();
            let adaptive = Adaptive::new(now);
            for (micros, in_flight, gap) in samples {
                now += Duration::from_millis(gap);
                adaptive.sample(&POLICY, Duration::from_micros(micros), in_flight, now);
                prop_assert!((20..=200).contains(&adaptive.limit(&POLICY)));
            }
        }
    }
}
