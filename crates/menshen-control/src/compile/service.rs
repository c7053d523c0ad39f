//! Services and their endpoints.

mod ways;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use menshen_config::document::{
    Address, CallTimeouts, Endpoint as WrittenEndpoint, Place, ProxyProtocol, Service as Written,
    ServiceHost, Url,
};
use menshen_config::{Document, Path, Problems, Span, Spanned};
use menshen_proxy::balance::Balance;
use menshen_proxy::retry::RetryPolicy;
use menshen_proxy::stats::ServiceStats;
use menshen_proxy::{
    Endpoint, EndpointAddress, HostPolicy, HttpVersion, Service, ServiceId, ServiceState, moment,
    proxy_protocol,
};

use super::overload;
use super::tls::Nameless;
use super::{Purpose, balance};
use crate::Ground;
use crate::discovery::Instance;
use crate::health::Watched;
use ways::{Rank, Ways, version};

const IDLE: usize = 1024;
const IDLE_FOR: Duration = Duration::from_secs(60);
const MAX_AGE: Duration = Duration::from_secs(3600);

/// A service on its way: named ones from the document, unnamed ones from URLs in routes.
#[derive(Clone)]
pub(crate) struct Plan {
    name: Box<str>,
    at: Span,
    written: Arc<Written>,
    /// When its requests are sent again, once a route wanted to know.
    retry: Option<Arc<RetryPolicy>>,
}

/// All services of a document by number.
#[derive(Clone, Default)]
pub(crate) struct Services {
    plans: Vec<Plan>,
    numbers: HashMap<Box<str>, ServiceId>,
    /// Where the gateway is.
    zone: Option<Box<str>>,
}

impl Services {
    pub(super) fn of(document: &Document) -> Self {
        let mut services = Self { zone: balance::zone(document), ..Self::default() };
        for (name, entry) in document.services.iter() {
            services.add(name.into(), entry.at, entry.value.clone());
        }
        services
    }

    fn add(&mut self, name: Box<str>, at: Span, written: Arc<Written>) -> ServiceId {
        let id = ServiceId(u32::try_from(self.plans.len()).unwrap_or(u32::MAX));
        self.numbers.insert(name.clone(), id);
        self.plans.push(Plan { name, at, written, retry: None });
        id
    }

    /// The number of a service by its name.
    pub(super) fn number(&self, name: &str) -> Option<ServiceId> {
        self.numbers.get(name).copied()
    }

    /// The service behind a URL; routes to the same host and port share it.
    pub(super) fn at_url(&mut self, url: &Url, at: Span) -> ServiceId {
        let name = format!("{}://{}", url.protocol.scheme(), url.address);
        if let Some(id) = self.number(&name) {
            return id;
        }
        let mut written = Written::at(at, Url { base: Box::default(), ..url.clone() });
        written.host = ServiceHost::Endpoint;
        self.add(name.into(), at, Arc::new(written))
    }

    fn written(&self, id: ServiceId) -> Option<&Written> {
        self.plans.get(id.0 as usize).map(|p| &*p.written)
    }

    pub(super) fn base(&self, id: ServiceId) -> &str {
        self.written(id).map_or("", |w| &w.base.0)
    }

    pub(super) fn timeouts(&self, id: ServiceId) -> Option<&CallTimeouts> {
        self.written(id).map(|w| &w.timeouts)
    }

    /// When requests to a service are sent again: one policy, shared by its routes.
    pub(super) fn retry(&mut self, id: ServiceId, problems: &mut Problems) -> Arc<RetryPolicy> {
        let Some(plan) = self.plans.get_mut(id.0 as usize) else { return RetryPolicy::shared() };
        let path = Path::root().key("services").key(&plan.name).key("retry");
        let compile = || overload::retry(&plan.written.retry, plan.at, &path, problems);
        plan.retry.get_or_insert_with(compile).clone()
    }

    pub(super) fn host(&self, id: ServiceId) -> HostPolicy {
        self.written(id).map(host).unwrap_or_default()
    }

    /// Compiles all services; the same again when addresses have changed.
    pub(crate) fn compile(
        &self,
        ground: &Ground,
        purpose: Purpose,
        problems: &mut Problems,
    ) -> Arc<[Arc<Service>]> {
        let zone = self.zone.as_deref();
        self.plans.iter().map(|p| Arc::new(p.compile(zone, ground, purpose, problems))).collect()
    }

