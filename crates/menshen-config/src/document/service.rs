use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Address, Balance, Breaker, CallTimeouts, Concurrency, Discover, Eject, Health, Hedge, Place, Prefix,
    Protocol, Retry, ServiceTls, Sticky, Url,
};
use crate::decode::Recovered;
use crate::quantity::{Bounded, Duration, PerWorker, Percent};
use crate::span::{Span, Spanned};
use crate::text::{FromText, Refusal, text_type};

/// A named set of endpoints. Short form: the URL of a single one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// What it is, for people.
    pub about: Option<String>,
    /// Where it can be reached; at least one, unless somebody is asked. Beside `discover` they serve until it has an answer.
    pub endpoints: Vec<Spanned<Endpoint>>,
    /// Who is asked where it can be reached.
    pub discover: Option<Spanned<Discover>>,
    /// How it is spoken to. Default: `http`, or `https` if there is something to say about TLS.
    pub protocol: Protocol,
    /// How TLS is spoken with it.
    pub tls: ServiceTls,
    /// How it is told who the client is, before anything else.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Who gets the next request.
    pub balance: Balance,
    /// A client stays with its endpoint by a cookie.
    pub sticky: Option<Sticky>,
    /// How long an endpoint that is new or back gets less than its share.
    pub slow_start: Option<Duration>,
    /// How its endpoints are checked.
    pub health: Option<Spanned<Health>>,
    /// When an endpoint gets no requests for a while because requests fail there.
    pub eject: Eject,
    /// When fewer endpoints than this are well, all get requests.
    pub panic: Option<Percent>,
    /// How long is waited for it.
    pub timeouts: CallTimeouts,
    /// When a request is sent again.
    pub retry: Retry,
    /// When a second attempt is made because the first takes long.
    pub hedge: Option<Hedge>,
    /// When it is not asked for a while.
    pub breaker: Option<Breaker>,
    /// How many requests may be under way there at once.
    pub concurrency: Option<Spanned<Concurrency>>,
    /// Connections that are kept open.
    pub pool: Pool,
    /// The `Host` that it gets to see. Default: `keep`.
    pub host: ServiceHost,
    /// What is put in front of every path; may be empty.
    pub base: Prefix,
}

/// The long form of [`Service`].
#[derive(Deserialize, JsonSchema)]
#[serde(rename = "Service", rename_all = "kebab-case", deny_unknown_fields)]
struct Long {
    /// What it is, for people.
    #[serde(default)]
    about: Option<String>,
    /// Where it can be reached. Beside `discover`: where, until that has an answer.
    #[serde(default, deserialize_with = "at_least_one")]
    #[schemars(length(min = 1), with = "Vec<Spanned<Endpoint>>")]
    endpoints: Option<Vec<Spanned<Endpoint>>>,
    /// Who is asked where it can be reached: `dns:host:port`, `srv:_http._tcp.name`, `file:endpoints.yaml`, `eureka:APP`,
    /// `consul:name?tag=v2&dc=x`, or a map.
    #[serde(default)]
    discover: Option<Spanned<Discover>>,
    /// How it is spoken to. Default: `http`, or `https` if there is something to say about TLS.
    #[serde(default)]
    protocol: Option<Protocol>,
    /// How TLS is spoken with it.
    #[serde(default)]
    tls: Option<ServiceTls>,
    /// The version of the PROXY protocol in which it is told who the client is, before anything else. A connection
    /// then carries one request. Default: not at all.
    #[serde(default)]
    proxy_protocol: Option<ProxyProtocol>,
    /// Who gets the next request. Default: `round-robin`.
    #[serde(default)]
    balance: Balance,
    /// A client stays with its endpoint by a cookie. Default: no.
    #[serde(default)]
    sticky: Option<Sticky>,
    /// How long an endpoint that is new or back gets less than its share; it grows from a tenth. Default: not at all.
    #[serde(default)]
    slow_start: Option<Duration>,
    /// How its endpoints are checked: a path such as `/health`, `tcp`, or a map. Default: not at all.
    #[serde(default)]
    health: Option<Spanned<Health>>,
    /// When an endpoint gets no requests for a while because requests fail there, or `off`. Default: after 5 failures in
    /// a row to connect, for `5s` up to `30s`.
    #[serde(default)]
    eject: Eject,
    /// When a smaller share of the endpoints than this is well, all get requests: it is more probable that the checks are
    /// wrong. `0%` for never; if none is well, requests are answered with 503 then. Default: `50%`.
    #[serde(default)]
    panic: Option<Percent>,
    /// How long is waited for it. Default: that of the listener.
    #[serde(default)]
    timeouts: CallTimeouts,
    /// When a request is sent again.
    #[serde(default)]
    retry: Retry,
    /// When a second attempt is made because the first takes long. Default: never.
    #[serde(default)]
    hedge: Option<Hedge>,
    /// When it is not asked for a while because it fails too often. Default: never.
    #[serde(default)]
    breaker: Option<Breaker>,
    /// How many requests may be under way there at once, over all workers: a number, `adaptive`, or more in a map.
    /// Default: any number.
    #[serde(default)]
    concurrency: Option<Spanned<Concurrency>>,
    /// Connections that are kept open.
    #[serde(default)]
    pool: Pool,
    /// The `Host` that it gets to see: `keep` what the client sent, the `endpoint`'s address, or a name. Default: `keep`.
    #[serde(default)]
    host: ServiceHost,
    /// What is put in front of every path. Default: nothing.
    #[serde(default)]
    base: Prefix,
}

