//! A registry that is fetched once for all services that are found in it.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::applications::Applications;
use super::call::Caller;
use super::fetch::{Deltas, Fetcher};
use super::servers::{Server, Servers};
use crate::discovery::client::Client;

/// How long is waited after the first failure; twice as long after each more, up to the interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// How a registry is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Its servers.
    pub servers: Vec<Server>,
    /// The own zone, whose servers are asked first.
    pub zone: Option<Box<str>>,
    /// Regions whose instances are wanted beside those of the servers' own.
    pub regions: Vec<Box<str>>,
    /// How often it is fetched.
    pub interval: Duration,
    /// How long one call to one server may take.
    pub within: Duration,
    /// Whether deltas are used.
    pub deltas: Deltas,
    /// The fingerprint of the roots that its servers are believed by: others make it another registry.
    pub trust: u64,
}

/// What was found by one attempt.
#[derive(Clone, Debug)]
pub struct Found {
    /// All instances, or why they could not be had.
    pub known: Result<Arc<Applications>, Arc<str>>,
    /// In how long there will be more.
    pub again_in: Duration,
}

/// A registry. It is fetched while somebody follows it.
#[derive(Debug)]
pub struct Registry {
    settings: Settings,
    caller: Caller,
    running: Mutex<Weak<Running>>,
}

/// The task that fetches, which ends with the last follower.
#[derive(Debug)]
struct Running {
    found: watch::Receiver<Option<Found>>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Somebody who wants to know what is found.
#[derive(Debug)]
pub struct Follower {
    running: Arc<Running>,
    found: watch::Receiver<Option<Found>>,
}

impl Registry {
    /// One that is not fetched yet.
    pub fn new(settings: Settings, client: Client) -> Self {
        let servers = Servers::new(settings.servers.clone(), settings.zone.clone());
        let caller = Caller::new(client, servers, settings.within);
        Self { settings, caller, running: Mutex::default() }
    }

    /// How it is asked.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The way to it.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Follows it from now on; the first who does has it fetched. To be called on the control runtime.
    pub fn follow(&self) -> Follower {
        let mut weak = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let running = weak.upgrade().unwrap_or_else(|| {
            let (tell, found) = watch::channel(None);
            let fetcher = Fetcher::new(self.caller.clone(), &self.settings.regions, self.settings.deltas);
            let task = tokio::spawn(fetch_on(fetcher, self.settings.interval, tell));
            let running = Arc::new(Running { found, task });
            *weak = Arc::downgrade(&running);
            running
        });
        // All that is there is new to a new follower.
        let mut found = running.found.clone();
        found.mark_changed();
        Follower { running, found }
    }
}

impl Follower {
    /// The next thing that is found; what came between is left out.
    pub async fn next(&mut self) -> Found {
        loop {
            // The sender lives in the task, which this follower keeps.
            if self.found.changed().await.is_err() {
                debug_assert!(self.running.task.is_finished());
                std::future::pending::<()>().await;
            }
            if let Some(found) = self.found.borrow_and_update().clone() {
                return found;
            }
        }
    }
}

async fn fetch_on(mut fetcher: Fetcher, interval: Duration, tell: watch::Sender<Option<Found>>) {
    let mut failures = 0;
    loop {
        let known = fetcher.fetch().await.map_err(Arc::from);
        failures = if known.is_ok() { 0 } else { failures + 1 };
        let again_in = pause(interval, failures);
        tell.send_replace(Some(Found { known, again_in }));
        tokio::time::sleep(again_in).await;
    }
}

/// How long until the next attempt: the interval, less after a failure so that what is out of date does not stay so; a tenth
/// more or less, so that many gateways do not ask at the same moment.
pub fn pause(interval: Duration, failures: u32) -> Duration {
    let base = match failures {
        0 => interval,
        n => interval.min(FIRST_RETRY.saturating_mul(1 << (n - 1).min(16))),
    };
    base.mul_f64(0.9 + 0.2 * fastrand::f64())
}
