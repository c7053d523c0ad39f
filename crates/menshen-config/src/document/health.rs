use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::one_or_many::OneOrMany;
use crate::quantity::{Duration, Percent};
use crate::text::{FromText, Refusal, text_type};

/// How the endpoints of a service are checked. Short form: the path that is asked for, `grpc`, or `tcp`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// The path that is asked for; nothing to see only whether somebody listens.
    pub get: Option<CheckPath>,
    /// What grpc.health.v1 is asked about: a service of gRPC, or nothing for the server as a whole.
    pub grpc: Option<Box<str>>,
    /// The `Host` that is asked for. Default: the endpoint's.
    pub host: Option<Box<str>>,
    /// Another port than that of the endpoint.
    pub port: Option<NonZeroU16>,
    /// How often. Default: `5s`.
    pub every: Option<Duration>,
    /// How long one check may take. Default: `2s`.
    pub timeout: Option<Duration>,
    /// How many checks in a row must pass until an endpoint is well again. Default: 2.
    pub rise: Option<NonZeroU32>,
    /// How many checks in a row must fail until an endpoint is not well. Default: 3.
    pub fall: Option<NonZeroU32>,
    /// The statuses that pass. Default: `200..299`.
    pub expect: OneOrMany<Statuses>,
    /// What an endpoint is before its first check. Default: `healthy`.
    pub start: Start,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename = "Health", rename_all = "kebab-case", deny_unknown_fields)]
struct Long {
    /// The path that is asked for. Default: none; it is enough that somebody listens.
    #[serde(default)]
    get: Option<CheckPath>,
    /// What is asked about by the protocol of gRPC, `grpc.health.v1.Health`: a service such as `acme.shop.v1.Orders`, or `""` for
    /// the server as a whole. Default: nothing; the short form `health: grpc` is the server.
    #[serde(default)]
    grpc: Option<Box<str>>,
    /// The `Host` that is asked for. Default: the endpoint's.
    #[serde(default)]
    host: Option<Box<str>>,
    /// Another port than that of the endpoint.
    #[serde(default)]
    port: Option<NonZeroU16>,
    /// How often; each time a little earlier or later, so that checks do not fall together. Default: `5s`.
    #[serde(default)]
    every: Option<Duration>,
    /// How long one check may take. Default: `2s`.
    #[serde(default)]
    timeout: Option<Duration>,
    /// How many checks in a row must pass until an endpoint is well again. Default: 2.
    #[serde(default)]
    rise: Option<NonZeroU32>,
    /// How many checks in a row must fail until an endpoint is not well. Default: 3.
    #[serde(default)]
    fall: Option<NonZeroU32>,
    /// The statuses that pass. Default: `200..299`.
    #[serde(default)]
    expect: OneOrMany<Statuses>,
    /// What an endpoint is before its first check. Default: `healthy`.
    #[serde(default)]
    start: Start,
}

/// What an endpoint is before its first check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Well: it gets requests at once.
    #[default]
    Healthy,
    /// Not well: it gets requests after its first check has passed.
    Unhealthy,
}

/// A path for a check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckPath(pub Box<str>);

impl FromText for CheckPath {
    const WHAT: &'static str = "a path such as `/health`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self(text.into())),
            false => Err(Refusal::new(format!("`{text}` is not a path")).hint("write for example `/health`")),
        }
    }
}

impl fmt::Display for CheckPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(CheckPath, "CheckPath", {
    "pattern": "^/",
    "description": "a path, with a query if there is one",
    "examples": ["/health"]
});

/// A status or a range of them: `200`, `200..299`, `5xx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Statuses {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

impl Statuses {
    /// True when it is one of them.
    pub fn contains(self, status: u16) -> bool {
        (self.from..=self.to).contains(&status)
    }
}

impl FromText for Statuses {
    const WHAT: &'static str = "a status or a range such as `200..299`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let refused = || {
            Refusal::new(format!("`{text}` is no range of statuses"))
                .hint("write for example `204`, `200..299` or `5xx`")
        };
        let one =
            |text: &str| text.parse().ok().filter(|status| (100..=599).contains(status)).ok_or_else(refused);
        let (from, to) = match (text.split_once(".."), text.strip_suffix("xx")) {
            (Some((from, to)), _) => (one(from)?, one(to)?),
            (None, Some(hundreds)) => {
                let from: u16 = one(&format!("{hundreds}00"))?;
                (from, from + 99)
            }
            (None, None) => (one(text)?, one(text)?),
        };
        if from > to { Err(refused()) } else { Ok(Self { from, to }) }
    }

    fn from_number(number: &str) -> Result<Self, Refusal> {
        Self::from_text(number)
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            write!(f, "{}", self.from)
        } else {
            write!(f, "{}..{}", self.from, self.to)
        }
    }
}

text_type!(Statuses, "Statuses", {
    "description": "a status or a range of them",
    "examples": ["200..299", "204", "5xx"]
});

/// When an endpoint gets no requests for a while because requests fail there, or `off`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Eject {
    /// After 5 failures in a row to connect.
    #[default]
    Default,
    /// Never.
    Off,
    /// As it says.
    On(EjectRules),
}

