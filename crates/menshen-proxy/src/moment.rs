//! Moments that threads tell each other: microseconds since this process first looked.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Microseconds since the process first looked at the clock; at least 1, so that 0 can stand for never.
pub fn micros(at: Instant) -> u64 {
    of(at.saturating_duration_since(*START)).saturating_add(1)
}

/// A length of time in microseconds.
pub fn of(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}

/// How long ago a moment was.
pub fn since(moment: u64) -> Duration {
    Duration::from_micros(micros(Instant::now()).saturating_sub(moment))
}
