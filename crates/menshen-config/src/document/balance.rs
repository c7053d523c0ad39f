use std::fmt;
use std::num::{NonZeroU8, NonZeroU32};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::quantity::Duration;
use crate::span::Spanned;
use crate::text::{FromText, Refusal, text_type};

/// Who gets the next request. Short form: the method.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Balance {
    /// How endpoints are chosen.
    pub method: Method,
    /// By what, for methods that go by a hash.
    pub by: Option<Spanned<HashKey>>,
    /// How many are compared by `least-requests`. Default: 2.
    pub choices: Option<NonZeroU8>,
    /// Requests in flight from which an endpoint is busy, for `availability-filtering`. Default: no end.
    pub requests: Option<NonZeroU32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename = "Balance", rename_all = "kebab-case", deny_unknown_fields)]
struct Long {
    /// How endpoints are chosen.
    method: Method,
    /// For `ring-hash` and `maglev`: what of the request decides.
    #[serde(default)]
    by: Option<Spanned<HashKey>>,
    /// For `least-requests`: how many are compared. Default: 2.
    #[serde(default)]
    choices: Option<NonZeroU8>,
    /// For `availability-filtering`: requests in flight from which an endpoint is busy. Default: no end.
    #[serde(default)]
    requests: Option<NonZeroU32>,
}

/// How endpoints are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// One after the other, by weight.
    #[default]
    RoundRobin,
    /// By chance, by weight.
    Random,
    /// Of two by chance, the one with fewer requests in flight.
    LeastRequests,
    /// Of two by chance, the one that will answer first: by its latency, in which peaks count at once, and what is in flight.
    PeakEwma,
    /// The same key goes to the same endpoint (`by`); when one leaves, only its keys move.
    RingHash,
    /// As `ring-hash`, shared out more evenly; when one leaves, a few other keys move too.
    Maglev,
    /// By chance, those that answer faster more often.
    WeightedResponseTime,
    /// One after the other, without those that are busy (`requests`).
    AvailabilityFiltering,
    /// Those in the gateway's zone; if that is not well, those of all zones but the worst.
    ZoneAware,
}

/// What of a request decides where it goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HashKey {
    /// A field of the request.
    Header(Box<str>),
    /// A cookie.
    Cookie(Box<str>),
    /// A query parameter.
    Query(Box<str>),
    /// The client's address.
    Client,
    /// The path without the query.
    Path,
    /// A text with places, such as `{host}{path}`.
    Template(Box<str>),
}

impl FromText for HashKey {
    const WHAT: &'static str = "a key such as `header:x-user`, `client` or `path`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let refused = || {
            Refusal::new(format!("`{text}` is nothing to go by")).hint(
                "write `client`, `path`, `header:NAME`, `cookie:NAME`, `query:NAME` or a text such as `{host}{path}`",
            )
        };
        if text.contains('{') {
            return Ok(Self::Template(text.into()));
        }
        let named = |make: fn(Box<str>) -> Self, name: &str| match name {
            "" => Err(refused()),
            name => Ok(make(name.into())),
        };
        match text.split_once(':') {
            Some(("header", name)) => named(Self::Header, name),
            Some(("cookie", name)) => named(Self::Cookie, name),
            Some(("query", name)) => named(Self::Query, name),
            None if text == "client" => Ok(Self::Client),
            None if text == "path" => Ok(Self::Path),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HashKey::Header(name) => write!(f, "header:{name}"),
            HashKey::Cookie(name) => write!(f, "cookie:{name}"),
            HashKey::Query(name) => write!(f, "query:{name}"),
            HashKey::Client => f.write_str("client"),
            HashKey::Path => f.write_str("path"),
            HashKey::Template(text) => f.write_str(text),
        }
    }
}

text_type!(HashKey, "HashKey", {
    "description": "what of a request decides where it goes",
    "examples": ["client", "path", "header:x-user", "cookie:session", "query:id", "{host}{path}"]
});

/// A client stays with its endpoint by a cookie.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sticky {
    /// The name of the cookie, which the gateway makes.
    pub cookie: CookieName,
    /// How long browsers keep it. Default: as long as they run.
    #[serde(default)]
    pub ttl: Option<Duration>,
}

/// A name for a cookie (RFC 6265 §4.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CookieName(pub Box<str>);

impl FromText for CookieName {
    const WHAT: &'static str = "a name such as `where`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        match !text.is_empty() && text.bytes().all(token) {
            true => Ok(Self(text.into())),
            false => Err(Refusal::new(format!("`{text}` cannot be the name of a cookie"))
                .hint("use letters, digits, `-`, `_` and `.`")),
        }
    }
}

impl fmt::Display for CookieName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(CookieName, "CookieName", {
    "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
    "description": "a name for a cookie",
    "examples": ["where"]
});

impl<'de> Deserialize<'de> for Balance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BalanceVisitor;

        impl<'de> Visitor<'de> for BalanceVisitor {
            type Value = Balance;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a method such as `least-requests`, or a map with `method`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Balance, E> {
                let method = Method::deserialize(StrDeserializer::new(text))?;
                Ok(Balance { method, ..Balance::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Balance, A::Error> {
                let Long { method, by, choices, requests } =
                    Long::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Balance { method, by, choices, requests })
            }
        }

        deserializer.deserialize_any(BalanceVisitor)
    }
}

impl JsonSchema for Balance {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Balance".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let method = generator.subschema_for::<Method>();
        let long = Long::json_schema(generator);
        json_schema!({ "description": "who gets the next request", "anyOf": [method, long] })
    }
}
