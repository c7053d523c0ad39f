//! What is known of where a service is.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::Instance;

/// What is known of where a service is.
#[derive(Clone, Debug)]
pub struct Known {
    /// Who is asked, as written.
    pub from: Box<str>,
    /// The set that serves: the last good one. `None` until there is one.
    pub set: Option<Arc<[Instance]>>,
    /// When a source last said that it is so.
    pub confirmed: Option<SystemTime>,
    /// It is what was known when the gateway last ran; nobody has confirmed it since.
    pub is_from_cache: bool,
    /// It is what another source said, who is asked no more.
    pub is_from_another: bool,
    /// Why the last question had no answer.
    pub trouble: Option<Trouble>,
    /// When the source will be asked again.
    pub next: Option<Instant>,
    /// An answer that does not serve yet.
    pub held: Option<Held>,
    /// Since when it is asked for.
    pub since: Instant,
    /// Good answers.
    pub answers: u64,
    /// Failures.
    pub failures: u64,
    /// Changes of the set.
    pub changes: u64,
}

/// Why a question had no answer.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// Why, for people.
    pub why: Box<str>,
    /// Since when there was no answer.
    pub since: Instant,
    /// How often, since then.
    pub times: u32,
}

/// An answer that is held, because far less is in it than before.
#[derive(Clone, Debug)]
pub struct Held {
    /// The answer.
    pub set: Arc<[Instance]>,
    /// How many endpoints there were before.
    pub of: usize,
    /// Since when it is held.
    pub since: Instant,
    /// How many answers in a row said so.
    pub agreed: u32,
}

impl Known {
    /// Nothing, of somebody who is asked from now on.
    pub fn nothing(from: Box<str>) -> Self {
        Self {
            from,
            set: None,
            confirmed: None,
            is_from_cache: false,
            is_from_another: false,
            trouble: None,
            next: None,
            held: None,
            since: Instant::now(),
            answers: 0,
            failures: 0,
            changes: 0,
        }
    }

    /// How long ago a source last said that it is so, in seconds.
    pub fn age(&self) -> Option<f64> {
        // The clock may have been set back.
        Some(SystemTime::now().duration_since(self.confirmed?).map_or(0.0, |d| d.as_secs_f64()))
    }
}
