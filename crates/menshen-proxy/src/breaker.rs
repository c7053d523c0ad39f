//! A circuit breaker (Hystrix's meaning): a service that fails too often is left alone for a while; then one request
//! tries. One number holds its state for all workers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::retry::Statuses;
use crate::window::{Event, Window};

/// When a service is left alone.
#[derive(Clone, Debug)]
pub struct BreakerPolicy {
    /// Seconds that are looked back on; at most [`crate::window::LONGEST`].
    pub window: u32,
    /// So many requests must have been made in that time.
    pub requests: u64,
    /// This share of them must have failed, from 0 to 1.
    pub errors: f64,
    /// How long the service is left alone.
    pub sleep: Duration,
    /// Statuses that are failures.
    pub statuses: Statuses,
}

/// What a breaker lets happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Requests pass.
    Closed,
    /// They do not.
    Open,
    /// One has passed, to see whether the service is well again.
    HalfOpen,
}

impl Circuit {
    /// The stable word for it, as the admin API says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// What a breaker says to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Pass.
    Pass,
    /// Pass, and everything depends on how it goes: whoever gets this owes a [`Breaker::settle`].
    Trial,
    /// Come again after so many seconds.
    Refused { retry_after: u32 },
}

/// How a request went that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failure,
    /// Nobody knows: the client has gone, or there was a failure on this side.
    Unknown,
}

/// The breaker of a service.
#[derive(Debug)]
pub(crate) struct Breaker {
    start: Instant,
    /// A tag in the two lowest bits, and a number above. Closed: the second up to which what happened is forgotten.
    /// Open: the millisecond until which. Half open: 0.
    state: AtomicU64,
    opened: AtomicU64,
}

const CLOSED: u64 = 0;
const OPEN: u64 = 1;
const HALF_OPEN: u64 = 2;

