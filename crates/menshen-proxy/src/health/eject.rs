//! Passive ejection: an endpoint where requests fail gets none for a while, longer each time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{EJECTED, Health, Reason, TRIAL};
use crate::endpoint::Endpoint;
use crate::moment;
use crate::service::Service;
use crate::{Blame, Failure};

/// When an endpoint is ejected.
#[derive(Clone, Debug, PartialEq)]
pub struct Eject {
    /// After so many failures one after the other; 0 for never.
    pub failures: u32,
    /// When a share of what it answers in a time are failures.
    pub error_share: Option<ErrorShare>,
    /// Answers that took longer count as failures, in microseconds.
    pub slower_than: u64,
    /// Only failures to connect count.
    pub only_connecting: bool,
    /// Statuses that count as failures, one bit for each from 500 to 599.
    pub statuses: u128,
    /// For how long the first time, in microseconds; each time twice as long.
    pub length: u64,
    /// For how long at most, in microseconds.
    pub longest: u64,
    /// The share of the endpoints that may be ejected at once, from 0 to 1.
    pub at_most: f64,
}

/// A share of failures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorShare {
    /// From 0 to 1.
    pub share: f64,
    /// Of at least so many.
    pub of: u32,
    /// Within so many microseconds.
    pub within: u64,
}

/// What is counted in a window at once.
struct Counted {
    answers: u32,
    errors: u32,
}

/// How an attempt went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With this status.
    Answered(u16),
    /// A connection stands that goes on as it is.
    Connected,
    /// Without an answer.
    Failed(Failure),
}

/// What an outcome says about the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Good,
    Bad(Reason),
    /// It has nothing to do with the endpoint.
    None,
}

impl Outcome {
    pub(crate) fn is_success(self) -> bool {
        !matches!(self, Self::Answered(500..) | Self::Failed(_))
    }

    /// What failed fast says nothing about how fast answers come.
    pub(crate) fn tells_latency(self) -> bool {
        match self {
            Self::Answered(_) => true,
            Self::Connected => false,
            Self::Failed(failure) => {
                matches!(failure, Failure::ConnectTimeout | Failure::FirstByteTimeout | Failure::TotalTimeout)
            }
        }
    }
}

impl Default for Eject {
    /// What nobody can connect to gets no requests for a few seconds.
    fn default() -> Self {
        Self {
            failures: 5,
            error_share: None,
            slower_than: u64::MAX,
            only_connecting: true,
            statuses: 0,
            length: moment::of(Duration::from_secs(5)),
            longest: moment::of(Duration::from_secs(30)),
            at_most: 0.5,
        }
    }
}

impl Eject {
    pub(super) fn observe(
        &self,
        service: &Service,
        endpoint: &Endpoint,
        outcome: Outcome,
        micros: u64,
        now: u64,
    ) {
        let health = &endpoint.state.health;
        match self.sign(outcome, micros) {
            Sign::None => {}
            Sign::Good => {
                // Most are good: a number that is 0 already is only read, so that workers share it.
                if health.row.load(Ordering::Relaxed) != 0 {
                    health.row.store(0, Ordering::Relaxed);
                }
                if let Some(share) = self.error_share {
                    health.exceeds(share, Counted { answers: 1, errors: 0 }, now);
                }
                if health.has(TRIAL) && health.come_back(now) {
                    tracing::info!(service = %service.name, endpoint = %endpoint.authority, "an endpoint is back");
                }
            }
            Sign::Bad(reason) => {
                let row = health.row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                let share = self
                    .error_share
                    .is_some_and(|s| health.exceeds(s, Counted { answers: 1, errors: 1 }, now));
                if health.has(TRIAL) || (self.failures > 0 && row >= self.failures) {
                    self.eject(service, endpoint, reason, now);
                } else if share {
                    self.eject(service, endpoint, Reason::ErrorShare, now);
                }
            }
        }
    }

    /// An answer was counted by its head, and broke off.
    pub(super) fn note_broken(&self, service: &Service, endpoint: &Endpoint, failure: Failure, now: u64) {
        let Sign::Bad(reason) = self.sign(Outcome::Failed(failure), 0) else { return };
        let health = &endpoint.state.health;
        let row = health.broken.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let more = Counted { answers: 0, errors: 1 };
        if self.failures > 0 && row >= self.failures {
            self.eject(service, endpoint, reason, now);
        } else if self.error_share.is_some_and(|s| health.exceeds(s, more, now)) {
            self.eject(service, endpoint, Reason::ErrorShare, now);
        }
    }

