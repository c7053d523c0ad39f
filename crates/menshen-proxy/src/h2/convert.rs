//! HTTP/2 messages become those of HTTP/1.1 and back (RFC 9113 §8, RFC 9110 §7.6.1). The h2 crate has refused connection
//! fields, names in capitals, pseudo-fields out of place and wrong lengths before; what it lets through and HTTP/1 would not
//! is refused here.

use ::h2::ext::Protocol;
use ::http::request::Parts;
use ::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use menshen_http1::{
    Authority, FieldName, Fields, HeadError, HeadLimits, Method, NameSet, RequestFraming, RequestHead,
    ResponseHead, Underscores, Version, valid_value,
};

/// Fields of a response that are not sent over HTTP/2 (RFC 9113 §8.2.2).
const CONNECTION: NameSet = FieldName::HOP_BY_HOP;

/// Turns the head of a request into one of HTTP/1.1.
///
/// # Errors
/// As a client of HTTP/1 would be told.
pub(super) fn request(
    head: &mut RequestHead,
    parts: &Parts,
    has_content: bool,
    limits: &HeadLimits,
    underscores: Underscores,
) -> Result<(), HeadError> {
    let target = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    if target.len() > limits.target {
        return Err(HeadError::TargetTooLong);
    }
    // Crumbs of a cookie count one by one, before they are joined.
    if parts.headers.len() > limits.fields {
        return Err(HeadError::TooManyFields);
    }
    let is_websocket = parts.extensions.get::<Protocol>().is_some_and(|p| p.as_str() == "websocket");
    let method = if is_websocket { "GET" } else { parts.method.as_str() };
    head.restart(method, target.as_bytes(), Version::Http2);
    let authority = parts.uri.authority().map(|a| a.as_str().as_bytes());
    let host = host(authority, &parts.headers)?;
    head.fields.append(FieldName::HOST, host);
    fields(&mut head.fields, &parts.headers, underscores)?;
    if is_websocket {
        ask_for_websocket(head);
        return Ok(());
    }
    head.framing = framing(&parts.headers, has_content)?;
    let mut expectations = parts.headers.get_all("expect").iter();
    if let Some(expectation) = expectations.next() {
        if !expectation.as_bytes().eq_ignore_ascii_case(b"100-continue") || expectations.next().is_some() {
            return Err(HeadError::Expect);
        }
        head.expects_continue = has_content;
    }
    head.keep_alive = true;
    Ok(())
}

/// What a client asks for with CONNECT in HTTP/2 it asks for with an upgrade in HTTP/1.1 (RFC 8441 §5).
fn ask_for_websocket(head: &mut RequestHead) {
    // A number that only has to be another each time (RFC 6455 §4.1); who checks the answer to it is not there.
    const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut key = [b'A'; 24];
    for byte in key.iter_mut().take(21) {
        *byte = fastrand::choice(BASE64).copied().unwrap_or(b'A');
    }
    let [.., a, b] = &mut key;
    (*a, *b) = (b'=', b'=');
    head.fields.append(FieldName::UPGRADE, b"websocket");
    head.fields.set_named(b"sec-websocket-key", &key);
    head.wants_upgrade = true;
    head.keep_alive = true;
}

/// `:authority`, or Host where there is none; both only if they are the same (RFC 9113 §8.3.1).
fn host<'a>(authority: Option<&'a [u8]>, fields: &'a HeaderMap) -> Result<&'a [u8], HeadError> {
    let mut hosts = fields.get_all("host").iter().map(HeaderValue::as_bytes);
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err(HeadError::HostRepeated);
    }
    let asked_for = match (authority, host) {
        (Some(a), Some(b)) if !a.eq_ignore_ascii_case(b) => return Err(HeadError::HostInvalid),
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => return Err(HeadError::HostMissing),
    };
    if Authority::parse(asked_for).is_none() {
        return Err(HeadError::HostInvalid);
    }
    Ok(asked_for)
}

fn fields(to: &mut Fields, from: &HeaderMap, underscores: Underscores) -> Result<(), HeadError> {
    let mut cookie: Vec<u8> = Vec::new();
    for (name, value) in from {
        let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
        if !valid_value(value) || has_blank_end(value) {
            return Err(HeadError::FieldValue);
        }
        if memchr::memchr(b'_', name).is_some() {
            match underscores {
                Underscores::Refuse => return Err(HeadError::Underscore),
                Underscores::Drop => continue,
                Underscores::Allow => {}
            }
        }
        match FieldName::of(name) {
            FieldName::HOST | FieldName::CONTENT_LENGTH => {}
            FieldName::COOKIE => {
                if !cookie.is_empty() {
                    cookie.extend_from_slice(b"; ");
                }
                cookie.extend_from_slice(value);
            }
            _ => to.append_named(name, value),
        }
    }
    if !cookie.is_empty() {
        to.append(FieldName::COOKIE, &cookie);
    }
    Ok(())
}

/// HTTP/1 strips blanks around a value; in HTTP/2 there must be none (RFC 9113 §8.2.1).
fn has_blank_end(value: &[u8]) -> bool {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    is_blank(value.first()) || is_blank(value.last())
}

/// True when a request is malformed in the sense of RFC 9113 §8.1.1, which wants the stream reset. What is refused for
/// other reasons gets an answer.
pub(super) fn is_malformed(error: HeadError, method: Method) -> bool {
    match error {
        HeadError::FieldValue
        | HeadError::HostRepeated
        | HeadError::HostInvalid
        | HeadError::ContentLength => true,
        HeadError::HostMissing => method == Method::Connect,
        _ => false,
    }
}

/// A length holds, as the h2 crate sees to; content without one is sent on chunked.
fn framing(fields: &HeaderMap, has_content: bool) -> Result<RequestFraming, HeadError> {
    let mut lengths = fields.get_all("content-length").iter();
    match (lengths.next(), lengths.next()) {
        (None, _) if has_content => Ok(RequestFraming::Chunked),
        (None, _) => Ok(RequestFraming::None),
        (Some(length), None) => {
            let text = length.to_str().map_err(|_| HeadError::ContentLength)?;
            let is_plain =
                text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
            let length: u64 = text.parse().map_err(|_| HeadError::ContentLength)?;
            match (is_plain, has_content) {
                (false, _) => Err(HeadError::ContentLength),
                (true, false) if length > 0 => Err(HeadError::ContentLength),
                (true, _) => Ok(RequestFraming::Length(length)),
            }
        }
        (Some(_), Some(_)) => Err(HeadError::ContentLength),
    }
}

/// Turns the head of a response into one of HTTP/2.
pub(super) fn response(head: &ResponseHead) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let fields = response.headers_mut();
    for field in head.fields.iter() {
        if !CONNECTION.contains(field.id) && field.id != FieldName::CONTENT_LENGTH {
            append(fields, field.name, field.value);
        }
    }
    response
}

/// Trailers that are passed on.
pub(super) fn trailers(from: &Fields) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for field in from.iter() {
        append(&mut fields, field.name, field.value);
    }
    fields
}

/// Adds a field; one that HTTP/2 cannot carry is left out.
pub(super) fn append(fields: &mut HeaderMap, name: &[u8], value: &[u8]) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
        fields.append(name, value);
    }
}
