//! Active checks: every endpoint of a service with `health` is asked from time to time, and what comes of it is written where
//! workers read it. All of it runs on the control thread.

mod check;
mod exchange;
mod grpc;
mod standing;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use menshen_proxy::{Endpoint, Service};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

pub use check::{Check, Question};
pub use standing::{EndpointStanding, ServiceStanding, Word};

/// Checks under way at once over all services.
const AT_ONCE: usize = 256;
/// How often what goes by averages is reckoned anew.
const REFRESH: Duration = Duration::from_secs(1);

/// A service that is served, and how its endpoints are checked.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) service: Arc<Service>,
    pub(crate) check: Option<Arc<Check>>,
}

/// The services that are looked after; outlives generations.
#[derive(Default)]
pub struct Health {
    served: watch::Sender<Arc<[Watched]>>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Health").field("services", &self.served.borrow().len()).finish()
    }
}

impl Health {
    /// These are served from now on. Those that must pass a check first are not well before anybody can send to them.
    pub(crate) fn watch(&self, services: Arc<[Watched]>) {
        for watched in services.iter().filter(|w| w.check.as_ref().is_some_and(|c| !c.starts_well)) {
            let states = watched.service.endpoints.iter().map(|e| &e.state.health);
            states.filter(|h| !h.is_checked()).for_each(|h| {
                h.set_checked(false, check::now());
            });
        }
        self.served.send_replace(services);
    }

    /// How all endpoints of all services are.
    pub fn standings(&self) -> Vec<ServiceStanding> {
        self.served.borrow().iter().map(|w| ServiceStanding::of(&w.service)).collect()
    }
}

/// Checks endpoints until it is dropped.
pub async fn run(ground: Arc<crate::Ground>) {
    let mut served = ground.health.served.subscribe();
    let mut checks = Checks { running: HashMap::new(), room: Arc::new(Semaphore::new(AT_ONCE)) };
    let mut refresh = tokio::time::interval(REFRESH);
    refresh.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        let now = served.borrow_and_update().clone();
        checks.be(&now);
        loop {
            tokio::select! {
                changed = served.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                _ = refresh.tick() => now.iter().for_each(|w| w.service.balance.refresh()),
            }
        }
    }
}

/// The checks that run, by endpoint.
struct Checks {
    running: HashMap<u32, (Arc<Check>, Arc<Endpoint>, JoinHandle<()>)>,
    room: Arc<Semaphore>,
}

impl Checks {
    /// Starts what is new, stops what is not wanted any more, and leaves the rest alone.
    fn be(&mut self, wanted: &[Watched]) {
        let mut before = std::mem::take(&mut self.running);
        for watched in wanted {
            let Some(check) = &watched.check else { continue };
            for endpoint in watched.service.endpoints.iter() {
                let kept = before.remove(&endpoint.id).filter(|(c, ..)| {
                    // A check that says something else begins anew.
                    **c == **check
                });
                let running = kept.unwrap_or_else(|| self.start(watched, check, endpoint));
                if let Some((.., task)) = self.running.insert(endpoint.id, running) {
                    task.abort();
                }
            }
        }
        for (_, endpoint, task) in before.into_values() {
            task.abort();
            // Somebody who is asked by nobody is taken for well, unless another check says otherwise at once.
            let is_checked = self.running.values().any(|(_, e, _)| Arc::ptr_eq(&e.state, &endpoint.state));
            if !is_checked {
                endpoint.state.health.ends_checks(check::now());
            }
        }
    }

    fn start(
        &self,
        watched: &Watched,
        check: &Arc<Check>,
        endpoint: &Arc<Endpoint>,
    ) -> (Arc<Check>, Arc<Endpoint>, JoinHandle<()>) {
        let (name, room) = (watched.service.name.clone(), self.room.clone());
        let task = tokio::spawn(check::run(name, check.clone(), endpoint.clone(), room));
        (check.clone(), endpoint.clone(), task)
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        self.running.values().for_each(|(.., task)| task.abort());
    }
}
