//! What outlives generations of the configuration: sockets, counters, switches, endpoints, state of filters.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use menshen_filters::Keep;
use menshen_proxy::chain::Switch;
use menshen_proxy::health::{Health, ServiceHealth};
use menshen_proxy::split::GroupStats;
use menshen_proxy::stats::{RouteStats, ServiceStats, StepStats, WorkerStats};
use menshen_proxy::tls::ServiceTls;
use menshen_proxy::{
    Endpoint, EndpointAddress, EndpointState, HttpVersion, ListenerAddress, Presence, ServiceState, Sockets,
    moment, proxy_protocol,
};
use rustc_hash::FxHashMap;

use crate::tickets::Tickets;

/// Things by key; those that nobody but this list holds any more are swept.
#[derive(Debug)]
pub struct Lasting<K, V> {
    things: Mutex<FxHashMap<K, Arc<V>>>,
}

impl<K, V> Default for Lasting<K, V> {
    fn default() -> Self {
        Self { things: Mutex::new(HashMap::default()) }
    }
}

impl<K: Eq + Hash, V> Lasting<K, V> {
    fn lock(&self) -> std::sync::MutexGuard<'_, FxHashMap<K, Arc<V>>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thing under this key, made now if there is none.
    pub fn get(&self, key: K, make: impl FnOnce() -> V) -> Arc<V> {
        self.lock().entry(key).or_insert_with(|| Arc::new(make())).clone()
    }

    /// The thing under this key if it is still `good`, else made now if that works.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn try_get<E>(
        &self,
        key: K,
        good: impl FnOnce(&V) -> bool,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, E> {
        let mut things = self.lock();
        if let Some(old) = things.get(&key).filter(|v| good(v)) {
            return Ok(old.clone());
        }
        let new = Arc::new(make()?);
        things.insert(key, new.clone());
        Ok(new)
    }

    /// All things with their keys.
    pub fn all(&self) -> Vec<(K, Arc<V>)>
    where
        K: Clone,
    {
        self.lock().iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// Forgets what nobody else holds.
    pub fn sweep(&self) {
        self.sweep_but(|_| false);
    }

    /// Forgets what nobody else holds, but for what is worth keeping.
    pub fn sweep_but(&self, is_kept: impl Fn(&V) -> bool) {
        self.lock().retain(|_, v| Arc::strong_count(v) > 1 || is_kept(v));
    }
}

/// What identifies an endpoint: how it is named, where it is, its weight, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointKey {
    /// The service that it is of.
    pub service: Box<str>,
    /// `host:port` or `unix:path` as configured.
    pub authority: Box<str>,
    /// Where to connect.
    pub address: EndpointAddress,
    /// Its share of the requests.
    pub weight: u16,
    /// 0 comes first.
    pub priority: u8,
    /// Where it is, for methods that go by zone.
    pub zone: Option<Box<str>>,
    /// Which HTTP it is spoken to in.
    pub version: HttpVersion,
    /// How it is told who the client is.
    pub introduction: Option<proxy_protocol::Version>,
    /// The fingerprint of how TLS is spoken with it.
    pub tls: Option<u64>,
}

