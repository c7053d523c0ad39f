//! The compiled configuration: immutable, shared by all workers, swapped whole.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;
use menshen_http1::{FieldName, HeadLimits, Underscores, standard_reason};

use crate::chain::Chain;
use crate::challenges::Challenges;
use crate::concurrency::Priority;
use crate::condition::Condition;
use crate::grpc::GrpcStatus;
use crate::listener::{ListenerAddress, Sockets, UnixAccess};
use crate::mirror::Mirror;
use crate::retry::RetryPolicy;
use crate::rewrite::Rewrite;
use crate::routes::RouteTable;
use crate::service::Service;
use crate::split::Split;
use crate::stats::RouteStats;
use crate::tls::ServerTls;
use crate::{Body, Exchange, Reply, grpc};

/// One generation of the configuration.
pub struct Snapshot {
    /// Counts up with every published generation.
    pub version: u64,
    /// What to listen on and what is behind it.
    pub listeners: Arc<[Arc<Listener>]>,
    /// The services; routes name them by [`ServiceId`]. A new set of endpoints is a new list with the same order.
    pub services: Arc<[Arc<Service>]>,
    /// What holds for the whole gateway.
    pub gateway: Arc<Gateway>,
    /// Questions of a certificate authority that are under way.
    pub challenges: Arc<Challenges>,
}

/// The number of a service in [`Snapshot::services`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub u32);

/// The number of a route in its listener's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub u32);

impl RouteId {
    /// The listener's own route for what no other route matches; it carries the listener's filters.
    pub const FALLBACK: Self = Self(0);
}

/// What holds for the whole gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// The name in Via, without spaces; unique to this process so that loops are seen (RFC 9110 §7.6.3).
    pub pseudonym: Box<str>,
    /// Callers that get Server-Timing.
    pub server_timing: Box<[IpNet]>,
    /// The access log, if there is one.
    pub access_log: Option<Arc<crate::access_log::Format>>,
}

impl Default for Gateway {
    fn default() -> Self {
        Self { pseudonym: "menshen".into(), server_timing: Box::default(), access_log: None }
    }
}

/// Which forwarding fields are sent to services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// X-Forwarded-For, -Host, -Proto, -Port.
    pub x_forwarded: bool,
    /// X-Forwarded-Prefix: what the route stripped.
    pub x_forwarded_prefix: bool,
    /// X-Real-IP: the client's address.
    pub x_real_ip: bool,
    /// Forwarded (RFC 7239).
    pub forwarded: bool,
}

impl Default for Forwarding {
    fn default() -> Self {
        Self { x_forwarded: true, x_forwarded_prefix: true, x_real_ip: false, forwarded: false }
    }
}

/// One address on which clients are served.
pub struct Listener {
    /// Its name in the document.
    pub name: Box<str>,
    /// Its sockets, one for each worker; they outlive generations.
    pub sockets: Arc<Sockets>,
    /// Who may connect, if it is a Unix socket.
    pub access: UnixAccess,
    /// How it speaks TLS, if it does.
    pub tls: Option<Arc<ServerTls>>,
    /// Limits of heads.
    pub head: HeadLimits,
    /// What to do with underscores in field names.
    pub underscores: Underscores,
    /// Limits of connections.
    pub limits: ListenerLimits,
    /// How long the client may take.
    pub timeouts: ClientTimeouts,
    /// Proxies that say who the client is in the PROXY protocol, before anything else.
    pub introducers: Box<[IpNet]>,
    /// Proxies whose forwarding fields are believed.
    pub trusted_proxies: Box<[IpNet]>,
    /// The routes behind it.
    pub routes: RouteTable,
}