impl Breaker {
    pub(crate) fn new(start: Instant) -> Self {
        Self { start, state: AtomicU64::new(CLOSED), opened: AtomicU64::new(0) }
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX >> 2)
    }

    /// What it lets happen now.
    pub(crate) fn circuit(&self) -> Circuit {
        match self.state.load(Ordering::Relaxed) & 3 {
            OPEN => Circuit::Open,
            HALF_OPEN => Circuit::HalfOpen,
            _ => Circuit::Closed,
        }
    }

    /// How often it has opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// May a request pass?
    pub(crate) fn admit(&self, at: Instant) -> Admission {
        let state = self.state.load(Ordering::Acquire);
        match state & 3 {
            CLOSED => return Admission::Pass,
            OPEN => {
                let left = (state >> 2).saturating_sub(self.millis(at));
                if left > 0 {
                    let seconds = u32::try_from(left.div_ceil(1000)).unwrap_or(u32::MAX);
                    return Admission::Refused { retry_after: seconds };
                }
                if self.change(state, HALF_OPEN) {
                    return Admission::Trial;
                }
            }
            _ => {}
        }
        Admission::Refused { retry_after: 1 }
    }

    /// Notes how a request went that passed. True when the circuit changed by that.
    pub(crate) fn report(
        &self,
        outcome: Outcome,
        window: &Window,
        worker: usize,
        policy: &BreakerPolicy,
        at: Instant,
    ) -> bool {
        match outcome {
            Outcome::Success => window.add(worker, Event::Success, at),
            Outcome::Failure => window.add(worker, Event::Failure, at),
            Outcome::Unknown => {}
        }
        let state = self.state.load(Ordering::Acquire);
        if outcome != Outcome::Failure || state & 3 != CLOSED {
            return false;
        }
        let forgotten = u32::try_from(state >> 2).unwrap_or(u32::MAX);
        let lately = window.sum(at, policy.window, forgotten);
        let (good, bad) = (lately.of(Event::Success), lately.of(Event::Failure));
        let is_too_much = good + bad >= policy.requests && bad as f64 >= policy.errors * (good + bad) as f64;
        is_too_much && self.open(state, at + policy.sleep)
    }

    /// Ends a trial.
    pub(crate) fn settle(&self, outcome: Outcome, window: &Window, policy: &BreakerPolicy, at: Instant) {
        match outcome {
            // What happened before is forgotten, what else happens in this second too.
            Outcome::Success => self.change(HALF_OPEN, (u64::from(window.second(at)) << 2) | CLOSED),
            Outcome::Failure => self.open(HALF_OPEN, at + policy.sleep),
            Outcome::Unknown => self.abandon(),
        };
    }

    /// A trial came to no end: the next request is the trial.
    pub(crate) fn abandon(&self) -> bool {
        self.change(HALF_OPEN, OPEN)
    }

    fn open(&self, from: u64, until: Instant) -> bool {
        // Time zero would be no time at all.
        let is_changed = self.change(from, (self.millis(until).max(1) << 2) | OPEN);
        if is_changed {
            self.opened.fetch_add(1, Ordering::Relaxed);
        }
        is_changed
    }

    fn change(&self, from: u64, to: u64) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Script {
        breaker: Breaker,
        window: Window,
        policy: BreakerPolicy,
        now: Instant,
    }

    impl Script {
        fn new() -> Self {
            let now = Instant::now();
            let policy = BreakerPolicy {
                window: 10,
                requests: 20,
                errors: 0.5,
                sleep: Duration::from_secs(5),
                statuses: Statuses::default(),
            };
            Self { breaker: Breaker::new(now), window: Window::new(1, now), policy, now }
        }

        fn report(&self, outcome: Outcome, times: usize) {
            for _ in 0..times {
                self.breaker.report(outcome, &self.window, 0, &self.policy, self.now);
            }
        }

        fn settle(&self, outcome: Outcome) {
            self.breaker.settle(outcome, &self.window, &self.policy, self.now);
        }

        fn after(&mut self, millis: u64) -> Admission {
            self.now += Duration::from_millis(millis);
            self.breaker.admit(self.now)
        }
    }

    #[test]
    fn it_opens_by_share_but_not_before_there_were_enough_requests() {
        let mut s = Script::new();
        s.report(Outcome::Failure, 19);
        assert_eq!(s.after(0), Admission::Pass);
        s.report(Outcome::Failure, 1);
        assert_eq!(s.after(0), Admission::Refused { retry_after: 5 });
        assert_eq!(s.breaker.opened(), 1);
    }

    #[test]
    fn few_failures_among_many_requests_do_not_open_it() {
        let mut s = Script::new();
        s.report(Outcome::Success, 100);
        s.report(Outcome::Failure, 99);
        assert_eq!(s.after(0), Admission::Pass);
        s.report(Outcome::Failure, 1);
        assert!(matches!(s.after(0), Admission::Refused { .. }));
    }

    #[test]
    fn failures_of_long_ago_do_not_count() {
        let mut s = Script::new();
        s.report(Outcome::Failure, 19);
        s.after(11_000);
        s.report(Outcome::Failure, 1);
        assert_eq!(s.after(0), Admission::Pass);
    }

    #[test]
    fn after_the_sleep_one_tries_and_its_success_closes_it() {
        let mut s = Script::new();
        s.report(Outcome::Failure, 20);
        assert_eq!(s.after(4_000), Admission::Refused { retry_after: 1 });
        assert_eq!(s.after(1_000), Admission::Trial);
        assert_eq!(s.after(0), Admission::Refused { retry_after: 1 });
        assert_eq!(s.breaker.circuit(), Circuit::HalfOpen);
        s.settle(Outcome::Success);
        assert_eq!(s.after(0), Admission::Pass);
        // What was before the trial is forgotten.
        s.after(1_500);
        s.report(Outcome::Failure, 1);
        assert_eq!(s.after(0), Admission::Pass);
    }

    #[test]
    fn a_trial_that_fails_opens_it_for_another_sleep() {
        let mut s = Script::new();
        s.report(Outcome::Failure, 20);
        assert_eq!(s.after(5_000), Admission::Trial);
        s.settle(Outcome::Failure);
        assert_eq!(s.after(0), Admission::Refused { retry_after: 5 });
        assert_eq!(s.after(5_000), Admission::Trial);
    }

    #[test]
    fn a_trial_that_nobody_ends_is_given_to_the_next() {
        let mut s = Script::new();
        s.report(Outcome::Failure, 20);
        assert_eq!(s.after(5_000), Admission::Trial);
        s.settle(Outcome::Unknown);
        assert_eq!(s.after(0), Admission::Trial);
    }

    proptest! {
        #[test]
        fn there_is_never_more_than_one_trial(steps in prop::collection::vec((0u8..5, 0u64..4_000), 1..300)) {
            let mut s = Script::new();
            let mut trials = 0;
            for (step, millis) in steps {
                match step {
                    0 => s.report(Outcome::Failure, 25),
                    1 => s.report(Outcome::Success, 1),
                    2 if trials > 0 => { s.settle(Outcome::Failure); trials -= 1; }
                    3 if trials > 0 => { s.settle(Outcome::Unknown); trials -= 1; }
                    _ => {}
                }
                if s.after(millis) == Admission::Trial {
                    trials += 1;
                }
                prop_assert!(trials <= 1);
            }
        }
    }
}
