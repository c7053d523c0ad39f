//! The services that are served, as they are shown: where each endpoint is known from, and how it does.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use menshen_proxy::{Endpoint, Service};
use rustc_hash::{FxBuildHasher, FxHashSet};
use serde::Serialize;

use crate::discovery::{Instance, Known};
use crate::health::EndpointStanding;
use crate::publish::Shared;

/// How many endpoints of a service are shown where all services are.
const SHOWN: usize = 1000;

/// The services of the generation that is served.
#[derive(Default)]
pub struct Serving(Mutex<Arc<[Arc<Service>]>>);

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list().iter().map(|s| &s.name)).finish()
    }
}

impl Serving {
    /// The services.
    pub fn list(&self) -> Arc<[Arc<Service>]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// These are served from now on. Endpoints that are not among them have left.
    pub(crate) fn replace(&self, after: Arc<[Arc<Service>]>) {
        let before =
            std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), after.clone());
        tell_who_left(&before, &after);
    }
}

/// Services that are the same in both are not looked at.
fn tell_who_left(before: &[Arc<Service>], after: &[Arc<Service>]) {
    let same: FxHashSet<_> = before.iter().map(Arc::as_ptr).collect();
    let changed = after.iter().filter(|s| !same.contains(&Arc::as_ptr(s)));
    let here: FxHashSet<u32> = changed.flat_map(|s| s.endpoints.iter().map(|e| e.id)).collect();
    let same: FxHashSet<_> = after.iter().map(Arc::as_ptr).collect();
    for service in before.iter().filter(|s| !same.contains(&Arc::as_ptr(s))) {
        service.endpoints.iter().filter(|e| !here.contains(&e.id)).for_each(|e| e.presence.leave());
    }
    after
        .iter()
        .flat_map(|s| &s.endpoints)
        .filter(|e| e.presence.has_left())
        .for_each(|e| e.presence.enter());
}

/// A service as it is shown. Times are in seconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceView {
    /// Its name.
    pub name: Box<str>,
    /// Who says where it is: `fixed`, or as written, such as `dns:users.internal:80`.
    pub source: Box<str>,
    /// How it goes with the source: `fixed`, `good`, `waiting` for the first answer, `failing`, `held` for a sudden drop,
    /// `cached` when nobody has confirmed what was known at the last run.
    pub state: &'static str,
    /// How long ago the source last said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<f64>,
    /// In how long the source is asked again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_refresh: Option<f64>,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<str>>,
    /// For how long there has been none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_for: Option<f64>,
    /// An answer that does not serve yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldView>,
    /// Its circuit breaker: `closed` lets requests pass, `open` and `half-open` do not. None if it has no breaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit: Option<&'static str>,
    /// Requests sent there.
    pub attempts: u64,
    /// Those that failed.
    pub failures: u64,
    /// How many endpoints there are.
    pub endpoint_count: usize,
    /// The endpoints; of many the first thousand, unless one service is asked for.
    pub endpoints: Vec<EndpointView>,
}

/// An answer that is held.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HeldView {
    /// How many endpoints are in it.
    pub left: usize,
    /// How many there were.
    pub of: usize,
    /// For how long it is held.
    pub held_for: f64,
    /// How many answers in a row said so.
    pub agreed: u32,
}

/// An endpoint as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EndpointView {
    /// Its name at the source, where that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Box<str>>,
    /// Where it is and how it does.
    #[serde(flatten)]
    pub standing: EndpointStanding,
}

/// All services, or the one of this name.
pub fn view(shared: &Shared, only: Option<&str>) -> Vec<ServiceView> {
    let known = shared.ground.discovery.all();
    let services = shared.services.list();
    let meant = services.iter().filter(|s| only.is_none_or(|name| *s.name == *name));
    let shown = if only.is_some() { usize::MAX } else { SHOWN };
    meant.map(|s| service(s, known.get(&s.name), shown)).collect()
}

fn service(service: &Service, known: Option<&Known>, shown: usize) -> ServiceView {
    let instances: HashMap<String, &Instance, FxBuildHasher> = known
        .and_then(|k| k.set.as_deref())
        .map(|set| set.iter().map(|i| (i.address.to_string(), i)).collect())
        .unwrap_or_default();
    let held = known.and_then(|k| k.held.as_ref()).map(|h| HeldView {
        left: h.set.len(),
        of: h.of,
        held_for: h.since.elapsed().as_secs_f64(),
        agreed: h.agreed,
    });
    let trouble = known.and_then(|k| k.trouble.as_ref());
    ServiceView {
        name: service.name.clone(),
        source: known.map_or("fixed".into(), |k| k.from.clone()),
        state: known.map_or("fixed", state),
        age: known.and_then(Known::age),
        next_refresh: known
            .and_then(|k| k.next)
            .map(|at| at.saturating_duration_since(Instant::now()).as_secs_f64()),
        error: trouble.map(|t| t.why.clone()),
        failing_for: trouble.map(|t| t.since.elapsed().as_secs_f64()),
        held,
        circuit: service.breaker.as_ref().map(|_| service.state.circuit().as_str()),
        attempts: service.stats.sum(|c| &c.attempts),
        failures: service.stats.sum(|c| &c.failures),
        endpoint_count: service.endpoints.len(),
        endpoints: service.endpoints.iter().take(shown).map(|e| endpoint(e, &instances)).collect(),
    }
}

fn state(known: &Known) -> &'static str {
    match known {
        Known { set: None, trouble: None, .. } => "waiting",
        Known { trouble: Some(_), .. } => "failing",
        Known { held: Some(_), .. } => "held",
        Known { is_from_cache: true, .. } => "cached",
        _ => "good",
    }
}

fn endpoint(endpoint: &Endpoint, instances: &HashMap<String, &Instance, FxBuildHasher>) -> EndpointView {
    let standing = EndpointStanding::of(endpoint);
    let instance = instances.get(&standing.address).or_else(|| instances.get(&*endpoint.authority));
    EndpointView { id: instance.map(|i| i.id.clone()).filter(|id| **id != *standing.address), standing }
}
