//! Services and their endpoints.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use menshen_config::document::{
    CallTimeouts, Endpoint as WrittenEndpoint, Place, Protocol, ProxyProtocol, Retry, Service as Written,
    ServiceHost, Url,
};
use menshen_config::{Document, Path, Problems, Span};
use menshen_proxy::balance::Balance;
use menshen_proxy::stats::ServiceStats;
use menshen_proxy::{
    Endpoint, EndpointAddress, HostPolicy, HttpVersion, Service, ServiceId, moment, proxy_protocol,
};

use super::tls::Identity;
use super::{Purpose, balance};
use crate::Ground;
use crate::ground::EndpointKey;
use crate::health::Watched;

const IDLE: usize = 1024;
const IDLE_FOR: Duration = Duration::from_secs(60);
const MAX_AGE: Duration = Duration::from_secs(3600);

/// A service on its way: named ones from the document, unnamed ones from URLs in routes.
#[derive(Clone)]
pub(crate) struct Plan {
    name: Box<str>,
    at: Span,
    written: Arc<Written>,
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
        self.plans.push(Plan { name, at, written });
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

    pub(super) fn retry(&self, id: ServiceId) -> Option<&Retry> {
        self.written(id).map(|w| &w.retry)
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
        let state = ground.service_states.get(self.name.clone(), Default::default);
        let pool = &written.pool;
        Service {
            name: self.name.clone(),
            balance: Balance::new(settings, &endpoints, state, ground.workers),
            endpoints: endpoints.into(),
            base: written.base.0.clone(),
            host: host(written),
            idle_connections: pool.idle.map_or(IDLE, |n| n.0 as usize),
            idle_timeout: pool.idle_for.map_or(IDLE_FOR, |d| d.0),
            max_age: pool.max_age.map_or(MAX_AGE, |b| b.bound().map_or(Duration::MAX / 4, |d| d.0)),
            stats: ground.services.get(self.name.clone(), || ServiceStats::new(ground.workers)),
        }
    }

    fn endpoints(&self, ground: &Ground, purpose: Purpose, problems: &mut Problems) -> Vec<Arc<Endpoint>> {
        let path = self.path();
        let protocol = self.written.protocol;
        let version = match protocol {
            Protocol::Http | Protocol::Https => HttpVersion::Http1,
            Protocol::H2 | Protocol::H2c => HttpVersion::Http2,
        };
        let introduction = self.written.proxy_protocol.map(|version| match version {
            ProxyProtocol::V1 => proxy_protocol::Version::V1,
            ProxyProtocol::V2 => proxy_protocol::Version::V2,
        });
        if introduction.is_some() && version == HttpVersion::Http2 {
            problems
                .error(
                    self.at,
                    path.key("proxy-protocol"),
                    "connections over HTTP/2 are shared by all clients",
                )
                .hint("use `protocol: http` or `https`, or let the service read `X-Forwarded-For`");
        }
        let is_unix = |e: &menshen_config::Spanned<WrittenEndpoint>| matches!(e.address, Place::Unix(_));
        if let Some(endpoint) = self.written.endpoints.iter().find(|e| is_unix(e))
            && (protocol.is_tls() || introduction.is_some())
        {
            problems
                .error(
                    endpoint.span,
                    path.clone(),
                    "over a Unix socket neither TLS nor the PROXY protocol is spoken",
                )
                .hint("use `protocol: http` or `h2c`");
        }
        let identity = match protocol.is_tls() {
            false => None,
            true => match Identity::of(&self.written.tls, version, self.at, &path, ground, problems) {
                Some(identity) => Some(identity),
                None => return Vec::new(),
            },
        };
        let mut endpoints = Vec::new();
        for endpoint in &self.written.endpoints {
            let weight = u16::try_from(endpoint.weight).unwrap_or(u16::MAX);
            let authority = endpoint.address.to_string();
            let addresses = match (&endpoint.address, purpose) {
                (Place::Unix(path), _) => Ok(vec![EndpointAddress::Unix(ground.files.resolve(path).into())]),
                (Place::Net(address), Purpose::Check) => {
                    Ok(vec![EndpointAddress::Tcp(([0, 0, 0, 0], address.port).into())])
                }
                (Place::Net(address), Purpose::Serve) => ground
                    .names
                    .addresses(address)
                    .map(|all| all.into_iter().map(EndpointAddress::Tcp).collect()),
            };
            match addresses {
                Ok(addresses) => {
                    let tls = identity.as_ref().and_then(|i| i.at(&endpoint.address));
                    let print = identity.as_ref().map(|i| i.fingerprint);
                    endpoints.extend(addresses.into_iter().map(|address| {
                        let authority = authority.as_str().into();
                        ground.endpoint(
                            EndpointKey {
                                service: self.name.clone(),
                                authority,
                                address,
                                weight,
                                priority: endpoint.priority,
                                zone: endpoint.zone.clone(),
                                version,
                                introduction,
                                tls: print,
                            },
                            tls.clone(),
                        )
                    }));
                }
                // A name that does not resolve now may do so later; the others serve meanwhile.
                Err(e) => {
                    let path = format!("services.{}", self.name);
                    problems.warning(endpoint.span, path, format!("`{authority}` cannot be resolved: {e}"));
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
}
