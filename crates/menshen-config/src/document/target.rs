use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::{GrpcStatus, Url};
use crate::node::Node;
use crate::text::{FromText, Refusal};

/// Where a route leads. Short forms: the name of a service, `http://host:port/base`, or `forward:/path`.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// To the service of this name.
    Service(Box<str>),
    /// To this URL, as if it were a service of its own.
    Url(Url),
    /// To whichever route matches this path instead, within the gateway.
    Forward(Box<str>),
    /// Nowhere: the client is told to ask somewhere else.
    Redirect(Redirect),
    /// Nowhere: the gateway answers itself.
    Respond(Box<Respond>),
}

/// Tells the client to ask somewhere else.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Redirect {
    /// The URL or path; may hold `{name}`s of the route's path.
    pub to: String,
    /// 301, 302, 303, 307 or 308. Default: 308.
    #[serde(default, deserialize_with = "redirect_status")]
    #[schemars(extend("enum" = [301, 302, 303, 307, 308, null]))]
    pub status: Option<u16>,
}

/// An answer of the gateway itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Respond {
    /// From 200 to 599. Default: 200.
    #[serde(deserialize_with = "status")]
    #[schemars(range(min = 200, max = 599))]
    pub status: Option<u16>,
    /// Header fields.
    pub headers: IndexMap<String, String>,
    /// The body as text; a content type, if wanted, goes to `headers`.
    pub body: Option<String>,
    /// The body as data, sent as `application/json`; not together with `body`.
    #[schemars(with = "Option<serde_json::Value>")]
    pub json: Option<Node>,
    /// What callers of gRPC get instead: a status, with the text of `body` as its message. Default: what they would take
    /// `status` for, such as `unavailable` for 503.
    pub grpc_status: Option<GrpcStatus>,
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let status = Option::<u16>::deserialize(deserializer)?;
    match status {
        Some(status) if !(200..=599).contains(&status) => Err(D::Error::custom(format!(
            "{status} is not the status of an answer\nwrite a number from 200 to 599"
        ))),
        _ => Ok(status),
    }
}

fn redirect_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let status = Option::<u16>::deserialize(deserializer)?;
    match status {
        Some(status) if ![301, 302, 303, 307, 308].contains(&status) => {
            Err(D::Error::custom(format!("{status} is not a redirect\nwrite 301, 302, 303, 307 or 308")))
        }
        _ => Ok(status),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Long {
    /// Tells the client to ask somewhere else.
    Redirect(WrittenRedirect),
    /// The gateway answers itself.
    Respond(Respond),
}

/// A [`Redirect`], or only the URL or path it leads to.
struct WrittenRedirect(Redirect);

impl<'de> Deserialize<'de> for WrittenRedirect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RedirectVisitor;

        impl<'de> Visitor<'de> for RedirectVisitor {
            type Value = Redirect;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL or path such as `https://example.org/`, or a map with `to` and `status`")
            }

            fn visit_str<E: Error>(self, to: &str) -> Result<Redirect, E> {
                Ok(Redirect { to: to.to_owned(), status: None })
            }

            fn visit_unit<E: Error>(self) -> Result<Redirect, E> {
                Err(E::missing_field("to"))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Redirect, A::Error> {
                Redirect::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(RedirectVisitor).map(Self)
    }
}

impl JsonSchema for WrittenRedirect {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WrittenRedirect".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<Redirect>();
        json_schema!({
            "anyOf": [
                {
                    "type": "string",
                    "description": "the URL or path, told with status 308",
                    "examples": ["https://example.org/new", "/new/{id}"]
                },
                long
            ]
        })
    }
}

impl FromText for Target {
    const WHAT: &'static str = "the name of a service, a URL, `forward:/path`, or a `redirect` or `respond`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        if let Some(path) = text.strip_prefix("forward:") {
            return match path.starts_with('/') {
                true => Ok(Self::Forward(path.into())),
                false => Err(Refusal::new(format!("`{text}` does not name a path"))
                    .hint(format!("write `forward:/{path}`"))),
            };
        }
        if text.contains("://") {
            return Url::from_text(text).map(Self::Url);
        }
        match text.is_empty() {
            true => Err(Refusal::new(format!("expected {}, found nothing", Self::WHAT))),
            false => Ok(Self::Service(text.into())),
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TargetVisitor;

        impl<'de> Visitor<'de> for TargetVisitor {
            type Value = Target;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Target::WHAT)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Target, E> {
                Target::from_text(text).map_err(E::custom)
            }

            fn visit_unit<E: Error>(self) -> Result<Target, E> {
                Err(E::invalid_type(Unexpected::Unit, &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Target, A::Error> {
                match Long::deserialize(MapAccessDeserializer::new(map))? {
                    Long::Redirect(WrittenRedirect(redirect)) => Ok(Target::Redirect(redirect)),
                    Long::Respond(Respond { body: Some(_), json: Some(_), .. }) => {
                        Err(A::Error::custom("both `body` and `json`\nkeep one of them"))
                    }
                    Long::Respond(respond) => Ok(Target::Respond(Box::new(respond))),
                }
            }
        }

        deserializer.deserialize_str(TargetVisitor)
    }
}

impl JsonSchema for Target {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = Long::json_schema(generator);
        json_schema!({
            "description": "where a route leads",
            "anyOf": [
                {
                    "type": "string",
                    "description": "the name of a service, a URL, or forward:/path",
                    "examples": ["users", "http://127.0.0.1:3000/base", "forward:/fallback"]
                },
                long
            ]
        })
    }
}
