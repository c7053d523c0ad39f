//! What crosses the gateway and what the gateway says about the client: hop-by-hop fields (RFC 9110 §7.6.1),
//! X-Forwarded-*, Forwarded (RFC 7239), Via, and the head that the service gets.

use std::net::IpAddr;
use std::rc::Rc;

use menshen_http1::{FieldName, Fields, NameSet, RequestFraming, RequestHead, Version, write};

use crate::Failure;
use crate::call::Aim;
use crate::client_address::UNIX;
use crate::condition::contains;
use crate::exchange::{Client, Exchange, Scheme};
use crate::snapshot::{Gateway, HostPolicy, Listener, Route};
use crate::template::push_display;

/// What gateways say about a client.
const FORWARDING: NameSet = NameSet::of(&[
    FieldName::FORWARDED,
    FieldName::X_FORWARDED_FOR,
    FieldName::X_FORWARDED_HOST,
    FieldName::X_FORWARDED_PORT,
    FieldName::X_FORWARDED_PREFIX,
    FieldName::X_FORWARDED_PROTO,
    FieldName::X_FORWARDED_SERVER,
    FieldName::X_REAL_IP,
]);

/// Fields with which a client could pose as a gateway or make a service see another request than we do.
const IMPERSONATING: NameSet = FORWARDING.and(NameSet::of(&[
    FieldName::X_CLIENT_IP,
    FieldName::TRUE_CLIENT_IP,
    FieldName::CF_CONNECTING_IP,
    FieldName::X_CLUSTER_CLIENT_IP,
    FieldName::X_ORIGINAL_URL,
    FieldName::X_ORIGINAL_HOST,
    FieldName::X_REWRITE_URL,
    FieldName::X_FORWARDED_CLIENT_CERT,
    FieldName::X_FORWARDED_URI,
    FieldName::X_FORWARDED_METHOD,
    FieldName::X_HTTP_METHOD_OVERRIDE,
    FieldName::X_HTTP_METHOD,
    FieldName::X_METHOD_OVERRIDE,
    FieldName::X_ENVOY_ORIGINAL_PATH,
    FieldName::X_MENSHEN_MIRROR,
    FieldName::X_MENSHEN_GROUP,
]));

/// End-to-end fields whose loss would change framing, routing or identity.
const PROTECTED: NameSet = FORWARDING.and(NameSet::of(&[
    FieldName::HOST,
    FieldName::CONTENT_LENGTH,
    FieldName::AUTHORIZATION,
    FieldName::COOKIE,
    FieldName::VIA,
    FieldName::X_REQUEST_ID,
    FieldName::CONTENT_TYPE,
    FieldName::CONTENT_ENCODING,
    FieldName::CACHE_CONTROL,
]));

/// Fields of the request that are written anew for the service.
const REWRITTEN: NameSet = FORWARDING.and(NameSet::of(&[FieldName::HOST, FieldName::VIA]));

/// The port of a Unix socket.
const NO_PORT: u16 = 0;

/// How often a request may have passed through this gateway already.
const MAX_OWN_HOPS: usize = 1;

/// Cleans a request as it came from the client, before any filter sees it, and finds out who the client is.
pub(crate) fn receive(request: &mut RequestHead, client: &mut Client, listener: &Listener) {
    drop_nominated(&mut request.fields);
    request.wants_upgrade &= may_upgrade(request);
    client.is_trusted_proxy = contains(&listener.trusted_proxies, client.peer.ip());
    if client.is_trusted_proxy {
        if let Some(address) = forwarded_for(&request.fields, listener) {
            client.address = address;
        }
        match request.fields.get(FieldName::X_FORWARDED_PROTO) {
            Some(b"https") => client.scheme = Scheme::Https,
            Some(b"http") => client.scheme = Scheme::Http,
            _ => {}
        }
        return;
    }
    request.fields.remove_all(IMPERSONATING);
}

/// A request with content is not upgraded, and HTTP/2 is never spoken to a service because a client says so: both
/// would open a way around the filters.
fn may_upgrade(request: &RequestHead) -> bool {
    let to_http2 = request
        .fields
        .members(FieldName::UPGRADE)
        .any(|m| m.get(..2).is_some_and(|p| p.eq_ignore_ascii_case(b"h2")));
    // A length of nothing is no content: Java's WebSocket clients send it.
    matches!(request.framing, RequestFraming::None | RequestFraming::Length(0)) && !to_http2
}

