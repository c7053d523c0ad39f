//! The check of one endpoint, again and again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use menshen_proxy::{Endpoint, moment};
use tokio::sync::Semaphore;

use super::exchange;

/// How endpoints of a service are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is asked.
    pub question: Question,
    /// The host that is asked for, if it is another than the endpoint.
    pub host: Option<Box<str>>,
    /// Another port than that of the endpoint.
    pub port: Option<u16>,
    /// How often.
    pub every: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// How many in a row must pass until an endpoint is well again.
    pub rise: u32,
    /// How many in a row must fail until an endpoint is not well.
    pub fall: u32,
    /// The statuses that pass, from and to.
    pub expect: Box<[(u16, u16)]>,
    /// An endpoint gets requests before its first check.
    pub starts_well: bool,
}

/// What an endpoint is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Nothing: it is enough that somebody listens.
    Nothing,
    /// This path.
    Path(Box<str>),
    /// grpc.health.v1, about this service of gRPC; about the server as a whole if the name is empty.
    Grpc(Box<str>),
}

impl Check {
    /// The shortest time between two checks.
    pub(crate) const SHORTEST: Duration = Duration::from_millis(100);

    /// Each time up to a tenth earlier or later.
    fn pause(&self) -> Duration {
        self.every.max(Self::SHORTEST).mul_f64(0.9 + 0.2 * fastrand::f64())
    }

    /// True when this status passes.
    pub(super) fn passes(&self, status: u16) -> bool {
        self.expect.iter().any(|(from, to)| (*from..=*to).contains(&status))
    }
}

pub(super) fn now() -> u64 {
    moment::micros(Instant::now())
}

/// Checks an endpoint until it is dropped.
pub(super) async fn run(service: Box<str>, check: Arc<Check>, endpoint: Arc<Endpoint>, room: Arc<Semaphore>) {
    let health = &endpoint.state.health;
    // An endpoint that is known already stays what it is until its checks say otherwise.
    let is_new = health.begins_checks();
    if !is_new {
        // After a reload not all are asked in the same moment.
        tokio::time::sleep(check.every.mul_f64(fastrand::f64())).await;
    }
    let mut tally = Tally { passed: 0, failed: 0, is_first: is_new };
    loop {
        let outcome = {
            // It is never closed.
            let _turn = room.acquire().await;
            match tokio::time::timeout(check.timeout, exchange::ask(&check, &endpoint)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(format!("no answer within {:?}", check.timeout)),
            }
        };
        tally.note(&service, &check, &endpoint, outcome);
        tokio::time::sleep(check.pause()).await;
    }
}

/// Checks in a row.
struct Tally {
    passed: u32,
    failed: u32,
    /// Nobody has been asked yet.
    is_first: bool,
}

impl Tally {
    fn note(&mut self, service: &str, check: &Check, endpoint: &Endpoint, outcome: Result<(), String>) {
        let health = &endpoint.state.health;
        let is_first = std::mem::take(&mut self.is_first);
        let authority = &endpoint.authority;
        match outcome {
            Ok(()) => {
                (self.passed, self.failed) = (self.passed.saturating_add(1), 0);
                // Of one that only waits for its first check, one is enough.
                let is_enough = self.passed >= check.rise || (is_first && !check.starts_well);
                if is_enough && health.set_checked(true, now()) {
                    tracing::info!(%service, endpoint = %authority, "an endpoint is well");
                }
                if self.passed >= check.rise && health.note_checks_pass(now()) {
                    tracing::info!(%service, endpoint = %authority, "an endpoint is back: its checks pass");
                }
            }
            Err(why) => {
                (self.passed, self.failed) = (0, self.failed.saturating_add(1));
                if self.failed >= check.fall && health.set_checked(false, now()) {
                    tracing::warn!(%service, endpoint = %authority, why, "an endpoint is not well");
                }
            }
        }
    }
}
