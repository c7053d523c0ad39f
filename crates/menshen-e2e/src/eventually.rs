//! Waiting for what will happen, with bounded patience.

use std::time::{Duration, Instant};

/// How long a test waits for something that should happen at once. Only failing tests wait that long.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not hold within [`PATIENCE`].
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "this never happened: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What a number stays at once it has left 0.
///
/// # Panics
/// When it does not settle within [`PATIENCE`].
pub fn settled(number: impl Fn() -> u64) -> u64 {
    let mut last = (number(), Instant::now());
    eventually("a number settles", || {
        let now = number();
        if now != last.0 || now == 0 {
            last = (now, Instant::now());
        }
        last.1.elapsed() > Duration::from_millis(150)
    });
    last.0
}