/// Drops the fields that Connection names, except those that must not be taken away.
pub(crate) fn drop_nominated(fields: &mut Fields) {
    const KEPT: NameSet = PROTECTED.and(FieldName::HOP_BY_HOP);
    let is_nominated = |member: &[u8]| {
        let known = FieldName::of(member);
        !(KEPT.contains(known) || member.eq_ignore_ascii_case(b"close"))
    };
    if !fields.members(FieldName::CONNECTION).any(is_nominated) {
        return;
    }
    let names: Vec<Vec<u8>> =
        fields.members(FieldName::CONNECTION).filter(|m| is_nominated(m)).map(<[u8]>::to_vec).collect();
    for name in names {
        fields.remove_named(&name);
    }
}

/// The rightmost address in X-Forwarded-For that is not one of our own proxies.
fn forwarded_for(fields: &Fields, listener: &Listener) -> Option<IpAddr> {
    let mut leftmost_trusted = None;
    let members: Vec<&[u8]> = fields.members(FieldName::X_FORWARDED_FOR).collect();
    for member in members.iter().rev() {
        let Some(address) = parse_address(member) else { return leftmost_trusted };
        if !contains(&listener.trusted_proxies, address) {
            return Some(address);
        }
        leftmost_trusted = Some(address);
    }
    leftmost_trusted
}

/// An address with or without port and brackets.
fn parse_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address: IpAddr =
        bare.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|a| a.ip()))?;
    // Words cannot make somebody a client of a Unix socket.
    Some(address.to_canonical()).filter(|a| *a != UNIX)
}

/// Refuses a request that went through this gateway before (RFC 9110 §7.6.3).
pub(crate) fn check_loop(fields: &Fields, gateway: &Gateway) -> Result<(), Failure> {
    let own = gateway.pseudonym.as_bytes();
    let is_own = |member: &&[u8]| member.split(|b| *b == b' ').nth(1).is_some_and(|name| name == own);
    if fields.members(FieldName::VIA).filter(is_own).count() > MAX_OWN_HOPS {
        return Err(Failure::Loop);
    }
    Ok(())
}

/// How the content of a request is sent to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// No content.
    None,
    /// This many bytes.
    Length(u64),
    /// Chunked.
    Chunked,
}

/// Writes the head that the service gets.
///
/// # Errors
/// [`Failure::BadRewrite`] when the route makes a target of it that is not canonical.
pub(crate) fn write_request(
    out: &mut Vec<u8>,
    exchange: &Exchange,
    route: &Route,
    aim: &Aim<'_>,
    content: Outgoing,
) -> Result<(), Failure> {
    let request = &exchange.request;
    let fields = &request.fields;
    let mut scratch = Vec::new();
    let (method, target) = exchange.asked(route, aim.base, &mut scratch)?;
    write::request_line(out, method, target);
    let client_host = fields.get(FieldName::HOST);
    let authority = aim.endpoint.host();
    let host = match aim.host {
        HostPolicy::Keep => client_host.unwrap_or(authority.as_bytes()),
        HostPolicy::Endpoint => authority.as_bytes(),
        HostPolicy::Name(name) => name.as_bytes(),
    };
    write::field(out, b"host", host);
    let expects = request.expects_continue && content != Outgoing::None;
    let unexpected = if expects { NameSet::default() } else { NameSet::of(&[FieldName::EXPECT]) };
    write::end_to_end_fields(out, fields, REWRITTEN.and(unexpected));
    match content {
        Outgoing::Length(n) => write::content_length(out, n),
        Outgoing::Chunked => write::field(out, b"transfer-encoding", b"chunked"),
        Outgoing::None if request.method().expects_content() => write::content_length(out, 0),
        Outgoing::None => {}
    }
    if request.wants_upgrade {
        out.extend_from_slice(b"connection: upgrade\r\n");
        write::field(out, b"upgrade", fields.get(FieldName::UPGRADE).unwrap_or_default());
    }
    let forwarding = route.forwarding;
    if forwarding.x_forwarded {
        write_x_forwarded(out, exchange, client_host);
    }
    if forwarding.x_forwarded_prefix && route.rewrite.strip > 0 {
        write_x_forwarded_prefix(out, exchange, route.rewrite.strip);
    }
    if forwarding.x_real_ip && exchange.client.address != UNIX {
        out.extend_from_slice(b"x-real-ip: ");
        push_display(out, exchange.client.address.to_canonical());
        out.extend_from_slice(b"\r\n");
    }
    if forwarding.forwarded {
        write_forwarded(out, exchange, client_host);
    }
    write_via(out, exchange);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// `name: ` and the values that trusted proxies sent, ready for one more.
fn start_list(out: &mut Vec<u8>, name: &[u8], exchange: &Exchange, id: FieldName) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    for value in exchange.request.fields.all(id).filter(|v| !v.is_empty()) {
        out.extend_from_slice(value);
        out.extend_from_slice(b", ");
    }
}