/// One place where a service can be reached. Short form: its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host and port, or a Unix socket.
    pub address: Place,
    /// Its part of the requests in proportion to the others'; 0 gets none. Default: 1.
    pub weight: u32,
    /// 0 comes first; the next are for when too few of those before are well. Default: 0.
    pub priority: u8,
    /// Where it is, for `balance: zone-aware`.
    pub zone: Option<Box<str>>,
}

impl Endpoint {
    /// With nothing to say but its address.
    pub fn at(address: Place) -> Self {
        Self { address, weight: 1, priority: 0, zone: None }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LongEndpoint {
    /// Host and port, or a Unix socket.
    address: Place,
    /// Its part of the requests in proportion to the others'; 0 gets none. Default: 1.
    #[serde(default)]
    weight: Option<u32>,
    /// 0 comes first; those of the next number get requests when too few of those before are well. Default: 0.
    #[serde(default)]
    priority: u8,
    /// Where it is, for `balance: zone-aware`.
    #[serde(default)]
    zone: Option<Box<str>>,
}

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// Connections to a service that are kept open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Pool {
    /// How many idle ones are kept for each endpoint. Default: `1024 per worker`.
    pub idle: Option<PerWorker>,
    /// How many are made to each endpoint before the first request, and when endpoints come. Default: `0 per worker`.
    pub warm: Option<PerWorker>,
    /// How long an idle one is kept. Default: `60s`.
    pub idle_for: Option<Duration>,
    /// How long one is used at all, so that changes of DNS are seen, or `none`. Default: `1h`.
    pub max_age: Option<Bounded<Duration>>,
}

/// The `Host` that a service gets to see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ServiceHost {
    /// What the client sent.
    #[default]
    Keep,
    /// The address of the endpoint.
    Endpoint,
    /// This name, with or without port.
    Name(Box<str>),
}

impl FromText for ServiceHost {
    const WHAT: &'static str = "`keep`, `endpoint` or a host name";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text {
            "keep" => Ok(Self::Keep),
            "endpoint" => Ok(Self::Endpoint),
            _ => host_name(text).map(Self::Name),
        }
    }
}

impl fmt::Display for ServiceHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ServiceHost::Keep => "keep",
            ServiceHost::Endpoint => "endpoint",
            ServiceHost::Name(name) => name,
        })
    }
}

text_type!(ServiceHost, "ServiceHost", {
    "description": "the Host that the service gets to see: keep, endpoint, or a name",
    "examples": ["keep", "endpoint", "api.internal"]
});

/// A value for `Host`: a name, or a name and a port.
pub(super) fn host_name(text: &str) -> Result<Box<str>, Refusal> {
    let exact = matches!(text.parse(), Ok(crate::matching::HostPattern::Exact(_)));
    if exact || Address::from_text(text).is_ok() {
        Ok(text.into())
    } else {
        Err(Refusal::new(format!("`{text}` is not a host")).hint("write for example `api.internal`"))
    }
}

