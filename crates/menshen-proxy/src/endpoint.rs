//! An endpoint: one place where a service runs, how it is spoken to, and what is known of it by experience.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::health::Health;
use crate::latency::PeakLatency;
use crate::proxy_protocol;
use crate::stats::{Counter, PerWorker};
use crate::tls::{ServiceTls, Told};

/// Which HTTP an endpoint is spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum HttpVersion {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: over TLS if there is TLS, else with prior knowledge (RFC 9113 §3.3).
    Http2,
}

/// Where an endpoint is connected to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointAddress {
    /// Over TCP.
    Tcp(SocketAddr),
    /// At a socket of this machine's file system.
    Unix(Box<Path>),
}

/// One place where a service runs. Its identity is its number, which outlives generations.
#[derive(Debug)]
pub struct Endpoint {
    /// Unique to this process and address; connection pools go by it.
    pub id: u32,
    /// `host:port` or `unix:path` as configured.
    pub authority: Box<str>,
    /// Where to connect.
    pub address: EndpointAddress,
    /// Its share of the requests.
    pub weight: u16,
    /// 0 comes first; the next are for when too few of those before are well.
    pub priority: u8,
    /// Where it is, for methods that prefer what is near.
    pub zone: Option<Box<str>>,
    /// How it is spoken to over TLS, if it is.
    pub tls: Option<ServiceTls>,
    /// Which HTTP it is spoken to in.
    pub version: HttpVersion,
    /// How it is told who the client is, before anything else. Its connections carry the requests of one client then.
    pub introduction: Option<proxy_protocol::Version>,
    /// What is known of it by experience.
    pub state: Arc<EndpointState>,
    /// Whether it has left its service.
    pub presence: Presence,
}

/// Whether an endpoint is one of its service, or has left it. Requests under way there end in peace; connections that are kept
/// open are not kept any longer. It may come back.
#[derive(Debug, Default)]
pub struct Presence {
    has_left: AtomicBool,
}

impl Presence {
    /// It is one of its service.
    pub fn enter(&self) {
        self.has_left.store(false, Ordering::Relaxed);
    }

    /// It is one of its service no more.
    pub fn leave(&self) {
        self.has_left.store(true, Ordering::Relaxed);
    }

    /// True when it has left.
    pub fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Relaxed)
    }
}

/// What is known of an endpoint by experience. It goes by service and address, and outlives generations, weights and
/// certificates.
#[derive(Debug)]
pub struct EndpointState {
    /// Requests under way there, by worker.
    pub in_flight: PerWorker<Counter>,
    /// Requests under way there that count for a limit.
    pub(crate) seats: std::sync::atomic::AtomicU32,
    /// How attempts went, by worker.
    pub answers: PerWorker<Answers>,
    /// How long answers take.
    pub latency: PeakLatency,
    /// Whether it is well.
    pub health: Health,
    /// When it was told that TLS fails there.
    pub(crate) told: Told,
}

/// How attempts at an endpoint went.
#[derive(Debug, Default)]
pub struct Answers {
    /// How many came to an end.
    pub count: Counter,
    /// Those of them that failed, or were answered with a status of 500 or more.
    pub failures: Counter,
    /// The time of all until the head of the answer, in microseconds.
    pub micros: Counter,
}

impl EndpointState {
    /// Of an endpoint that nobody has asked anything yet.
    pub fn new(workers: usize, health: Health) -> Self {
        Self {
            in_flight: PerWorker::new(workers),
            seats: Default::default(),
            answers: PerWorker::new(workers),
            latency: PeakLatency::default(),
            health,
            told: Told::default(),
        }
    }

    /// Requests under way there.
    pub fn load(&self) -> u64 {
        self.in_flight.sum(|c| c)
    }
}

impl Endpoint {
    /// What Host says where it names the endpoint.
    pub fn host(&self) -> &str {
        match self.address {
            EndpointAddress::Tcp(_) => &self.authority,
            EndpointAddress::Unix(_) => "localhost",
        }
    }
}
