//! How it goes with each certificate that is wanted, for people and for metrics.

use std::collections::BTreeMap;

use menshen_proxy::condition::UnixSeconds;
use serde_json::{Value, json};

use super::plan::Names;

/// How it goes with one certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// When the one that is there ends; nothing if there is none yet.
    pub expires: Option<UnixSeconds>,
    /// When the next one will be got.
    pub renews: Option<UnixSeconds>,
    /// Why the last attempt failed; nothing if it did not.
    pub problem: Option<String>,
    /// Attempts in a row that failed.
    pub failures: u32,
    /// When the next attempt is made after a failure.
    pub next_try: Option<UnixSeconds>,
    /// That is when the authority has said so.
    pub asked_to_wait: bool,
    /// Certificates that were got since the start.
    pub got: u64,
    /// Attempts since the start that failed.
    pub failed: u64,
}

impl Standing {
    /// `pending`, `valid`, or `failing` in one word.
    pub fn state(&self) -> &'static str {
        match (&self.problem, self.expires) {
            (Some(_), _) => "failing",
            (None, Some(_)) => "valid",
            (None, None) => "pending",
        }
    }
}

/// How it goes.
#[derive(Debug, Default)]
pub struct Progress {
    /// The certificates that are wanted.
    pub standings: BTreeMap<Names, Standing>,
    /// What holds everything up, such as a store that cannot be read.
    pub problem: Option<String>,
    /// The node that gets certificates, if it is another one.
    pub leader: Option<Box<str>>,
}

impl Progress {
    /// For the admin listener; nothing where no certificates are wanted.
    pub fn to_json(&self) -> Option<Value> {
        if self.standings.is_empty() && self.problem.is_none() {
            return None;
        }
        let certificates: Vec<Value> = self
            .standings
            .iter()
            .map(|(names, s)| {
                json!({
                    "names": names.iter().collect::<Vec<_>>(), "state": s.state(),
                    "expires": s.expires.map(time), "renews": s.renews.map(time),
                    "problem": s.problem, "failures": s.failures, "next-try": s.next_try.map(time),
                })
            })
            .collect();
        Some(json!({ "problem": self.problem, "leader": self.leader, "certificates": certificates }))
    }
}

/// A moment as people write it (RFC 3339).
pub(super) fn time(at: UnixSeconds) -> String {
    jiff::Timestamp::from_second(at).map_or_else(|_| at.to_string(), |t| t.to_string())
}