impl<'de> Deserialize<'de> for Service {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { span, value } = Spanned::<Written>::deserialize(deserializer)?;
        let long = match value {
            Written::Short(url) => return Ok(Service::at(span, url)),
            Written::Long(long) => *long,
        };
        let Long {
            about,
            endpoints,
            discover,
            protocol,
            tls,
            proxy_protocol,
            balance,
            sticky,
            slow_start,
            health,
            eject,
            panic,
            timeouts,
            retry,
            hedge,
            breaker,
            concurrency,
            pool,
            host,
            base,
        } = long;
        if endpoints.is_none() && discover.is_none() {
            return Err(D::Error::missing_field("endpoints"));
        }
        let endpoints = endpoints.unwrap_or_default();
        let protocol = match (protocol, &tls) {
            (Some(plain), Some(_)) if !plain.is_tls() => {
                return Err(D::Error::custom(
                    "`protocol: http` has no TLS\nwrite `protocol: https`, or remove `tls`",
                ));
            }
            (Some(protocol), _) => protocol,
            (None, Some(_)) => Protocol::Https,
            (None, None) => Protocol::Http,
        };
        let tls = tls.unwrap_or_default();
        Ok(Self {
            about,
            endpoints,
            discover,
            protocol,
            tls,
            proxy_protocol,
            balance,
            sticky,
            slow_start,
            health,
            eject,
            panic,
            timeouts,
            retry,
            hedge,
            breaker,
            concurrency,
            pool,
            host,
            base,
        })
    }
}

impl Service {
    /// The service behind a single URL.
    pub fn at(span: Span, url: Url) -> Self {
        let Url { protocol, address, base } = url;
        let endpoints = vec![Spanned::new(span, Endpoint::at(Place::Net(address)))];
        Self { endpoints, protocol, base: Prefix(base), ..Self::default() }
    }
}

enum Written {
    Short(Url),
    Long(Box<Long>),
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WrittenVisitor;

        impl<'de> Visitor<'de> for WrittenVisitor {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL such as `http://127.0.0.1:3000`, or a map")
            }

            fn visit_unit<E: Error>(self) -> Result<Written, E> {
                Err(E::missing_field("endpoints"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Written, E> {
                Url::from_text(text).map(Written::Short).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
                Long::deserialize(MapAccessDeserializer::new(map)).map(|long| Written::Long(Box::new(long)))
            }
        }

        deserializer.deserialize_any(WrittenVisitor)
    }
}

/// Endpoints that are refused still count as written.
fn at_least_one<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<Spanned<Endpoint>>>, D::Error> {
    let written = Vec::<Spanned<Recovered<Endpoint>>>::deserialize(deserializer)?;
    if written.is_empty() {
        return Err(D::Error::custom("no endpoints\nname at least one, as in `[127.0.0.1:9001]`"));
    }
    Ok(Some(
        written
            .into_iter()
            .filter_map(|Spanned { span, value }| Some(Spanned::new(span, value.0?)))
            .collect(),
    ))
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EndpointVisitor;

        impl<'de> Visitor<'de> for EndpointVisitor {
            type Value = Endpoint;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address such as `127.0.0.1:9001`, or a map with `address` and `weight`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Endpoint, E> {
                Place::from_text(text).map(Endpoint::at).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Endpoint, A::Error> {
                let LongEndpoint { address, weight, priority, zone } =
                    LongEndpoint::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Endpoint { address, weight: weight.unwrap_or(1), priority, zone })
            }
        }

        deserializer.deserialize_any(EndpointVisitor)
    }
}

impl JsonSchema for Service {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Service".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let url = generator.subschema_for::<Url>();
        let long = Long::json_schema(generator);
        json_schema!({ "description": "a named set of endpoints, or the URL of a single one", "anyOf": [url, long] })
    }
}

impl JsonSchema for Endpoint {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Endpoint".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let address = generator.subschema_for::<Place>();
        let long = LongEndpoint::json_schema(generator);
        json_schema!({ "description": "one place where a service can be reached", "anyOf": [address, long] })
    }
}
