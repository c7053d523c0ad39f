//! How long an endpoint takes to answer: peaks count at once, and are forgotten slowly (Finagle's "peak EWMA",
//! <https://twitter.github.io/finagle/guide/Clients.html#power-of-two-choices-p2c-least-loaded>).

use std::sync::atomic::{AtomicU64, Ordering};

/// The time in which what was seen loses all but 1/e of its weight, in milliseconds.
const DECAY: f32 = 10_000.0;

/// What an endpoint is taken to cost that has not answered yet while something is under way there, in microseconds.
const UNKNOWN: f32 = 1e9;

/// A latency in microseconds and when it was last seen, in one number that all workers write.
#[derive(Debug, Default)]
pub struct PeakLatency(AtomicU64);

impl PeakLatency {
    /// Takes in that something took so many microseconds.
    pub fn observe(&self, micros: u64, now: u64) {
        let seen = micros as f32;
        // Under contention a newcomer is as good as this one.
        for _ in 0..3 {
            let old = self.0.load(Ordering::Relaxed);
            let (latency, at) = unpack(old);
            let kept = if latency == 0.0 { 0.0 } else { share_left(at, now) };
            let new = if seen > latency { seen } else { latency * kept + seen * (1.0 - kept) };
            let packed = pack(new, now);
            if self.0.compare_exchange_weak(old, packed, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    /// The latency as it counts now, in microseconds: what was not seen for long fades.
    pub fn now(&self, now: u64) -> f32 {
        let (latency, at) = unpack(self.0.load(Ordering::Relaxed));
        latency * share_left(at, now)
    }

    /// What the next request has to expect behind so many others.
    pub fn cost(&self, in_flight: u64, now: u64) -> f32 {
        let latency = self.now(now);
        match (latency, in_flight) {
            (0.0, 0) => 0.0,
            (0.0, n) => UNKNOWN + n as f32,
            (latency, n) => latency * (n.saturating_add(1)) as f32,
        }
    }
}

fn pack(latency: f32, now: u64) -> u64 {
    u64::from(latency.to_bits()) << 32 | u64::from(stamp(now))
}

fn unpack(packed: u64) -> (f32, u32) {
    (f32::from_bits((packed >> 32) as u32), packed as u32)
}

/// Milliseconds; after 49 days they begin anew, which costs one wrong weight.
fn stamp(now: u64) -> u32 {
    (now / 1000) as u32
}

fn share_left(at: u32, now: u64) -> f32 {
    let passed = stamp(now).wrapping_sub(at);
    // Times of other workers may be a little ahead of ours.
    if passed > u32::MAX / 2 { 1.0 } else { (-(passed as f32) / DECAY).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn peaks_count_at_once_and_fade() {
        let latency = PeakLatency::default();
        latency.observe(1_000, SECOND);
        latency.observe(50_000, SECOND);
        assert_eq!(latency.now(SECOND), 50_000.0);
        latency.observe(1_000, SECOND + 1000);
        assert!(latency.now(SECOND + 1000) > 49_000.0, "one good answer does not make good for a bad one");
        latency.observe(1_000, 11 * SECOND);
        let after = latency.now(11 * SECOND);
        assert!((18_000.0..20_000.0).contains(&after), "{after}");
    }

    #[test]
    fn what_is_unknown_gets_one_request_first() {
        let latency = PeakLatency::default();
        assert_eq!(latency.cost(0, SECOND), 0.0);
        assert!(latency.cost(1, SECOND) > 1e8);
        latency.observe(100, SECOND);
        assert_eq!(latency.cost(2, SECOND), 300.0);
    }
}