    /// These services, which were compiled here, with how their endpoints are checked.
    pub(crate) fn watched(&self, services: &[Arc<Service>]) -> Arc<[Watched]> {
        let check = |plan: &Plan| {
            // All problems were told when it was compiled.
            balance::check(&plan.written, &plan.path(), &mut Problems::new()).map(Arc::new)
        };
        let pairs = self.plans.iter().zip(services);
        pairs.map(|(plan, service)| Watched { service: service.clone(), check: check(plan) }).collect()
    }

    /// Compiles the services that are meant anew; the others stay as they are in `before`.
    pub(crate) fn recompile(
        &self,
        before: &[Arc<Service>],
        is_meant: impl Fn(&str) -> bool,
        ground: &Ground,
        problems: &mut Problems,
    ) -> Arc<[Arc<Service>]> {
        let zone = self.zone.as_deref();
        let mut service = |(plan, before): (&Plan, &Arc<Service>)| match is_meant(&plan.name) {
            true => Arc::new(plan.compile(zone, ground, Purpose::Serve, problems)),
            false => before.clone(),
        };
        self.plans.iter().zip(before).map(&mut service).collect()
    }
}

fn host(service: &Written) -> HostPolicy {
    match &service.host {
        ServiceHost::Keep => HostPolicy::Keep,
        ServiceHost::Name(name) => HostPolicy::Name(name.clone()),
        ServiceHost::Endpoint => HostPolicy::Endpoint,
    }
}

impl Plan {
    fn path(&self) -> Path {
        Path::root().key("services").key(&self.name)
    }

    fn compile(
        &self,
        zone: Option<&str>,
        ground: &Ground,
        purpose: Purpose,
        problems: &mut Problems,
    ) -> Service {
        let written = &self.written;
        let started = moment::micros(Instant::now());
        let endpoints = self.endpoints(ground, purpose, problems);
        // Where all are new, none is newer than the others.
        if endpoints.iter().all(|e| e.state.health.since() >= started) {
            endpoints.iter().for_each(|e| e.state.health.settle());
        }
        let path = self.path();
        balance::check(written, &path, problems);
        let settings = balance::settings(written, zone, (self.at, &path), problems);
        let state = ground.service_health.get(self.name.clone(), Default::default);
        let pool = &written.pool;
        if self.retry.is_none() {
            // No route goes by it; it has to be right all the same.
            overload::retry(&written.retry, self.at, &path.key("retry"), problems);
        }
        Service {
            name: self.name.clone(),
            balance: Balance::new(settings, &endpoints, state, ground.workers),
            endpoints: endpoints.into(),
            base: written.base.0.clone(),
            host: host(written),
            idle_connections: pool.idle.map_or(IDLE, |n| n.0 as usize),
            warm_connections: pool.warm.map_or(0, |n| n.0 as usize),
            idle_timeout: pool.idle_for.map_or(IDLE_FOR, |d| d.0),
            max_age: pool.max_age.map_or(MAX_AGE, |b| b.bound().map_or(Duration::MAX / 4, |d| d.0)),
            breaker: written
                .breaker
                .as_ref()
                .map(|breaker| overload::breaker(breaker, self.at, &path.clone().key("breaker"), problems)),
            concurrency: written.concurrency.as_ref().map(|concurrency| {
                overload::concurrency(concurrency, concurrency.span, &path.key("concurrency"), problems)
            }),
            hedge: written.hedge.as_ref().map(overload::hedge),
            stats: ground.services.get(self.name.clone(), || ServiceStats::new(ground.workers)),
            state: ground.service_states.get(self.name.clone(), || ServiceState::new(ground.workers)),
        }
    }

    fn endpoints(&self, ground: &Ground, purpose: Purpose, problems: &mut Problems) -> Vec<Arc<Endpoint>> {
        let path = self.path();
        let introduction = self.introduction(&path, problems);
        let mut ways = Ways { plan: self, path: &path, ground, introduction, known: Vec::new() };
        // Files that are needed are read, and what is wrong with them told, also while there are no endpoints.
        if ways.of(self.written.protocol, problems).is_none() {
            return Vec::new();
        }
        let mut endpoints = Vec::new();
        match self.discovered(ground) {
            Some(set) => {
                endpoints.reserve(set.len());
                for instance in set.iter() {
                    self.add_instance(instance, &mut ways, &mut endpoints, problems);
                }
            }
            None => {
                for endpoint in &self.written.endpoints {
                    self.add_written(endpoint, purpose, &mut ways, &mut endpoints, problems);
                }
            }
        }
        if endpoints.iter().all(|e| e.weight == 0) && !endpoints.is_empty() {
            problems.warning(
                self.at,
                format!("services.{}", self.name),
                "every endpoint has weight 0 and gets nothing",
            );
        }
        endpoints
    }

