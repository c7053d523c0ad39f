//! A client stays with its endpoint: the gateway gives it a cookie that names one, and believes it as long as that endpoint can take
//! requests.

use std::time::Duration;

use menshen_http1::FieldName;

use super::hash::{identity, mix};
use crate::condition::cookie_values;
use crate::cookie::Cookie;
use crate::endpoint::Endpoint;
use crate::{Exchange, Reply};

/// By which cookie clients stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sticky {
    /// Its name.
    pub cookie: Box<str>,
    /// How long browsers keep it; as long as they run, if there is no time.
    pub ttl: Option<Duration>,
}

/// What the cookie says: not the address, but the same for every gateway with this configuration.
pub(super) fn token(endpoint: &Endpoint) -> u64 {
    mix(identity(endpoint) ^ 0x636f_6f6b_6965)
}

impl Sticky {
    /// The endpoint that the client's cookie names.
    pub(super) fn asked(&self, exchange: &Exchange) -> Option<u64> {
        let value = cookie_values(&exchange.request, self.cookie.as_bytes()).next()?;
        let text = std::str::from_utf8(value).ok().filter(|text| text.len() == 16)?;
        u64::from_str_radix(text, 16).ok()
    }

    /// Gives the client its cookie, unless it has it.
    pub(crate) fn mark(&self, exchange: &Exchange, endpoint: &Endpoint, reply: &mut Reply) {
        let token = token(endpoint);
        if self.asked(exchange) == Some(token) {
            return;
        }
        let cookie = Cookie {
            name: &self.cookie,
            value: &format!("{token:016x}"),
            max_age: self.ttl.map(|ttl| ttl.as_secs()),
        };
        let cookie = cookie.to_text(exchange.client.scheme);
        reply.head.fields.append(FieldName::SET_COOKIE, cookie.as_bytes());
    }
}
