//! What a request is known by, so that it stays in its group.

use std::fmt;
use std::net::IpAddr;

use menshen_http1::FieldName;

use crate::balance::hash;
use crate::client_address::UNIX;
use crate::condition::cookie_values;
use crate::cookie::Cookie;
use crate::{Exchange, Reply};

/// How long browsers keep the cookie, in seconds: a year, which is more than any rollout takes.
const MAX_AGE: u64 = 365 * 24 * 3600;

/// What decides who stays in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SplitBy {
    /// The client's address; of IPv6 the first 64 bits, which are those of a network.
    Client,
    /// A cookie; who has none gets one.
    Cookie(Box<str>),
    /// A field of the request.
    Header(Box<str>),
    /// Nothing: each request is drawn anew.
    Request,
}

/// The key of a request, hashed.
pub(super) enum Key {
    /// It came with the request.
    Known(u64),
    /// Chance, this once.
    Drawn(u64),
    /// Chance; it goes to the client, which will bring it back.
    Given(u64),
    /// There is none.
    Missing,
}

impl fmt::Display for SplitBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("address"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
            Self::Header(name) => write!(f, "field {name}"),
            Self::Request => f.write_str("chance"),
        }
    }
}

impl SplitBy {
    /// Values are as long as heads may be; empty ones are none.
    pub(super) fn key(&self, exchange: &Exchange) -> Key {
        let request = &exchange.request;
        match self {
            Self::Client => address(exchange.client.address).map_or(Key::Missing, Key::Known),
            Self::Cookie(name) => match cookie_values(request, name.as_bytes()).find(|v| !v.is_empty()) {
                Some(value) => Key::Known(hash::of(value)),
                None => Key::Given(exchange.live.random()),
            },
            Self::Header(name) => match request.fields.get_named(name.as_bytes()) {
                Some(value) if !value.is_empty() => Key::Known(hash::of(value)),
                _ => Key::Missing,
            },
            Self::Request => Key::Drawn(exchange.live.random()),
        }
    }
}

/// All clients of a Unix socket have the same address, which would put all of them into one group.
fn address(address: IpAddr) -> Option<u64> {
    match address.to_canonical() {
        address if address == UNIX => None,
        IpAddr::V4(ip) => Some(hash::of(&ip.octets())),
        IpAddr::V6(ip) => Some(hash::of(ip.octets().get(..8).unwrap_or_default())),
    }
}

fn text(key: u64) -> String {
    format!("{key:016x}")
}

/// The hash of a key as it will be when it comes back.
pub(super) fn of_given(key: u64) -> u64 {
    hash::of(text(key).as_bytes())
}

/// Gives the client its key, unless the service gives it one under this name.
pub(super) fn set_cookie(name: &str, key: u64, exchange: &Exchange, reply: &mut Reply) {
    let is_ours =
        |given: &[u8]| given.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
    if reply.head.fields.all(FieldName::SET_COOKIE).any(is_ours) {
        return;
    }
    let cookie = Cookie { name, value: &text(key), max_age: Some(MAX_AGE) };
    reply.head.fields.append(FieldName::SET_COOKIE, cookie.to_text(exchange.client.scheme).as_bytes());
}