/// When an endpoint gets no requests for a while because requests fail there.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct EjectRules {
    /// After so many failures in a row; 0 for never. Default: 5.
    pub failures: Option<u32>,
    /// When so large a share of so many answers in a time failed, such as `50% of 20 in 10s`. Default: never.
    pub error_share: Option<ErrorShare>,
    /// Answers that take longer count as failures. Default: none.
    pub slower_than: Option<Duration>,
    /// Statuses that count as failures; they are from 500 to 599. Default: `500..599`.
    pub statuses: Option<OneOrMany<Statuses>>,
    /// For how long; twice as long each time it happens again soon. Default: `30s`.
    #[serde(rename = "for")]
    pub length: Option<Duration>,
    /// For how long at most. Default: `5m`.
    pub up_to: Option<Duration>,
    /// Of all endpoints, at most this share at once; one of several always may. Default: `50%`.
    pub at_most: Option<Percent>,
}

/// A share of failures: `50% of 20 in 10s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorShare {
    /// How large a share.
    pub share: Percent,
    /// Of at least so many.
    pub of: NonZeroU32,
    /// In which time.
    pub within: Duration,
}

impl FromText for ErrorShare {
    const WHAT: &'static str = "a share of failures such as `50% of 20 in 10s`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let refused = || {
            Refusal::new(format!("`{text}` is no share of failures"))
                .hint("write for example `50% of 20 in 10s`")
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let [share, "of", of, "in", within] = words[..] else { return Err(refused()) };
        Ok(Self {
            share: Percent::from_text(share)?,
            of: of.parse().map_err(|_| refused())?,
            within: Duration::from_text(within)?,
        })
    }
}

impl fmt::Display for ErrorShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} in {}", self.share, self.of, self.within)
    }
}

text_type!(ErrorShare, "ErrorShare", {
    "pattern": r"^[0-9.]+% of [0-9]+ in [0-9a-z]+$",
    "description": "a share of failures, of at least so many answers, in a time",
    "examples": ["50% of 20 in 10s"]
});

impl<'de> Deserialize<'de> for Health {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HealthVisitor;

        impl<'de> Visitor<'de> for HealthVisitor {
            type Value = Health;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path such as `/health`, `grpc`, `tcp`, or a map")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Health, E> {
                match text {
                    "tcp" => Ok(Health::default()),
                    "grpc" => Ok(Health { grpc: Some("".into()), ..Health::default() }),
                    _ => {
                        let get = CheckPath::from_text(text).map_err(E::custom)?;
                        Ok(Health { get: Some(get), ..Health::default() })
                    }
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Health, A::Error> {
                let Long { get, grpc, host, port, every, timeout, rise, fall, expect, start } =
                    Long::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Health { get, grpc, host, port, every, timeout, rise, fall, expect, start })
            }
        }

        deserializer.deserialize_any(HealthVisitor)
    }
}

impl JsonSchema for Health {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Health".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let path = generator.subschema_for::<CheckPath>();
        let long = Long::json_schema(generator);
        json_schema!({ "description": "how endpoints are checked", "anyOf": [
            path,
            { "const": "grpc", "description": "what the protocol of gRPC for health checks says of the server" },
            { "const": "tcp", "description": "somebody listens" },
            long,
        ] })
    }
}

impl<'de> Deserialize<'de> for Eject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EjectVisitor;

        impl<'de> Visitor<'de> for EjectVisitor {
            type Value = Eject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`off`, or a map such as `{ failures: 5, for: 30s }`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Eject, E> {
                match text {
                    "off" => Ok(Eject::Off),
                    _ => Err(E::custom(format!(
                        "`{text}` is not a way to eject\nwrite `off`, or a map such as `{{ failures: 5, for: 30s }}`"
                    ))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Eject, A::Error> {
                EjectRules::deserialize(MapAccessDeserializer::new(map)).map(Eject::On)
            }
        }

        deserializer.deserialize_any(EjectVisitor)
    }
}

impl JsonSchema for Eject {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Eject".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let rules = generator.subschema_for::<EjectRules>();
        json_schema!({
            "description": "when an endpoint gets no requests for a while because requests fail there",
            "anyOf": [{ "const": "off", "description": "never" }, rules]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_one_or_a_range() {
        for (text, from, to) in [("204", 204, 204), ("200..299", 200, 299), ("5xx", 500, 599)] {
            assert_eq!(text.parse::<Statuses>().unwrap(), Statuses { from, to });
        }
        assert!(
            ["299..200", "abc", "99", "6xx", "", "200..", "xx"]
                .iter()
                .all(|t| t.parse::<Statuses>().is_err())
        );
    }

    #[test]
    fn shares_of_failures_are_read_as_they_are_said() {
        assert_eq!("50% of 20 in 10s".parse::<ErrorShare>().unwrap().to_string(), "50% of 20 in 10s");
        assert!(
            ["50% of 0 in 10s", "50%", "50 of 20 in 10s", "50% of 20 in 10"]
                .iter()
                .all(|t| t.parse::<ErrorShare>().is_err())
        );
    }
}
