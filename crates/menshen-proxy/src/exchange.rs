//! One request with its reply and all that is known about them.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::rc::Rc;
use std::time::Instant;

use menshen_http1::{FieldName, RequestHead};

use crate::body::{Body, Transforms};
use crate::chain::StepSet;
use crate::endpoint::Endpoint;
use crate::forwarding;
use crate::grpc::GrpcStatus;
use crate::kept::Kept;
use crate::notes::Notes;
use crate::proxy_protocol::Addresses;
use crate::serve::Pass;
use crate::snapshot::{Action, Route, RouteId, ServiceId};
use crate::split::Membership;
use crate::target::Target;
use crate::tls::TlsFacts;
use crate::trace::Trace;
use crate::translation::Translation;
use crate::worker::Live;
use crate::{Failure, Reply};

/// The scheme in which the client spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Who is at the other end of the client connection.
#[derive(Clone, Debug)]
pub struct Client {
    /// The address of the peer; [`crate::client_address::UNIX_PEER`] at a Unix socket.
    pub peer: SocketAddr,
    /// The address on which the connection was accepted; without a port if that was a Unix socket.
    pub local: SocketAddr,
    /// The client's own address: the peer's, or what trusted proxies say (RFC 7239 §7.4).
    pub address: IpAddr,
    /// The scheme of the connection.
    pub scheme: Scheme,
    /// The peer is in the listener's `trusted-proxies`.
    pub is_trusted_proxy: bool,
    /// What is known of its TLS connection; of that to a trusted proxy, if it came through one.
    pub tls: Option<Rc<TlsFacts>>,
    /// What services are told of it when it is no trusted proxy.
    pub(crate) lines: forwarding::Lines,
}

impl Client {
    /// A client that speaks for itself.
    pub fn direct(peer: SocketAddr, local: SocketAddr, scheme: Scheme) -> Self {
        let lines = forwarding::Lines::of(peer.ip(), local.port(), scheme);
        Self { peer, local, address: peer.ip(), scheme, is_trusted_proxy: false, tls: None, lines }
    }
}

impl Client {
    /// Who talks to whom, as services are told in the PROXY protocol. The port of a client behind a proxy is not known.
    pub(crate) fn addresses(&self) -> Addresses {
        let port = if self.address == self.peer.ip() { self.peer.port() } else { 0 };
        Addresses { client: SocketAddr::new(self.address, port), server: self.local }
    }
}

impl Default for Client {
    fn default() -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::direct(nowhere, nowhere, Scheme::Http)
    }
}

/// One try of sending the request to an endpoint.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u8,
    /// Where it goes.
    pub endpoint: std::sync::Arc<Endpoint>,
}

/// How an exchange ended, for `done` filters and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The status sent, 499 when the client had gone before.
    pub status: u16,
    /// The failure behind the reply, or that cut it short.
    pub failure: Option<Failure>,
    /// Content bytes received from the client.
    pub received: u64,
    /// Content bytes sent to the client.
    pub sent: u64,
    /// The whole time in microseconds.
    pub micros: u64,
}

impl Finished {
    /// The end of an exchange whose reply was sent with this result.
    pub(crate) fn of(
        reply: &Reply,
        result: Result<(), Failure>,
        exchange: &Exchange,
        received: u64,
        sent: u64,
    ) -> Self {
        let cut_short = result.err();
        let gone = matches!(cut_short, Some(Failure::ClientGone | Failure::WriteTimeout));
        Self {
            status: if gone { 499 } else { reply.head.status },
            failure: cut_short.or(reply.failure()),
            received,
            sent,
            micros: exchange.micros(),
        }
    }
}

/// One request with its reply and all that is known about them.
pub struct Exchange {
    /// The request head as received; filters change it before it is sent on.
    pub request: RequestHead,
    /// The canonical target.
    pub target: Target,
    /// Who asks.
    pub client: Client,
    /// The generation of the configuration that this exchange sees from start to end.
    pub live: Rc<Live>,
    /// The route, by its number in the listener's table.
    pub route: RouteId,
    /// When the first byte of the request was seen.
    pub started: Instant,
    /// How often a service was asked so far.
    pub attempts: u8,
    /// Microseconds from the start until the service's head was there.
    pub service_micros: Option<u64>,
    /// Where the last attempt went.
    pub endpoint: Option<std::sync::Arc<Endpoint>>,
    /// The steps of the chain that were entered.
    pub entered: StepSet,
    /// The atoms that passed.
    pub passed: StepSet,
    /// Private notes of filters.
    pub notes: Notes,
    /// What each step did and how long it took.
    pub trace: Trace,
    /// What the request's content passes through on its way to the service.
    pub transforms: Transforms,
    /// The largest request content allowed, in bytes.
    pub body_limit: u64,
    /// Values that a filter sets for the rest of this exchange.
    pub timeouts: crate::Timeouts,
    /// What the service is asked for, where a filter translates the request.
    pub translation: Option<Box<Translation>>,
    /// When the attempt under way must have brought the head of an answer.
    pub(crate) try_end: Option<Instant>,
    /// An idle connection turned out to be dead: the next attempt makes a new one.
    pub(crate) wants_new_connection: bool,
    /// That this request may be under way at its service.
    pub(crate) pass: Option<Box<Pass>>,
    /// The group that it is in, if its route is split.
    pub(crate) group: Option<Box<Membership>>,
    /// Request content that can be sent again.
    pub(crate) kept: Option<Box<Kept>>,
    /// A copy of it went to the mirror of its route.
    pub(crate) is_mirrored: bool,
    /// It is a call of gRPC, also one from a browser.
    pub(crate) is_call: bool,
    /// The status that a service of gRPC ended its call with.
    pub(crate) grpc_status: Cell<Option<GrpcStatus>>,
    /// Routes that this request was forwarded to.
    pub(crate) forwards: u8,
    /// Routes match all but the method.
    pub(crate) wrong_method: bool,
    /// Path variables of the route, as places in the decoded path.
    pub(crate) variables: Vec<Range<usize>>,
    /// Memory for the reply of a service, reused.
    spare_reply: Option<Box<Reply>>,
}