    /// What a source says, if one is asked and has said anything.
    fn discovered(&self, ground: &Ground) -> Option<Arc<[Instance]>> {
        self.written.discover.as_ref()?;
        ground.discovery.set(&self.name)
    }

    fn introduction(&self, path: &Path, problems: &mut Problems) -> Option<proxy_protocol::Version> {
        let introduction = self.written.proxy_protocol.map(|version| match version {
            ProxyProtocol::V1 => proxy_protocol::Version::V1,
            ProxyProtocol::V2 => proxy_protocol::Version::V2,
        });
        if introduction.is_some() && version(self.written.protocol) == HttpVersion::Http2 {
            problems
                .error(
                    self.at,
                    path.key("proxy-protocol"),
                    "connections over HTTP/2 are shared by all clients",
                )
                .hint("use `protocol: http` or `https`, or let the service read `X-Forwarded-For`");
        }
        introduction
    }

    fn add_written(
        &self,
        endpoint: &Spanned<WrittenEndpoint>,
        purpose: Purpose,
        ways: &mut Ways<'_>,
        to: &mut Vec<Arc<Endpoint>>,
        problems: &mut Problems,
    ) {
        let ground = ways.ground;
        let Some(way) = ways.of(self.written.protocol, problems) else { return };
        let tls = match way.tls(&endpoint.address) {
            Ok(tls) => tls,
            Err(nameless) => {
                let (path, authority) = (self.path().key("tls").key("name"), &endpoint.address);
                problems
                    .error(endpoint.span, path, format!("`{authority}`: {nameless}"))
                    .hint(Nameless::HINT);
                return;
            }
        };
        let addresses = match (&endpoint.address, purpose) {
            (Place::Unix(path), _) => Ok(vec![EndpointAddress::Unix(ground.files.resolve(path).into())]),
            (Place::Net(address), Purpose::Check) => {
                Ok(vec![EndpointAddress::Tcp(([0, 0, 0, 0], address.port).into())])
            }
            (Place::Net(address), Purpose::Serve) => {
                ground.names.addresses(address).map(|all| all.into_iter().map(EndpointAddress::Tcp).collect())
            }
        };
        match addresses {
            Ok(addresses) => {
                let WrittenEndpoint { weight, priority, zone, .. } = &endpoint.value;
                let rank = Rank { weight: *weight, priority: *priority, zone: zone.as_deref() };
                let one = |a| way.endpoint(&endpoint.address, a, rank, tls.clone());
                to.extend(addresses.into_iter().map(one));
            }
            // A name that does not resolve now may do so later; the others serve meanwhile.
            Err(e) => {
                let (path, authority) = (format!("services.{}", self.name), &endpoint.address);
                problems.warning(endpoint.span, path, format!("`{authority}` cannot be resolved: {e}"));
            }
        }
    }

    /// What a source says wrongly is left out; the others serve.
    fn add_instance(
        &self,
        instance: &Instance,
        ways: &mut Ways<'_>,
        to: &mut Vec<Arc<Endpoint>>,
        problems: &mut Problems,
    ) {
        let ground = ways.ground;
        let protocol = instance.protocol.unwrap_or(self.written.protocol);
        let rank = Rank { weight: instance.weight, priority: 0, zone: instance.zone.as_deref() };
        let (known_as, addresses) = match &instance.address {
            Place::Unix(path) => {
                (instance.address.clone(), vec![EndpointAddress::Unix(ground.files.resolve(path).into())])
            }
            Place::Net(address) => {
                let host = instance.host.clone().unwrap_or_else(|| address.host.clone());
                let addresses = ground.names.known(address).into_iter().map(EndpointAddress::Tcp);
                (Place::Net(Address { host, port: address.port }), addresses.collect())
            }
        };
        let Some(way) = ways.of(protocol, problems) else { return };
        match way.tls(&known_as) {
            Ok(tls) => {
                to.extend(addresses.into_iter().map(|a| way.endpoint(&known_as, a, rank, tls.clone())));
            }
            Err(nameless) => {
                let (service, hint) = (&self.name, Nameless::HINT);
                tracing::warn!(%service, "`{known_as}` is left out: {nameless}; {hint}");
            }
        }
    }
}
