use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Url;
use crate::quantity::{Duration, Percent, Size};
use crate::text::{FromText, Refusal, text_type};

/// Copies of requests go to another service, too; whatever comes of them, the request goes on as if there were none. Short
/// form: the service.
#[derive(Clone, Debug, PartialEq)]
pub struct Mirror {
    /// Where the copies go.
    pub to: MirrorTo,
    /// The share of the requests that is copied.
    pub share: Option<Percent>,
    /// The most content of a request that is copied.
    pub body_limit: Option<Size>,
    /// How long a copy may take.
    pub timeout: Option<Duration>,
    /// The most copies under way at once.
    pub at_most: Option<u32>,
}

/// Where copies of requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorTo {
    /// To the service of this name.
    Service(Box<str>),
    /// To this URL, as if it were a service of its own.
    Url(Url),
}

impl FromText for MirrorTo {
    const WHAT: &'static str = "the name of a service or a URL";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        if text.contains("://") {
            return Url::from_text(text).map(Self::Url);
        }
        match text.split_once(':') {
            Some(_) => Err(Refusal::new(format!("expected {}, found `{text}`", Self::WHAT))),
            None if text.is_empty() => Err(Refusal::new(format!("expected {}, found nothing", Self::WHAT))),
            None => Ok(Self::Service(text.into())),
        }
    }
}

impl fmt::Display for MirrorTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(name) => f.write_str(name),
            Self::Url(url) => url.fmt(f),
        }
    }
}

text_type!(MirrorTo, "MirrorTo", {
    "description": "the name of a service or a URL",
    "examples": ["users-next", "http://127.0.0.1:3000"]
});

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LongMirror {
    /// The service that gets the copies, or a URL.
    to: MirrorTo,
    /// The share of the requests that is copied, by chance. Default: `100%`.
    #[serde(default)]
    share: Option<Percent>,
    /// Requests with more content are not copied; at most `1MiB`. Default: `64KiB`.
    #[serde(default)]
    body_limit: Option<Size>,
    /// How long a copy may take in all, until its answer is read. Default: `5s`.
    #[serde(default)]
    timeout: Option<Duration>,
    /// So many copies of this route's requests are under way at once; what is more is not copied. Default: 100.
    #[serde(default)]
    at_most: Option<u32>,
}

impl<'de> Deserialize<'de> for Mirror {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MirrorVisitor;

        impl<'de> Visitor<'de> for MirrorVisitor {
            type Value = Mirror;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a service, a URL, or a map with `to`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Mirror, E> {
                let to = MirrorTo::from_text(text).map_err(E::custom)?;
                Ok(Mirror { to, share: None, body_limit: None, timeout: None, at_most: None })
            }

            fn visit_unit<E: Error>(self) -> Result<Mirror, E> {
                Err(E::missing_field("to"))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Mirror, A::Error> {
                let LongMirror { to, share, body_limit, timeout, at_most } =
                    LongMirror::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Mirror { to, share, body_limit, timeout, at_most })
            }
        }

        deserializer.deserialize_any(MirrorVisitor)
    }
}

impl JsonSchema for Mirror {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mirror".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let short = generator.subschema_for::<MirrorTo>();
        let long = LongMirror::json_schema(generator);
        json_schema!({ "description": "where copies of requests go", "anyOf": [short, long] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_go_to_a_service_or_a_url() {
        for text in ["users-next", "http://127.0.0.1:3000/base"] {
            assert_eq!(text.parse::<MirrorTo>().unwrap().to_string(), text);
        }
        for text in ["", "forward:/path", "ftp://a"] {
            assert!(text.parse::<MirrorTo>().is_err(), "{text}");
        }
    }
}
