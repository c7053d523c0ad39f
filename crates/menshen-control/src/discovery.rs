//! Where the endpoints of services are, as registries, DNS and files say it.
//!
//! ```text
//! source ─► findings ─► follower ─► known ─► compile ─► workers
//!                        │    ▲
//!                     probes cache
//! ```
//!
//! A source only asks. What an answer is worth is decided by one follower for all of them: the last good set stays whatever
//! fails, a set that shrinks suddenly is held, and what was known last time serves at a cold start.

mod cache;
pub mod client;
pub mod consul;
mod dns;
pub mod eureka;
mod file;
mod follower;
mod hold;
mod known;
pub mod listing;
mod probe;
mod resolver;
pub mod source;
mod sources;
pub mod trust;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::Ground;

pub use known::{Held, Known, Trouble};
use listing::{Listed, Registry};
pub(crate) use resolver::LookedUp;
pub use resolver::{Found, Resolver, Resolvers};
pub use source::{Answer, Finding, Findings, Instance, Source};
pub(crate) use wanted::lists;
pub use wanted::{Plan, Wanted};

/// Changes that come this close together are published together.
const BURST: Duration = Duration::from_millis(100);
/// How long a service without any answer may keep the gateway from being ready.
const PATIENCE: Duration = Duration::from_secs(5);
/// Publishing takes at most one part in so many of the time.
const REST: u32 = 4;

/// What is known of where services are; outlives generations.
#[derive(Debug, Default)]
pub struct Discovery {
    resolvers: Resolvers,
    plan: watch::Sender<Arc<Plan>>,
    known: Mutex<BTreeMap<Box<str>, Known>>,
    /// What registries list.
    listed: Mutex<BTreeMap<Registry, Listed>>,
    changed: Mutex<Changed>,
    notice: Notify,
    /// How long publishing took last.
    took: Mutex<Duration>,
}

/// What has changed since it was published.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Services whose sets have changed.
    services: BTreeSet<Box<str>>,
    /// Addresses of host names, which any service may have.
    names: bool,
    /// Lists of services that routes are made of.
    lists: bool,
}

impl Changed {
    pub(crate) fn is_nothing(&self) -> bool {
        !self.names && !self.lists && self.services.is_empty()
    }

    /// True when routes come or go.
    pub(crate) fn concerns_routes(&self) -> bool {
        self.lists
    }

    pub(crate) fn concerns(&self, service: &str) -> bool {
        self.names || self.services.contains(service)
    }
}

impl Discovery {
    /// Who asks DNS, as the configuration that is served says.
    ///
    /// # Errors
    /// What is wrong with the settings of the system, for people.
    pub fn resolver(&self) -> Result<Resolver, String> {
        let registries = self.plan.borrow().registries.clone();
        self.resolvers.resolver(&registries.dns)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last good set of a service.
    pub fn set(&self, service: &str) -> Option<Arc<[Instance]>> {
        self.lock().get(service)?.set.clone()
    }

    /// All that is known, by service.
    pub fn all(&self) -> BTreeMap<Box<str>, Known> {
        self.lock().clone()
    }

    /// Services that nobody has said anything about yet, while it is worth waiting for, and registries that have not said which there are.
    pub fn awaited(&self) -> Vec<Box<str>> {
        let (known, listed) = (self.lock(), self.lock_listed());
        let services = known
            .iter()
            .filter(|(_, k)| k.set.is_none() && k.since.elapsed() < PATIENCE)
            .map(|(n, _)| n.clone());
        let lists = listed
            .iter()
            .filter(|(_, l)| l.names.is_none() && l.since.elapsed() < PATIENCE)
            .map(|(registry, _)| format!("all services of {registry}").into());
        services.chain(lists).collect()
    }

    /// Makes ready for a plan: of services that are new what was known last time is looked up.
    pub(crate) fn prepare(&self, plan: &Plan) {
        for (service, wanted) in &plan.services {
            if self.lock().contains_key(service) {
                continue;
            }
            let known = cache::read(&plan.folder, service, wanted);
            self.lock().insert(service.clone(), known);
        }
    }

    /// This is what is asked for from now on.
    pub(crate) fn set_plan(&self, plan: &Arc<Plan>) {
        self.lock().retain(|service, _| plan.services.contains_key(service));
        self.want_lists(&plan.lists);
        self.plan.send_if_modified(|now| {
            let is_other = **now != **plan;
            *now = plan.clone();
            is_other
        });
    }

    fn update<T>(&self, service: &str, change: impl FnOnce(&mut Known) -> T) -> Option<T> {
        self.lock().get_mut(service).map(change)
    }

    /// The set of a service has changed.
    fn has_changed(&self, service: &str) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).services.insert(service.into());
        self.notice.notify_one();
    }

    fn lock_listed(&self) -> MutexGuard<'_, BTreeMap<Registry, Listed>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A list of services has changed.
    fn list_has_changed(&self) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).lists = true;
        self.notice.notify_one();
    }

    /// Addresses of host names have changed.
    pub(crate) fn names_have_changed(&self) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).names = true;
        self.notice.notify_one();
    }

    /// What has changed since this was asked last.
    pub(crate) fn take_changed(&self) -> Changed {
        std::mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long publishing what has changed took.
    pub(crate) fn note_publication(&self, took: Duration) {
        *self.took.lock().unwrap_or_else(PoisonError::into_inner) = took;
    }

    fn rest(&self) -> Duration {
        REST * *self.took.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks whom the configuration names that is served, until nobody publishes any more. Whoever publishes is told when a set has
/// changed.
pub async fn run(ground: Arc<Ground>, changes: mpsc::Sender<()>) {
    let discovery = &ground.discovery;
    let mut plans = discovery.plan.subscribe();
    let mut followed: BTreeMap<Box<str>, (Wanted, JoinSet<()>)> = BTreeMap::new();
    let mut lists: BTreeMap<Registry, (listing::Wanted, JoinSet<()>)> = BTreeMap::new();
    loop {
        let plan = plans.borrow_and_update().clone();
        // Who is dropped here stops.
        followed.retain(|service, (wanted, _)| plan.services.get(service) == Some(wanted));
        for (service, wanted) in &plan.services {
            followed.entry(service.clone()).or_insert_with(|| {
                let mut task = JoinSet::new();
                let follower = follower::Follower::new(service, wanted, &plan.folder, &ground);
                task.spawn(follower.run());
                (wanted.clone(), task)
            });
        }
        lists.retain(|registry, (wanted, _)| plan.lists.get(registry) == Some(wanted));
        for (registry, wanted) in &plan.lists {
            lists.entry(*registry).or_insert_with(|| {
                let mut task = JoinSet::new();
                task.spawn(listing::follow(*registry, wanted.clone(), ground.clone()));
                (wanted.clone(), task)
            });
        }
        loop {
            tokio::select! {
                changed = plans.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                () = discovery.notice.notified() => {
                    tokio::time::sleep(BURST).await;
                    if changes.send(()).await.is_err() {
                        return;
                    }
                    // A large set that changes all the time must not keep control from its other work.
                    tokio::time::sleep(discovery.rest().min(Duration::from_secs(5))).await;
                }
                () = changes.closed() => return,
            }
        }
    }
}

/// How long is waited after so many failures in a row: a second and more, up to half a minute, never quite the same.
pub(crate) fn back_off(failures: u32) -> Duration {
    jittered(Duration::from_secs(1 << failures.saturating_sub(1).min(5)).min(Duration::from_secs(30)))
}

/// Up to a tenth less, so that many who wait do not come back at once.
pub(crate) fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(1.0 - 0.1 * fastrand::f64())
}