/// X-Forwarded-For, -Proto and -Port of a client that speaks for itself: the same in all its requests.
#[derive(Clone, Debug)]
pub(crate) struct Lines(Rc<[u8]>);

impl Lines {
    pub(crate) fn of(peer: IpAddr, port: u16, scheme: Scheme) -> Self {
        let (peer, scheme) = (peer.to_canonical(), scheme.as_str());
        let mut lines = String::new();
        if peer != UNIX {
            lines += &format!("x-forwarded-for: {peer}\r\n");
        }
        lines += &format!("x-forwarded-proto: {scheme}\r\n");
        if port != NO_PORT {
            lines += &format!("x-forwarded-port: {port}\r\n");
        }
        Self(lines.into_bytes().into())
    }
}

fn write_x_forwarded(out: &mut Vec<u8>, exchange: &Exchange, client_host: Option<&[u8]>) {
    let (client, fields) = (&exchange.client, &exchange.request.fields);
    if !client.is_trusted_proxy && !fields.may_have(FORWARDING) {
        out.extend_from_slice(&client.lines.0);
        if let Some(host) = client_host {
            write::field(out, b"x-forwarded-host", host);
        }
        return;
    }
    write_x_forwarded_for(out, exchange);
    // What a trusted proxy said about the first hop stands.
    if let Some(host) = fields.get(FieldName::X_FORWARDED_HOST).or(client_host) {
        write::field(out, b"x-forwarded-host", host);
    }
    write::field(out, b"x-forwarded-proto", client.scheme.as_str().as_bytes());
    match (fields.get(FieldName::X_FORWARDED_PORT), client.local.port()) {
        (Some(port), _) => write::field(out, b"x-forwarded-port", port),
        (None, NO_PORT) => {}
        (None, port) => write::field(out, b"x-forwarded-port", itoa::Buffer::new().format(port).as_bytes()),
    }
}

/// The peer behind those that a trusted proxy named. One at a Unix socket has no address to add, and what stands there
/// without one would be read as an address by somebody.
fn write_x_forwarded_for(out: &mut Vec<u8>, exchange: &Exchange) {
    let (peer, name) = (exchange.client.peer.ip().to_canonical(), FieldName::X_FORWARDED_FOR);
    if peer != UNIX {
        start_list(out, b"x-forwarded-for", exchange, name);
        push_display(out, peer);
        return out.extend_from_slice(b"\r\n");
    }
    for value in exchange.request.fields.all(name).filter(|v| !v.is_empty()) {
        write::field(out, b"x-forwarded-for", value);
    }
}

/// What was stripped, behind what a trusted proxy stripped before.
fn write_x_forwarded_prefix(out: &mut Vec<u8>, exchange: &Exchange, strip: usize) {
    let path = exchange.target.path();
    let mut end = 0;
    for _ in 0..strip {
        let rest = path.get(end + 1..).unwrap_or_default();
        end += 1 + memchr::memchr(b'/', rest).unwrap_or(rest.len());
    }
    out.extend_from_slice(b"x-forwarded-prefix: ");
    out.extend_from_slice(exchange.request.fields.get(FieldName::X_FORWARDED_PREFIX).unwrap_or_default());
    out.extend_from_slice(path.get(..end.min(path.len())).unwrap_or_default());
    out.extend_from_slice(b"\r\n");
}

fn write_forwarded(out: &mut Vec<u8>, exchange: &Exchange, client_host: Option<&[u8]>) {
    start_list(out, b"forwarded", exchange, FieldName::FORWARDED);
    out.extend_from_slice(b"for=");
    match exchange.client.peer.ip().to_canonical() {
        // RFC 7239 §6.2.
        UNIX => out.extend_from_slice(b"unknown"),
        IpAddr::V4(address) => push_display(out, address),
        IpAddr::V6(address) => push_display(out, format_args!("\"[{address}]\"")),
    }
    if let Some(host) = client_host {
        out.extend_from_slice(b";host=\"");
        out.extend_from_slice(host);
        out.push(b'"');
    }
    out.extend_from_slice(b";proto=");
    out.extend_from_slice(exchange.client.scheme.as_str().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_via(out: &mut Vec<u8>, exchange: &Exchange) {
    start_list(out, b"via", exchange, FieldName::VIA);
    out.extend_from_slice(match exchange.request.version {
        Version::Http10 => b"1.0 ",
        Version::Http11 => b"1.1 ",
        Version::Http2 => b"2.0 ",
    });
    out.extend_from_slice(exchange.live.snapshot().gateway.pseudonym.as_bytes());
    out.extend_from_slice(b"\r\n");
}