impl Listener {
    /// A listener without a socket, with the defaults: for tests.
    pub(crate) fn unbound(name: Box<str>, routes: RouteTable) -> Self {
        let nowhere = ListenerAddress::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 8001)));
        Self {
            name,
            sockets: Arc::new(Sockets::unbound(nowhere)),
            access: UnixAccess::default(),
            tls: None,
            head: HeadLimits::default(),
            underscores: Underscores::default(),
            limits: ListenerLimits::default(),
            timeouts: ClientTimeouts::default(),
            introducers: Box::default(),
            trusted_proxies: Box::default(),
            routes,
        }
    }
}

/// Limits of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Connections open at once over all workers.
    pub connections: usize,
    /// Connections open at once of one client address.
    pub connections_per_client: u32,
    /// Requests that may wait in the read buffer behind the one being served.
    pub pipelined: u32,
    /// Requests under way at once on one HTTP/2 connection.
    pub streams: u32,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self { connections: 50_000, connections_per_client: u32::MAX, pipelined: 16, streams: 100 }
    }
}

/// How long a client may take outside of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// The TLS handshake.
    pub handshake: Duration,
    /// The whole request head, from its first byte.
    pub header: Duration,
    /// Between two requests of a connection.
    pub idle: Duration,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self { handshake: s(5), header: s(10), idle: s(60) }
    }
}

/// How long the parts of an exchange may take; set by the route, the service or a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Between two pieces of the request body.
    pub body: Duration,
    /// Until the client takes the next piece of the answer.
    pub write: Duration,
    /// Until the connection stands.
    pub connect: Duration,
    /// From the request sent to the head of the response.
    pub first_byte: Duration,
    /// Between two pieces of the response body.
    pub between_bytes: Duration,
    /// Without a byte in either direction of a tunnel.
    pub tunnel: Duration,
    /// For the whole exchange, from its first byte.
    pub total: Option<Duration>,
}

impl Timeouts {
    /// As good as for ever: a moment that far away can still be reckoned with.
    pub const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
}

impl Default for Timeouts {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            body: s(30),
            write: s(30),
            connect: s(2),
            first_byte: s(30),
            between_bytes: s(30),
            tunnel: s(3600),
            total: None,
        }
    }
}

/// What to do with requests that a match selects.
pub struct Route {
    /// Its name in the document; the fallback's is the listener's name in brackets.
    pub name: Box<str>,
    /// The names of its path variables in order.
    pub variables: Box<[Box<str>]>,
    /// What must hold beside path and host.
    pub condition: Condition,
    /// Where it leads.
    pub action: Action,
    /// How the target changes on its way.
    pub rewrite: Rewrite,
    /// Which Host the service sees.
    pub host: HostPolicy,
    /// Its filters: those of the listener, then its own.
    pub chain: Arc<Chain>,
    /// Which forwarding fields the service gets.
    pub forwarding: Forwarding,
    /// How long its exchanges may take.
    pub timeouts: Timeouts,
    /// When its requests are sent again.
    pub retry: Arc<RetryPolicy>,
    /// Who goes first when its service cannot serve all.
    pub priority: RoutePriority,
    /// The largest request content, in bytes.
    pub body_limit: u64,
    /// Whether `%2F` in the path is passed on.
    pub encoded_slashes: EncodedSlashes,
    /// Names of trailer fields that are passed on; all others are dropped.
    pub trailers: Box<[Box<str>]>,
    /// Where copies of its requests go. Boxed, because few routes have any.
    pub mirror: Option<Box<Mirror>>,
    /// Its counters.
    pub stats: Arc<RouteStats>,
}

impl Route {
    /// A route that leads nowhere, which changes nothing and refuses nothing: what others say only in part.
    pub fn to_nowhere(name: Box<str>, chain: Arc<Chain>, stats: Arc<RouteStats>) -> Self {
        Self {
            name,
            variables: Box::default(),
            condition: Condition::default(),
            action: Action::NotFound,
            rewrite: Rewrite::default(),
            host: HostPolicy::default(),
            chain,
            forwarding: Forwarding::default(),
            timeouts: Timeouts::default(),
            retry: RetryPolicy::shared(),
            priority: RoutePriority::default(),
            body_limit: u64::MAX,
            encoded_slashes: EncodedSlashes::default(),
            trailers: Box::default(),
            mirror: None,
            stats,
        }
    }
}

