//! Whether an endpoint is well: what active checks say, and what happens to requests there. Numbers that every thread reads and
//! that outlive generations; nobody waits for anybody.
//!
//! An endpoint is available when its last checks passed and it is not ejected. Ejection (`health/eject.rs`) ends by trial: once
//! its time is over one request a second goes there, and the first that succeeds brings it back.

mod eject;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

pub(crate) use eject::Outcome;
pub use eject::{Eject, ErrorShare};

use crate::Failure;
use crate::endpoint::Endpoint;
use crate::service::Service;
use crate::worker::Live;

/// Active checks say that it is not well.
const DOWN: u8 = 1;
/// Requests failed there; it gets none for a while.
const EJECTED: u8 = 2;
/// It is ejected, and a request is under way to see whether it is well again.
const TRIAL: u8 = 4;

/// Between two trials of one endpoint, in microseconds.
const BETWEEN_TRIALS: u64 = 1_000_000;

/// What all endpoints of a service share over generations.
#[derive(Debug, Default)]
pub struct ServiceHealth {
    /// Counts how often an endpoint became available or ceased to be, so that readers know when to count anew.
    changes: AtomicU32,
}

impl ServiceHealth {
    pub(crate) fn changes(&self) -> u32 {
        self.changes.load(Ordering::Acquire)
    }

    fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }
}

/// Why an endpoint gets no requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its active checks fail.
    Check,
    /// Too many failures one after the other to connect to it.
    Connecting,
    /// Too many failures one after the other.
    Failures,
    /// Too large a share of its answers are failures.
    ErrorShare,
}

impl Reason {
    /// The stable word for it, in logs and the admin API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Connecting => "connecting",
            Self::Failures => "failures",
            Self::ErrorShare => "error-share",
        }
    }

    fn of(number: u8) -> Self {
        match number {
            1 => Self::Connecting,
            2 => Self::Failures,
            3 => Self::ErrorShare,
            _ => Self::Check,
        }
    }
}

/// How an endpoint is.
#[derive(Debug, Default)]
pub struct Health {
    flags: AtomicU8,
    /// Active checks have begun.
    is_checked: AtomicBool,
    /// Why it was ejected, as a number.
    reason: AtomicU8,
    /// When it last became available or ceased to be, in microseconds as [`crate::moment::micros`]; 0 for always.
    since: AtomicU64,
    /// Until when it is ejected; while there is a trial, when the next may start.
    until: AtomicU64,
    /// How long it was ejected last, in microseconds; 0 when it has been well for long.
    last_length: AtomicU64,
    /// Failures one after the other.
    row: AtomicU32,
    /// Answers one after the other that began well and broke off.
    broken: AtomicU32,
    /// When the window of the error share began, and what was counted in it.
    window: AtomicU64,
    answers: AtomicU32,
    errors: AtomicU32,
    service: Arc<ServiceHealth>,
}

impl Health {
    /// Of an endpoint that came at this moment.
    pub fn new(service: Arc<ServiceHealth>, now: u64) -> Self {
        Self { since: AtomicU64::new(now), service, ..Self::default() }
    }

