//! The line that loads print, the same as that of `wrk/report.lua`.

use serde_json::{Value, json};

/// Counts, seconds, and latencies in microseconds.
pub fn figures(mut latencies: Vec<u64>, seconds: f64, errors: u64) -> Value {
    latencies.sort_unstable();
    let share = |percent: usize| latencies.get(latencies.len() * percent / 100).copied().unwrap_or(0);
    json!({ "requests": latencies.len(), "seconds": seconds, "p50": share(50), "p99": share(99), "errors": errors })
}