/// What outlives generations.
#[derive(Debug)]
pub struct Ground {
    /// How many workers there are.
    pub workers: usize,
    /// State of filters.
    pub keep: Keep,
    /// Sockets by the address in the document.
    pub sockets: Lasting<ListenerAddress, Sockets>,
    /// Counters of routes by name.
    pub routes: Lasting<Box<str>, RouteStats>,
    /// Counters of groups by route and name.
    pub groups: Lasting<(Box<str>, Box<str>), GroupStats>,
    /// Shares of groups that grow by themselves.
    pub rollouts: crate::rollout::Rollouts,
    /// Counters of services by name.
    pub services: Lasting<Box<str>, ServiceStats>,
    /// What is known of services by experience, by name.
    pub service_states: Lasting<Box<str>, ServiceState>,
    /// Counters of filters by id.
    pub steps: Lasting<Box<str>, StepStats>,
    /// Run-time switches of filters by id.
    pub switches: Lasting<Box<str>, Switch>,
    /// Endpoints.
    pub endpoints: Lasting<EndpointKey, Endpoint>,
    /// What is known of endpoints by experience, by service, authority and address.
    pub states: Lasting<(Box<str>, Box<str>, EndpointAddress), EndpointState>,
    /// What the endpoints of a service share, by its name.
    pub service_health: Lasting<Box<str>, ServiceHealth>,
    /// Checks of endpoints.
    pub health: crate::health::Health,
    /// Keys of session tickets by TLS policy: a ticket from before a reload is still good after it.
    pub tickets: Lasting<u64, Tickets>,
    /// Whom services must be certified by and what is shown to them, by fingerprint; sessions with them live here.
    pub service_tls: Lasting<u64, rustls::ClientConfig>,
    /// Eureka registries by how they are asked: one is fetched once for all services.
    pub eurekas: Lasting<crate::discovery::eureka::Settings, crate::discovery::eureka::Registry>,
    /// How far this process is in its life, and the registration that the configuration wants.
    pub registering: crate::discovery::eureka::registration::Registering,
    /// Files that the configuration names.
    pub files: crate::files::Files,
    /// What outlives the process.
    pub store: crate::store::Opened,
    /// Certificates that are got.
    pub acme: crate::acme::Acme,
    /// Where services are, as others say it.
    pub discovery: crate::discovery::Discovery,
    /// Addresses of host names.
    pub names: crate::resolve::Names,
    /// Counters of the workers themselves.
    pub worker_stats: Arc<WorkerStats>,
    /// The name in Via where the document gives none: unique, so that loops through this process are seen.
    pub pseudonym: Box<str>,
    next_endpoint: std::sync::atomic::AtomicU32,
}

impl Ground {
    /// For this many workers.
    pub fn new(workers: usize) -> Self {
        Self {
            workers,
            keep: Keep::default(),
            sockets: Lasting::default(),
            routes: Lasting::default(),
            groups: Lasting::default(),
            rollouts: Default::default(),
            services: Lasting::default(),
            service_states: Lasting::default(),
            steps: Lasting::default(),
            switches: Lasting::default(),
            endpoints: Lasting::default(),
            states: Lasting::default(),
            service_health: Lasting::default(),
            health: crate::health::Health::default(),
            tickets: Lasting::default(),
            service_tls: Lasting::default(),
            eurekas: Lasting::default(),
            registering: Default::default(),
            files: crate::files::Files::default(),
            store: crate::store::Opened::default(),
            acme: crate::acme::Acme::default(),
            discovery: crate::discovery::Discovery::default(),
            names: crate::resolve::Names::default(),
            worker_stats: Arc::new(WorkerStats::new(workers)),
            pseudonym: format!("menshen-{:08x}", fastrand::u32(..)).into(),
            next_endpoint: std::sync::atomic::AtomicU32::new(1),
        }
    }

    /// With files counted from this folder.
    #[must_use]
    pub fn in_folder(self, folder: std::path::PathBuf) -> Self {
        Self { files: crate::files::Files::in_folder(folder), ..self }
    }

    /// The endpoint with this identity.
    pub fn endpoint(&self, key: EndpointKey, tls: Option<ServiceTls>) -> Arc<Endpoint> {
        let EndpointKey {
            service, authority, address, weight, priority, zone, version, introduction, ..
        } = key.clone();
        let place = (service.clone(), authority.clone(), address.clone());
        let state = || {
            let shared = self.service_health.get(service, Default::default);
            EndpointState::new(self.workers, Health::new(shared, moment::micros(Instant::now())))
        };
        self.endpoints.get(key, || Endpoint {
            id: self.next_endpoint.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            authority,
            address,
            weight,
            priority,
            zone,
            tls,
            version,
            introduction,
            state: self.states.get(place, state),
            presence: Presence::default(),
        })
    }

    /// Forgets what no generation uses any more. Counters of routes that are gone go with them.
    pub fn sweep(&self) {
        self.keep.sweep();
        self.sockets.sweep();
        self.routes.sweep();
        // They hold the counters of their groups.
        self.rollouts.sweep();
        self.groups.sweep();
        self.services.sweep();
        self.service_states.sweep();
        self.steps.sweep();
        // What an operator turned off stays off, also if the filter is away for a while.
        self.switches.sweep_but(Switch::is_off);
        self.endpoints.sweep();
        self.states.sweep();
        self.service_health.sweep();
        self.service_tls.sweep();
        self.eurekas.sweep();
    }
}
