use std::fmt;
use std::num::NonZeroU32;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::RetryOn;
use crate::one_or_many::OneOrMany;
use crate::quantity::{Duration, Percent};
use crate::span::Spanned;
use crate::text::{FromText, Refusal, text_type};

/// When a service is not asked for a while, because it fails too often.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Breaker {
    /// The time that is looked back on, from `1s` to `30s`. Default: `10s`.
    pub window: Option<Duration>,
    /// So many requests must have been made in that time. Default: 20.
    pub requests: Option<u32>,
    /// So many of them must have failed. Default: `50%`.
    pub errors: Option<Percent>,
    /// How long the service is not asked then; after that one request tries. Default: `5s`.
    pub open_for: Option<Duration>,
    /// Statuses of the service that are failures too: `5xx`, `gateway-error` or numbers. No answer is always one.
    /// Default: none.
    pub on: OneOrMany<Spanned<RetryOn>>,
}

/// A second attempt elsewhere when the first takes long, for safe methods without content; the first answer counts.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Hedge {
    /// How long the first may take: a time, or a quantile of what the service took lately, such as `p95`.
    pub after: HedgeAfter,
    /// So many of the requests of the last 10 seconds may be made twice. Default: `10%`.
    #[serde(default)]
    pub at_most: Option<Percent>,
}

/// How long a first attempt may take before there is a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HedgeAfter {
    /// So long.
    Time(Duration),
    /// Longer than so many percent of those before.
    Quantile(f64),
}

impl FromText for HedgeAfter {
    const WHAT: &'static str = "a time such as `50ms`, or a quantile such as `p95`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let Some(percent) = text.strip_prefix('p') else {
            return Duration::from_text(text).map(Self::Time);
        };
        let is_number = percent.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        match percent.parse::<f64>() {
            Ok(percent) if is_number && (50.0..100.0).contains(&percent) => Ok(Self::Quantile(percent)),
            _ => {
                Err(Refusal::new(format!("`{text}` is not a quantile"))
                    .hint("quantiles are `p50` to `p99.9`"))
            }
        }
    }
}

impl fmt::Display for HedgeAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => time.fmt(f),
            Self::Quantile(percent) => write!(f, "p{percent}"),
        }
    }
}

text_type!(HedgeAfter, "HedgeAfter", {
    "description": "a time, or a quantile of what the service took lately",
    "examples": ["p95", "50ms"]
});

/// How many requests may be under way at a service at once. Short forms: a number, or `adaptive`.
#[derive(Clone, Debug, PartialEq)]
pub struct Concurrency {
    /// How many.
    pub limit: ConcurrencyLimit,
    /// How many at each endpoint.
    pub per_endpoint: Option<u32>,
    /// Who waits when there are as many.
    pub queue: Option<Queue>,
}

/// How many requests may be under way at once.
#[derive(Clone, Debug, PartialEq)]
pub enum ConcurrencyLimit {
    /// So many.
    Fixed(u32),
    /// As many as the service can do without getting slower.
    Adaptive(Adaptive),
}

/// A limit that moves with what the service takes (Gradient2 of Netflix' concurrency-limits).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Adaptive {
    /// Never less. Default: 20.
    pub min: Option<u32>,
    /// Never more. Default: 200.
    pub max: Option<u32>,
    /// How fast the limit moves, as a share of the way for each window of a second. Default: `20%`.
    pub smoothing: Option<Percent>,
    /// How much slower than usual is still good, such as 1.5 for half as much again. Default: 1.5.
    pub tolerance: Option<f64>,
}

/// Requests that wait for others to end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Queue {
    /// How many may wait.
    pub length: u32,
    /// How long.
    pub wait: Duration,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LongConcurrency {
    /// So many at once. Default: any number, if there is a limit `per-endpoint`.
    #[serde(default)]
    limit: Option<u32>,
    /// As many at once as the service can do without getting slower.
    #[serde(default)]
    adaptive: Option<Adaptive>,
    /// So many at once at each endpoint; requests go to others meanwhile, and none waits for that.
    #[serde(default)]
    per_endpoint: Option<NonZeroU32>,
    /// Requests that wait for others to end. Default: none waits.
    #[serde(default)]
    queue: Option<Queue>,
}

