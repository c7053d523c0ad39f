use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Address, CallTimeouts, Discover, Place, Prefix, Protocol, Retry, ServiceTls, Url};
use crate::decode::Recovered;
use crate::quantity::{Bounded, Duration, PerWorker};
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
    /// How long is waited for it.
    pub timeouts: CallTimeouts,
    /// When a request is sent again because of the answer.
    pub retry: Retry,
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
    /// How long is waited for it. Default: that of the listener.
    #[serde(default)]
    timeouts: CallTimeouts,
    /// When a request is sent again because of the answer. Default: never.
    #[serde(default)]
    retry: Retry,
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
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LongEndpoint {
    /// Host and port, or a Unix socket.
    address: Place,
    /// Its part of the requests in proportion to the others'; 0 gets none. Default: 1.
    #[serde(default)]
    weight: Option<u32>,
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

/// Who gets the next request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// One after the other, by weight.
    #[default]
    RoundRobin,
    /// By chance, by weight.
    Random,
    /// Of two by chance, the one with fewer requests in flight.
    LeastRequests,
}

/// Connections to a service that are kept open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Pool {
    /// How many idle ones are kept for each endpoint. Default: `1024 per worker`.
    pub idle: Option<PerWorker>,
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
            timeouts,
            retry,
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
            timeouts,
            retry,
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
        let endpoints = vec![Spanned::new(span, Endpoint { address: Place::Net(address), weight: 1 })];
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
                Ok(Endpoint { address: Place::from_text(text).map_err(E::custom)?, weight: 1 })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Endpoint, A::Error> {
                let LongEndpoint { address, weight } =
                    LongEndpoint::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Endpoint { address, weight: weight.unwrap_or(1) })
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
