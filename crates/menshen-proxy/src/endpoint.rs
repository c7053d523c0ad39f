//! An endpoint: one place where a service runs, how it is spoken to, and what is known of it by experience.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::proxy_protocol;
use crate::stats::{Counter, PerWorker};
use crate::tls::ServiceTls;

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
    /// How it is spoken to over TLS, if it is.
    pub tls: Option<ServiceTls>,
    /// Which HTTP it is spoken to in.
    pub version: HttpVersion,
    /// How it is told who the client is, before anything else. Its connections carry the requests of one client then.
    pub introduction: Option<proxy_protocol::Version>,
    /// What is known of it by experience.
    pub state: Arc<EndpointState>,
}

/// What is known of an endpoint by experience. It goes by service and address, and outlives generations, weights and
/// certificates.
#[derive(Debug)]
pub struct EndpointState {
    /// Requests under way there, by worker.
    pub in_flight: PerWorker<Counter>,
    /// Requests under way there that count for a limit.
    pub(crate) seats: std::sync::atomic::AtomicU32,
}

impl EndpointState {
    /// Of an endpoint that nobody has asked anything yet.
    pub fn new(workers: usize) -> Self {
        Self { in_flight: PerWorker::new(workers), seats: Default::default() }
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
