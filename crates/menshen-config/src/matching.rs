//! What a request must look like: the `match` of a route and the `when` of a filter.

mod field;
mod host;
mod method;
mod pattern;
mod time;

use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::one_or_many::OneOrMany;
use crate::quantity::Cidr;
use crate::span::Spanned;
use crate::text::{FromText, Refusal};

pub use field::{FieldTest, FieldTests};
pub use host::HostPattern;
pub use method::Method;
pub use pattern::{PathPattern, Segment};
pub use time::{Daily, Day, TimeWindow, Timestamp};

/// Conditions on a request; all that are given must hold, and none is given means every request. Short form:
/// `/users/**`, `GET /users/{id}` or `GET|POST /users`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Match {
    /// One of these paths.
    pub path: OneOrMany<Spanned<PathPattern>>,
    /// One of these methods.
    pub method: OneOrMany<Spanned<Method>>,
    /// One of these hosts.
    pub host: OneOrMany<Spanned<HostPattern>>,
    /// Tests of header fields by name.
    pub headers: FieldTests,
    /// Tests of query parameters by name.
    pub query: FieldTests,
    /// Tests of cookies by name.
    pub cookies: FieldTests,
    /// Tests of the client's TLS connection by fact.
    pub tls: FieldTests,
    /// One of these client addresses.
    pub client: OneOrMany<Cidr>,
    /// A window of time.
    pub time: Option<Box<Spanned<TimeWindow>>>,
    /// A share of the requests.
    pub weight: Option<Box<Spanned<Weight>>>,
}

/// One of several routes by chance: the routes of a group share the requests that match them all.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Weight {
    /// The name of the group.
    pub group: String,
    /// This route's part, in proportion to the parts of the others in the group.
    pub share: u32,
}

/// The long form of [`Match`].
#[derive(Deserialize, JsonSchema)]
#[serde(rename = "Match", rename_all = "kebab-case", default, deny_unknown_fields)]
#[derive(Default)]
struct Long {
    /// The path, or one of several: `/users/**`, `/users/{id}`, `/img-*.png`.
    path: OneOrMany<Spanned<PathPattern>>,
    /// The method, or one of several.
    method: OneOrMany<Spanned<Method>>,
    /// The host, or one of several: `api.example.org`, `*.example.org`.
    host: OneOrMany<Spanned<HostPattern>>,
    /// Header fields: `x-beta: present`.
    headers: IndexMap<String, Spanned<FieldTest>>,
    /// Query parameters.
    query: IndexMap<String, Spanned<FieldTest>>,
    /// Cookies.
    cookies: IndexMap<String, Spanned<FieldTest>>,
    /// Facts of the client's TLS connection: `version`, `cipher`, `server-name`, `client.subject`, `client.fingerprint`,
    /// `client.san`.
    tls: IndexMap<String, Spanned<FieldTest>>,
    /// Address ranges of the client.
    client: OneOrMany<Cidr>,
    /// A window of time.
    time: Option<Spanned<TimeWindow>>,
    /// A share of the requests.
    weight: Option<Spanned<Weight>>,
}

impl From<Long> for Match {
    fn from(long: Long) -> Self {
        let Long { path, method, host, headers, query, cookies, tls, client, time, weight } = long;
        Self {
            path,
            method,
            host,
            headers: headers.into(),
            query: query.into(),
            cookies: cookies.into(),
            tls: tls.into(),
            client,
            time: time.map(Box::new),
            weight: weight.map(Box::new),
        }
    }
}

/// `GET|POST /users`: methods and a path, or only a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Short {
    pub(crate) methods: Vec<Method>,
    pub(crate) path: PathPattern,
}

impl FromText for Short {
    const WHAT: &'static str = "a match such as `GET /users/**`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let (methods, path) = match text.split_once(' ') {
            None if text.starts_with('/') => (Vec::new(), text),
            None => {
                return Err(Refusal::new(format!("`{text}` is not a match"))
                    .hint("write a path such as `/users/**`, or `GET /users/**`"));
            }
            Some((methods, path)) => {
                (methods.split('|').map(Method::from_text).collect::<Result<_, _>>()?, path.trim_start())
            }
        };
        Ok(Self { methods, path: PathPattern::from_text(path)? })
    }
}

impl<'de> Deserialize<'de> for Match {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { span, value } = Spanned::<Written>::deserialize(deserializer)?;
        Ok(match value {
            Written::Long(long) => Match::from(*long),
            Written::Short(Short { methods, path }) => Match {
                path: OneOrMany(vec![Spanned::new(span, path)]),
                method: methods.into_iter().map(|method| Spanned::new(span, method)).collect(),
                ..Match::default()
            },
        })
    }
}

enum Written {
    Short(Short),
    Long(Box<Long>),
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WrittenVisitor;

        impl<'de> Visitor<'de> for WrittenVisitor {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a match such as `GET /users/**`, or a map of conditions")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Written, E> {
                Short::from_text(text).map(Written::Short).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
                Long::deserialize(MapAccessDeserializer::new(map)).map(|long| Written::Long(Box::new(long)))
            }
        }

        deserializer.deserialize_any(WrittenVisitor)
    }
}

impl JsonSchema for Match {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Match".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = Long::json_schema(generator);
        json_schema!({
            "description": "conditions on a request; all that are given must hold",
            "anyOf": [
                {
                    "type": "string",
                    "pattern": r"^([A-Z|-]+ +)?/\S*$",
                    "description": "a path, or methods and a path",
                    "examples": ["/users/**", "GET /users/{id}", "GET|POST /users"]
                },
                long
            ]
        })
    }
}
