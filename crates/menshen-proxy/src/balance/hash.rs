//! By what a request chooses its endpoint, where the same key is to meet the same endpoint. The hash is the same in every
//! process, so that gateways side by side agree.

use std::cell::RefCell;
use std::net::IpAddr;

use crate::Exchange;
use crate::condition::cookie_values;
use crate::endpoint::{Endpoint, EndpointAddress};
use crate::template::Template;

/// What of a request is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The first field of this name.
    Header(Box<str>),
    /// A cookie.
    Cookie(Box<str>),
    /// A query parameter, as sent.
    Query(Box<str>),
    /// The client's address.
    Client,
    /// The path without the query.
    Path,
    /// A text made of several.
    Template(Template),
}

thread_local! {
    /// Memory for texts that are made only to be hashed.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Key {
    /// The hash of a request's key; none if the request has no such thing.
    pub(crate) fn hash(&self, exchange: &Exchange) -> Option<u64> {
        let request = &exchange.request;
        match self {
            Self::Header(name) => request.fields.get_named(name.as_bytes()).map(of),
            Self::Cookie(name) => cookie_values(request, name.as_bytes()).next().map(of),
            Self::Query(name) => exchange.target.query_value(name.as_bytes()).map(of),
            Self::Client => Some(match exchange.client.address.to_canonical() {
                IpAddr::V4(ip) => of(&ip.octets()),
                IpAddr::V6(ip) => of(&ip.octets()),
            }),
            Self::Path => Some(of(exchange.target.path())),
            Self::Template(template) => SCRATCH.with_borrow_mut(|text| {
                text.clear();
                template.fill(exchange, text);
                (!text.is_empty()).then(|| of(text))
            }),
        }
    }
}

/// FNV-1a (RFC 9923), its bits mixed once more, because they are used from both ends.
pub(crate) fn of(bytes: &[u8]) -> u64 {
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    }))
}

/// The finaliser of SplitMix64: every bit of the result depends on every bit of the number.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// What an endpoint is known by in tables and cookies: its name and address, wherever and whenever this is asked.
pub(super) fn identity(endpoint: &Endpoint) -> u64 {
    let address = match &endpoint.address {
        EndpointAddress::Tcp(address) => match address.ip() {
            IpAddr::V4(ip) => of(&ip.octets()) ^ u64::from(address.port()),
            IpAddr::V6(ip) => of(&ip.octets()) ^ u64::from(address.port()),
        },
        EndpointAddress::Unix(path) => of(path.as_os_str().as_encoded_bytes()),
    };
    mix(of(endpoint.authority.as_bytes()) ^ address.rotate_left(32))
}