/// The priority of a route's requests.
#[derive(Clone, Debug, Default)]
pub struct RoutePriority {
    /// Where the field does not say otherwise.
    pub default: Priority,
    /// A field that names a priority.
    pub field: Option<Box<str>>,
}

impl RoutePriority {
    /// The priority of one request.
    pub(crate) fn of(&self, exchange: &Exchange) -> Priority {
        let said = |field: &str| Priority::named(exchange.request.fields.get_named(field.as_bytes())?);
        self.field.as_deref().and_then(said).unwrap_or(self.default)
    }
}

/// What to do with `%2F` in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EncodedSlashes {
    /// Refuse with 400: some services take it for a slash.
    #[default]
    Refuse,
    /// Pass on; matching takes it for a part of the segment.
    Allow,
}

/// Where a route leads.
#[derive(Clone, Debug)]
pub enum Action {
    /// To a service, with a base path in front of the target.
    Service {
        /// Which.
        service: ServiceId,
        /// Without trailing slash; may be empty.
        base: Box<str>,
    },
    /// To another place, by the client.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// A template for Location.
        to: crate::template::Template,
    },
    /// To a reply made once.
    Respond(Arc<FixedReply>),
    /// To another route, by matching this path anew.
    Forward {
        /// A template for the path.
        to: crate::template::Template,
    },
    /// To where the group of a request leads.
    Split(Box<Split>),
    /// Nowhere: no route matched.
    NotFound,
}

/// A reply made when the configuration was compiled.
#[derive(Clone, Debug, Default)]
pub struct FixedReply {
    /// The status.
    pub status: u16,
    /// The fields.
    pub fields: Box<[(Box<str>, Box<str>)]>,
    /// The content.
    pub body: Bytes,
    /// The status that callers of gRPC get instead; the one that they take this for, if there is none.
    pub grpc_status: Option<GrpcStatus>,
}

impl FixedReply {
    /// A reply like this for the client, who may look for a status of gRPC.
    pub fn to_reply(&self, exchange: &Exchange) -> Reply {
        let mut reply = Reply::new(self.status);
        for (name, value) in &self.fields {
            reply.head.fields.append_named(name.as_bytes(), value.as_bytes());
        }
        if grpc::reads_status(exchange) && !grpc::is_grpc(&reply.head.fields) {
            self.say_by_status(&mut reply);
        } else if !self.body.is_empty() {
            reply.body = Body::Full(self.body.clone());
        }
        reply
    }

    /// Says it as callers of gRPC read it: as a status, with the text as its message.
    fn say_by_status(&self, reply: &mut Reply) {
        let fields = &mut reply.head.fields;
        let is_text = fields.get(FieldName::CONTENT_TYPE).is_some_and(|kind| kind.starts_with(b"text/plain"));
        let text = std::str::from_utf8(&self.body).ok().filter(|text| is_text && !text.is_empty());
        let status = self.grpc_status.unwrap_or(GrpcStatus::of_http(self.status));
        grpc::set_status(fields, status, text.unwrap_or(standard_reason(self.status)));
        fields.set(FieldName::CONTENT_TYPE, b"application/grpc");
        reply.head.status = 200;
    }
}

/// Which Host a service sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostPolicy {
    /// The client's.
    Keep,
    /// That of the endpoint.
    #[default]
    Endpoint,
    /// This one.
    Name(Box<str>),
}

impl Snapshot {
    /// Listens on nothing and knows no service; what workers start with.
    pub fn empty() -> Self {
        Self {
            version: 0,
            listeners: Arc::from([]),
            services: Arc::from([]),
            gateway: Arc::default(),
            challenges: Arc::default(),
        }
    }

    /// The service with this number.
    pub fn service(&self, id: ServiceId) -> Option<&Arc<Service>> {
        self.services.get(id.0 as usize)
    }
}