    fn sign(&self, outcome: Outcome, micros: u64) -> Sign {
        let bad = |counts: bool| if counts { Sign::Bad(Reason::Failures) } else { Sign::None };
        match outcome {
            Outcome::Answered(status) => {
                let bit = status.checked_sub(500).and_then(|n| 1u128.checked_shl(u32::from(n)));
                let is_bad = bit.is_some_and(|bit| self.statuses & bit != 0);
                if is_bad || micros > self.slower_than { Sign::Bad(Reason::Failures) } else { Sign::Good }
            }
            Outcome::Connected => Sign::Good,
            Outcome::Failed(Failure::ConnectFailed | Failure::ConnectTimeout | Failure::ServiceTlsFailed) => {
                Sign::Bad(Reason::Connecting)
            }
            // It said itself that it goes, and that nothing is wrong.
            Outcome::Failed(Failure::ServiceRefused) => Sign::None,
            Outcome::Failed(failure) => bad(!self.only_connecting && failure.blame() == Blame::Service),
        }
    }

    fn eject(&self, service: &Service, endpoint: &Endpoint, reason: Reason, now: u64) {
        let health = &endpoint.state.health;
        let is_again = health.has(EJECTED);
        if is_again && !health.has(TRIAL) {
            return;
        }
        let allowed = self.allowed(service.endpoints.len());
        if !is_again && (ejected(service) >= allowed || !health.raise(EJECTED, now)) {
            return;
        }
        // Of those that several workers eject at the same moment, the last sees all.
        if !is_again && ejected(service) > allowed {
            health.clear(EJECTED, now);
            return;
        }
        let length = health.next_length(self, is_again, now);
        health.reason.store(reason as u8, Ordering::Relaxed);
        health.until.store(now.saturating_add(length), Ordering::Release);
        health.flags.fetch_and(!TRIAL, Ordering::AcqRel);
        health.count_anew();
        if !is_again {
            let (service, endpoint) = (&service.name, &endpoint.authority);
            let seconds = length / 1_000_000;
            tracing::warn!(%service, %endpoint, reason = reason.as_str(), seconds, "an endpoint is ejected");
        }
    }

    /// How many of so many endpoints may be ejected at once.
    fn allowed(&self, endpoints: usize) -> usize {
        let share = (endpoints as f64 * self.at_most) as usize;
        if endpoints > 1 && self.at_most > 0.0 { share.max(1) } else { share }
    }
}

/// How many endpoints of a service are ejected.
fn ejected(service: &Service) -> usize {
    service.endpoints.iter().filter(|e| e.state.health.has(EJECTED)).count()
}

impl Health {
    /// Twice as long as last time, unless it has been well for as long as that since.
    fn next_length(&self, eject: &Eject, is_again: bool, now: u64) -> u64 {
        let last = self.last_length.load(Ordering::Relaxed);
        let well_for = now.saturating_sub(self.until.load(Ordering::Relaxed));
        let is_first = last == 0 || (!is_again && well_for > last.saturating_mul(2));
        let length = if is_first { eject.length } else { last.saturating_mul(2).min(eject.longest) };
        self.last_length.store(length, Ordering::Relaxed);
        length
    }

    /// Counts; true when too many of the answers in the window are failures.
    fn exceeds(&self, limit: ErrorShare, Counted { answers, errors }: Counted, now: u64) -> bool {
        let began = self.window.load(Ordering::Relaxed);
        if began == 0 || now.saturating_sub(began) > limit.within {
            // Several may begin a window; a few counts more or less do not matter.
            self.window.store(now, Ordering::Relaxed);
            self.answers.store(answers, Ordering::Relaxed);
            self.errors.store(errors, Ordering::Relaxed);
            return false;
        }
        let errors = self.errors.fetch_add(errors, Ordering::Relaxed).saturating_add(errors);
        let answers = self.answers.fetch_add(answers, Ordering::Relaxed).saturating_add(answers);
        answers >= limit.of && f64::from(errors) >= f64::from(answers) * limit.share
    }
}
