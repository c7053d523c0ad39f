//! What happened lately at a service, second by second. Each cell has one writer, the worker; readers sum.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use crate::stats::PerWorker;

/// Seconds that are remembered, the one under way with them.
const KEPT: usize = 32;
/// The longest time that can be looked back on, in seconds.
pub const LONGEST: u32 = 30;

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A request was to be sent to the service.
    Request,
    /// It answered.
    Success,
    /// It did not, or in a way that counts as none.
    Failure,
    /// A request was sent again.
    Retry,
    /// A request was sent a second time because the first took long.
    Hedge,
}

const KINDS: usize = 5;

/// Sums over a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts([u64; KINDS]);

impl Counts {
    pub(crate) fn of(&self, event: Event) -> u64 {
        self.0.get(event as usize).copied().unwrap_or(0)
    }
}

#[derive(Debug, Default)]
struct Slot {
    second: AtomicU32,
    counts: [AtomicU32; KINDS],
}

#[derive(Debug, Default)]
struct Slots([Slot; KEPT]);

/// Counts of the last seconds.
#[derive(Debug)]
pub(crate) struct Window {
    start: Instant,
    slots: PerWorker<Slots>,
}

impl Window {
    /// A window that starts now.
    pub(crate) fn new(workers: usize, start: Instant) -> Self {
        Self { start, slots: PerWorker::new(workers) }
    }

    /// The second in which this moment is; the first is 1, so that no slot is in use at the start.
    pub(crate) fn second(&self, at: Instant) -> u32 {
        let seconds = at.saturating_duration_since(self.start).as_secs();
        u32::try_from(seconds).unwrap_or(u32::MAX - 1).saturating_add(1)
    }

    /// Notes that something happened. Only the worker of this number may do so.
    pub(crate) fn add(&self, worker: usize, event: Event, at: Instant) {
        let second = self.second(at);
        let slot = self.slots.of(worker).and_then(|slots| slots.0.get(second as usize % KEPT));
        let Some(slot) = slot else { return };
        if slot.second.load(Ordering::Relaxed) != second {
            slot.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
            slot.second.store(second, Ordering::Release);
        }
        if let Some(count) = slot.counts.get(event as usize) {
            count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// What happened in the last so many seconds, that of this moment with them, and behind the second `after`.
    pub(crate) fn sum(&self, at: Instant, seconds: u32, after: u32) -> Counts {
        let last = self.second(at);
        let first = last.saturating_sub(seconds.min(LONGEST)).max(after).saturating_add(1);
        let mut sum = Counts::default();
        for slot in self.slots.iter().flat_map(|slots| &slots.0) {
            if (first..=last).contains(&slot.second.load(Ordering::Acquire)) {
                for (total, count) in sum.0.iter_mut().zip(&slot.counts) {
                    *total += u64::from(count.load(Ordering::Relaxed));
                }
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(window: &Window, seconds: u64) -> Instant {
        window.start + Duration::from_secs(seconds)
    }

    #[test]
    fn what_happened_is_forgotten_after_the_window() {
        let window = Window::new(2, Instant::now());
        for second in 0..10 {
            window.add(0, Event::Request, at(&window, second));
            window.add(1, Event::Request, at(&window, second));
        }
        let requests = |second, span| window.sum(at(&window, second), span, 0).of(Event::Request);
        assert_eq!(requests(9, 10), 20);
        assert_eq!(requests(9, 3), 6);
        assert_eq!(requests(14, 10), 10);
        assert_eq!(requests(25, 10), 0);
    }

    #[test]
    fn a_slot_that_comes_round_again_starts_at_nothing() {
        let window = Window::new(1, Instant::now());
        window.add(0, Event::Failure, at(&window, 1));
        window.add(0, Event::Failure, at(&window, 1 + KEPT as u64));
        assert_eq!(window.sum(at(&window, 1 + KEPT as u64), 30, 0).of(Event::Failure), 1);
    }

    #[test]
    fn what_came_before_a_moment_can_be_left_out() {
        let window = Window::new(1, Instant::now());
        window.add(0, Event::Failure, at(&window, 1));
        let cleared = window.second(at(&window, 1));
        window.add(0, Event::Failure, at(&window, 2));
        assert_eq!(window.sum(at(&window, 2), 10, cleared).of(Event::Failure), 1);
    }
}