impl<'de> Deserialize<'de> for Concurrency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ConcurrencyVisitor;

        impl<'de> Visitor<'de> for ConcurrencyVisitor {
            type Value = Concurrency;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, `adaptive`, or a map with `limit` or `adaptive`")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Concurrency, E> {
                fixed(number).map(Concurrency::of)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Concurrency, E> {
                match text {
                    "adaptive" => Ok(Concurrency::of(ConcurrencyLimit::Adaptive(Adaptive::default()))),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Concurrency, A::Error> {
                let LongConcurrency { limit, adaptive, per_endpoint, queue } =
                    LongConcurrency::deserialize(MapAccessDeserializer::new(map))?;
                let limit = match (limit, adaptive) {
                    (None, None) if per_endpoint.is_some() => ConcurrencyLimit::Fixed(u32::MAX),
                    (Some(number), None) => fixed(i64::from(number))?,
                    (None, Some(adaptive)) => ConcurrencyLimit::Adaptive(adaptive),
                    _ => return Err(A::Error::custom("one of `limit` and `adaptive` is needed, not both")),
                };
                Ok(Concurrency { limit, per_endpoint: per_endpoint.map(NonZeroU32::get), queue })
            }
        }

        deserializer.deserialize_any(ConcurrencyVisitor)
    }
}

impl Concurrency {
    fn of(limit: ConcurrencyLimit) -> Self {
        Self { limit, per_endpoint: None, queue: None }
    }
}

fn fixed<E: Error>(number: i64) -> Result<ConcurrencyLimit, E> {
    match u32::try_from(number) {
        Ok(number @ 1..) => Ok(ConcurrencyLimit::Fixed(number)),
        _ => Err(E::custom("at least one request must be allowed at once")),
    }
}

impl JsonSchema for Concurrency {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Concurrency".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = LongConcurrency::json_schema(generator);
        json_schema!({
            "description": "how many requests may be under way at once",
            "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "adaptive" }, long]
        })
    }
}

/// Who goes first when not all can be served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Refused when a service has 80% of the requests that it may have; waits behind all others.
    Low,
    /// As most.
    #[default]
    Normal,
    /// Waits in front of all others.
    High,
}

/// The priority of a route's requests. Short form: its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutePriority {
    /// Where the field does not say otherwise.
    pub default: Priority,
    /// A field of the request that says `low`, `normal` or `high`.
    pub field: Option<Spanned<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LongPriority {
    /// A field of the request that says `low`, `normal` or `high`, set by a filter. What clients send is believed too,
    /// unless a filter removes it.
    field: Spanned<String>,
    /// What holds where it says nothing of that kind. Default: `normal`.
    #[serde(default)]
    default: Priority,
}

impl<'de> Deserialize<'de> for RoutePriority {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PriorityVisitor;

        impl<'de> Visitor<'de> for PriorityVisitor {
            type Value = RoutePriority;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`low`, `normal`, `high`, or a map with `field`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RoutePriority, E> {
                let deserializer = serde::de::value::StrDeserializer::<E>::new(text);
                Priority::deserialize(deserializer).map(|default| RoutePriority { default, field: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RoutePriority, A::Error> {
                let LongPriority { field, default } =
                    LongPriority::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RoutePriority { default, field: Some(field) })
            }
        }

        deserializer.deserialize_any(PriorityVisitor)
    }
}

impl JsonSchema for RoutePriority {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RoutePriority".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let short = generator.subschema_for::<Priority>();
        let long = LongPriority::json_schema(generator);
        json_schema!({ "description": "who goes first when not all can be served", "anyOf": [short, long] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hedges_start_after_a_time_or_a_quantile() {
        for text in ["p95", "p99.9", "50ms"] {
            assert_eq!(text.parse::<HedgeAfter>().unwrap().to_string(), text);
        }
        for text in ["p", "p100", "p10", "pNaN", "95", "soon"] {
            assert!(text.parse::<HedgeAfter>().is_err(), "{text}");
        }
    }
}