impl Exchange {
    /// An exchange at its start.
    pub fn new(live: Rc<Live>) -> Self {
        Self {
            request: RequestHead::default(),
            target: Target::default(),
            client: Client::default(),
            route: RouteId::FALLBACK,
            started: Instant::now(),
            attempts: 0,
            service_micros: None,
            endpoint: None,
            entered: StepSet::default(),
            passed: StepSet::default(),
            notes: Notes::default(),
            trace: Trace::default(),
            transforms: Transforms::default(),
            body_limit: u64::MAX,
            timeouts: crate::Timeouts::default(),
            translation: None,
            try_end: None,
            wants_new_connection: false,
            pass: None,
            group: None,
            kept: None,
            is_mirrored: false,
            is_call: false,
            grpc_status: Cell::new(None),
            forwards: 0,
            wrong_method: false,
            variables: Vec::new(),
            spare_reply: None,
            live,
        }
    }

    /// Starts anew for the next request, keeping the memory.
    pub(crate) fn reset(&mut self, live: Rc<Live>, client: Client, now: Instant) {
        self.live = live;
        self.client = client;
        self.route = RouteId::FALLBACK;
        self.started = now;
        self.attempts = 0;
        self.service_micros = None;
        self.forwards = 0;
        self.target.clear();
        self.forget();
    }

    /// Drops what belongs to one exchange only.
    pub(crate) fn forget(&mut self) {
        self.endpoint = None;
        self.entered = StepSet::default();
        self.passed = StepSet::default();
        self.notes.clear();
        self.trace.clear();
        self.transforms.clear();
        self.translation = None;
        self.try_end = None;
        self.wants_new_connection = false;
        self.pass = None;
        self.group = None;
        self.kept = None;
        self.is_mirrored = false;
        self.is_call = false;
        self.grpc_status.set(None);
        self.variables.clear();
    }

    /// An empty reply to fill.
    pub(crate) fn take_reply(&mut self) -> Box<Reply> {
        self.spare_reply.take().unwrap_or_else(|| Box::new(Reply::new(502)))
    }

    /// Keeps the memory of a reply that was sent; that of its head is more useful to the worker's next one.
    pub(crate) fn keep_reply(&mut self, mut reply: Box<Reply>) {
        self.live.worker().give_head(std::mem::take(&mut reply.head));
        reply.body = Body::Empty;
        reply.transforms.clear();
        self.spare_reply = Some(reply);
    }

    /// Takes a request that was not received over a connection: for tests of filters and for `menshen explain`.
    ///
    /// # Errors
    /// As a client would be told: a head or target that is refused.
    pub fn take_request(&mut self, head: &[u8], client: Client) -> Result<(), Failure> {
        self.reset(self.live.clone(), client, Instant::now());
        let listener = self.live.clone();
        let listener = listener.listener();
        match self.request.parse(head, &listener.head, listener.underscores) {
            Ok(menshen_http1::Parsed::Complete(_)) => {}
            Ok(menshen_http1::Parsed::Partial) => return Err(Failure::BodyTruncated),
            Err(e) => return Err(Failure::BadHead(e)),
        }
        let live = self.live.clone();
        crate::serve::enter(self, &live)
    }

    /// The route of this exchange.
    pub fn route(&self) -> &Route {
        self.live.route(self.route)
    }

    /// The request id, once the `request-id` filter or the client has set it.
    pub fn request_id(&self) -> Option<&[u8]> {
        self.request.fields.get(FieldName::X_REQUEST_ID)
    }

    /// The value of a path variable such as `{id}`.
    pub fn variable(&self, name: &str) -> Option<&[u8]> {
        let at = self.route().variables.iter().position(|v| &**v == name)?;
        self.target.decoded_path().get(self.variables.get(at)?.clone())
    }

    /// The status that a service of gRPC ended its call with, once it has.
    pub fn grpc_status(&self) -> Option<GrpcStatus> {
        self.grpc_status.get()
    }

    /// True when a copy of it went to the mirror of its route.
    pub(crate) fn was_mirrored(&self) -> bool {
        self.is_mirrored || self.kept.as_ref().is_some_and(|kept| kept.was_copied())
    }

    /// The service that the route led to, as far as it is known.
    pub(crate) fn led_to(&self, route: &Route) -> Option<ServiceId> {
        let action = match (&route.action, &self.group) {
            (_, Some(membership)) => return Some(membership.group.service),
            (Action::Split(split), None) => split.rest(),
            (action, None) => action,
        };
        match action {
            Action::Service { service, .. } => Some(*service),
            _ => None,
        }
    }

    /// The method and the target that the service is asked for, made in `scratch` where they are not the client's.
    pub(crate) fn asked<'a>(
        &'a self,
        route: &Route,
        base: &str,
        scratch: &'a mut Vec<u8>,
    ) -> Result<(&'a [u8], &'a [u8]), Failure> {
        let Some(translation) = &self.translation else {
            return Ok((self.request.method_text(), route.rewrite.target(&self.target, base, scratch)?));
        };
        scratch.extend_from_slice(base.as_bytes());
        scratch.extend_from_slice(&translation.target);
        Ok((b"POST", scratch))
    }

    /// Microseconds since the start.
    pub fn micros(&self) -> u64 {
        let elapsed = self.live.worker().now().saturating_duration_since(self.started);
        u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
    }
}