    /// The endpoint did not come just now: it was there before anybody looked.
    pub fn settle(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// True when requests may go there without second thoughts.
    pub fn is_available(&self) -> bool {
        self.flags.load(Ordering::Relaxed) == 0
    }

    /// True when active checks say that it is not well.
    pub fn is_down(&self) -> bool {
        self.has(DOWN)
    }

    /// Until when no request goes there, if it is ejected.
    pub fn ejected_until(&self) -> Option<u64> {
        self.has(EJECTED).then(|| self.until.load(Ordering::Relaxed))
    }

    /// Why it gets no requests, if it gets none.
    pub fn reason(&self) -> Option<Reason> {
        match self.flags.load(Ordering::Relaxed) {
            0 => None,
            flags if flags & DOWN != 0 => Some(Reason::Check),
            _ => Some(Reason::of(self.reason.load(Ordering::Relaxed))),
        }
    }

    /// When it last became available or ceased to be, in microseconds as [`crate::moment::micros`]; 0 for always.
    pub fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    /// True while there are active checks.
    pub fn is_checked(&self) -> bool {
        self.is_checked.load(Ordering::Acquire)
    }

    /// Active checks begin. False when they had begun before, maybe in another generation.
    pub fn begins_checks(&self) -> bool {
        !self.is_checked.swap(true, Ordering::AcqRel)
    }

    /// Active checks have ended: nobody can say any more that it is not well. Requests will.
    pub fn ends_checks(&self, now: u64) {
        self.is_checked.store(false, Ordering::Release);
        self.clear(DOWN, now);
    }

    /// What active checks say from now on. True when that is news.
    pub fn set_checked(&self, is_well: bool, now: u64) -> bool {
        match is_well {
            true => self.clear(DOWN, now),
            false => self.raise(DOWN, now),
        }
    }

    /// Checks that connect pass: what was ejected because nobody could connect may come back. True when it does.
    pub fn note_checks_pass(&self, now: u64) -> bool {
        let waits = self.has(EJECTED) && self.reason() == Some(Reason::Connecting);
        waits && self.come_back(now)
    }

    /// True when a request may go there: it is available, or the request is the trial that an ejected endpoint waits for.
    pub(crate) fn takes(&self, now: u64) -> bool {
        match self.flags.load(Ordering::Relaxed) {
            0 => true,
            flags if flags & DOWN != 0 => false,
            _ => self.begins_trial(now),
        }
    }

    /// True for the one who may see now whether an ejected endpoint is well again.
    pub(crate) fn begins_trial(&self, now: u64) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        if now < until || !self.has(EJECTED) {
            return false;
        }
        let next = now.saturating_add(BETWEEN_TRIALS);
        let is_ours = self.until.compare_exchange(until, next, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if is_ours {
            self.flags.fetch_or(TRIAL, Ordering::AcqRel);
        }
        is_ours
    }

    fn come_back(&self, now: u64) -> bool {
        self.count_anew();
        self.flags.fetch_and(!TRIAL, Ordering::AcqRel);
        self.clear(EJECTED, now)
    }

    /// An answer came to its end.
    pub(crate) fn note_whole(&self) {
        // Most do: a number that is 0 already is only read, so that workers share it.
        if self.broken.load(Ordering::Relaxed) != 0 {
            self.broken.store(0, Ordering::Relaxed);
        }
    }

    /// What was counted before counts no more.
    fn count_anew(&self) {
        self.row.store(0, Ordering::Relaxed);
        self.broken.store(0, Ordering::Relaxed);
        self.window.store(0, Ordering::Relaxed);
    }

    fn has(&self, flag: u8) -> bool {
        self.flags.load(Ordering::Relaxed) & flag != 0
    }

    fn raise(&self, flag: u8, now: u64) -> bool {
        let is_news = self.flags.fetch_or(flag, Ordering::AcqRel) & flag == 0;
        if is_news {
            self.note_change(now);
        }
        is_news
    }

    fn clear(&self, flag: u8, now: u64) -> bool {
        let is_news = self.flags.fetch_and(!flag, Ordering::AcqRel) & flag != 0;
        if is_news {
            self.note_change(now);
        }
        is_news
    }

    fn note_change(&self, now: u64) {
        self.since.store(now, Ordering::Relaxed);
        self.service.note_change();
    }
}

impl Service {
    /// Takes in how an attempt went: for ejection, and for methods that go by latency.
    pub(crate) fn observe(&self, live: &Live, endpoint: &Endpoint, outcome: Outcome, micros: u64) {
        self.observe_at(live.moment(), live.worker_index(), endpoint, outcome, micros);
    }

    pub(crate) fn observe_at(
        &self,
        now: u64,
        worker: usize,
        endpoint: &Endpoint,
        outcome: Outcome,
        micros: u64,
    ) {
        let state = &endpoint.state;
        if let Some(seen) = state.answers.of(worker) {
            seen.count.add(1);
            seen.micros.add(micros);
            seen.failures.add(u64::from(!outcome.is_success()));
        }
        // What failed quickly is not quick.
        if outcome.tells_latency() {
            state.latency.observe(micros, now);
        }
        if let Some(eject) = self.balance.eject() {
            eject.observe(self, endpoint, outcome, micros, now);
        }
    }

    /// An answer whose head was taken for a success broke off.
    pub(crate) fn note_broken(&self, now: u64, worker: usize, endpoint: &Endpoint, failure: Failure) {
        if let Some(seen) = endpoint.state.answers.of(worker) {
            seen.failures.add(1);
        }
        if let Some(eject) = self.balance.eject() {
            eject.note_broken(self, endpoint, failure, now);
        }
    }
}
