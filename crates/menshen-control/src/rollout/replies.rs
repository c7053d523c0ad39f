//! Replies of the last minutes, from counters that only grow.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The time that is looked back on.
pub(super) const WINDOW: Duration = Duration::from_secs(5 * 60);
/// How often the counters are written down: the window is longer by at most this much.
const STEP: Duration = Duration::from_secs(10);

/// What the counters say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Requests that are over.
    pub(super) requests: u64,
    /// Those of them that went badly.
    pub(super) bad: u64,
}

/// What the counters said from time to time.
#[derive(Debug, Default)]
pub(super) struct Replies(VecDeque<(Instant, Counted)>);

impl Replies {
    /// What was counted in the window.
    pub(super) fn recent(&mut self, total: Counted, now: Instant) -> Counted {
        if self.0.back().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= STEP) {
            self.0.push_back((now, total));
        }
        while self.0.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW) {
            self.0.pop_front();
        }
        let before = self.0.front().map(|(_, counted)| *counted).unwrap_or_default();
        Counted {
            requests: total.requests.saturating_sub(before.requests),
            bad: total.bad.saturating_sub(before.bad),
        }
    }

    /// Nothing that was counted before counts any more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_forgotten_after_the_window() {
        let (start, mut replies) = (Instant::now(), Replies::default());
        let counted = |requests| Counted { requests, bad: requests / 2 };
        assert_eq!(replies.recent(counted(1000), start), Counted::default());
        for second in 1..=1200 {
            let recent = replies.recent(counted(1000 + second), start + Duration::from_secs(second));
            assert!(recent.requests <= 310 && recent.requests >= second.min(300), "{second}: {recent:?}");
        }
        assert!(replies.0.len() <= 32);
    }
}
