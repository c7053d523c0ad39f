use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::Switch;
use crate::matching::Method;
use crate::one_or_many::OneOrMany;
use crate::quantity::{Bounded, Duration, Percent, Rate, Size};
use crate::span::Spanned;
use crate::text::{FromText, Refusal, TextVisitor, text_type};

/// When a request is sent again. What a route says replaces all that its service says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Retry {
    /// How often a request is sent at most, from 1 to 10; 1 is never again. Default: 3, but only 2 if the service may have
    /// seen it and said nothing.
    pub attempts: Option<u8>,
    /// What is worth another attempt. Default: `[connect-failure, reset]`.
    pub on: Option<OneOrMany<Spanned<RetryOn>>>,
    /// Statuses with which a service of gRPC says that it did nothing, such as `[unavailable, resource-exhausted]`. A call
    /// is sent again if there was nothing in the answer but one of them, what the caller has sent is kept, and its deadline
    /// leaves time. Default: none.
    pub grpc_status: OneOrMany<GrpcStatus>,
    /// Methods that are sent again although the service may have seen the request. Those that are not idempotent need an
    /// `idempotency-key` as well. Default: the idempotent ones, and all others if there is such a key.
    pub methods: OneOrMany<Spanned<Method>>,
    /// The field with which a client says that its request may be sent twice, such as `Idempotency-Key`. Default: none.
    pub idempotency_key: Option<Spanned<String>>,
    /// The time of one attempt, until the head of its answer, within the `total` of `timeouts`. Default: no other.
    pub per_try: Option<Duration>,
    /// How long is waited before an attempt at an endpoint that was asked before, or after an answer that was refused.
    pub back_off: BackOff,
    /// So much of a request's content is kept, so that it can be sent again. Default: none; `64KiB` for calls of gRPC if
    /// there are statuses in `grpc-status`.
    pub keep: Option<Size>,
    /// So many of a service's requests of the last 10 seconds may be sent again, or `none` for no such limit.
    /// Default: `20% + 3/s`.
    pub budget: Option<Bounded<RetryBudget>>,
    /// Whether the reply says how many attempts there were, in `X-Menshen-Attempts`. Default: `off`.
    pub attempts_field: Option<Switch>,
}

/// How long is waited before another attempt: by chance up to `base`, then up to twice as long, up to `max`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct BackOff {
    /// The most before the second attempt. Default: `25ms`.
    pub base: Option<Duration>,
    /// The most before any attempt. Default: `250ms`.
    pub max: Option<Duration>,
}

/// What is worth another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryOn {
    /// The service has seen nothing of the request.
    ConnectFailure,
    /// The connection broke before the answer.
    Reset,
    /// There was no answer in time.
    Timeout,
    /// 502, 503 or 504.
    GatewayError,
    /// Any status from 500 on.
    ServerError,
    /// This status.
    Status(u16),
}

impl FromText for RetryOn {
    const WHAT: &'static str =
        "`connect-failure`, `reset`, `timeout`, `gateway-error`, `5xx` or a status such as `503`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        Ok(match text {
            "connect-failure" => Self::ConnectFailure,
            "reset" => Self::Reset,
            "timeout" => Self::Timeout,
            "gateway-error" => Self::GatewayError,
            "5xx" => Self::ServerError,
            _ => return Self::from_number(text),
        })
    }

    fn from_number(number: &str) -> Result<Self, Refusal> {
        match number.parse() {
            Ok(status @ 400..=599) => Ok(Self::Status(status)),
            Ok(_) => Err(Refusal::new(format!("{number} is no status that asks for another attempt"))
                .hint("statuses are 400 to 599")),
            Err(_) => Err(Refusal::new(format!("expected {}, found `{number}`", Self::WHAT))),
        }
    }
}

impl fmt::Display for RetryOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectFailure => f.write_str("connect-failure"),
            Self::Reset => f.write_str("reset"),
            Self::Timeout => f.write_str("timeout"),
            Self::GatewayError => f.write_str("gateway-error"),
            Self::ServerError => f.write_str("5xx"),
            Self::Status(status) => status.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for RetryOn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor(PhantomData))
    }
}

impl JsonSchema for RetryOn {
    fn schema_name() -> Cow<'static, str> {
        "RetryOn".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "what is worth another attempt",
            "anyOf": [
                { "enum": ["connect-failure", "reset", "timeout", "gateway-error", "5xx"] },
                { "type": "integer", "minimum": 400, "maximum": 599 }
            ]
        })
    }
}

/// A share of the live requests, and so many beside: `20% + 3/s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    /// The share.
    pub share: Percent,
    /// What may be sent again however few requests there are.
    pub least: Option<Rate>,
}

impl FromText for RetryBudget {
    const WHAT: &'static str = "a share and a rate such as `20% + 3/s`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let (share, least) = match text.split_once('+') {
            Some((share, least)) => (share.trim_end(), Some(Rate::from_text(least.trim_start())?)),
            None => (text, None),
        };
        Ok(Self { share: Percent::from_text(share)?, least })
    }

    fn from_number(number: &str) -> Result<Self, Refusal> {
        Err(Refusal::new("a budget is a share").hint(format!("write `{number}%` or `{number}% + 3/s`")))
    }
}

impl fmt::Display for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.share.fmt(f)?;
        self.least.map_or(Ok(()), |least| write!(f, " + {least}"))
    }
}

text_type!(RetryBudget, "RetryBudget", {
    "pattern": r"^[0-9]+(\.[0-9]+)?%( *\+ *[0-9]+/[0-9a-z]+)?$",
    "description": "a share of the live requests, and so many beside",
    "examples": ["20% + 3/s", "10%"]
});

/// A status of gRPC other than `ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are gRPC's")]
pub enum GrpcStatus {
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl GrpcStatus {
    /// Its number.
    pub fn number(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_a_budget_and_a_reason_or_refused(text in "[0-9a-z%+/. -]{0,12}") {
            if let Ok(budget) = text.parse::<RetryBudget>() {
                prop_assert_eq!(budget.to_string().parse::<RetryBudget>(), Ok(budget));
            }
            if let Ok(on) = RetryOn::from_text(&text) {
                prop_assert_eq!(RetryOn::from_text(&on.to_string()), Ok(on));
            }
        }
    }

    #[test]
    fn budgets_are_read_and_written() {
        for text in ["20% + 3/s", "12.5%", "0% + 10/m"] {
            assert_eq!(text.parse::<RetryBudget>().unwrap().to_string(), text);
        }
        for text in ["20", "20% + 3", "20% 3/s", "120%", ""] {
            assert!(text.parse::<RetryBudget>().is_err(), "{text}");
        }
    }

    #[test]
    fn reasons_are_names_or_statuses() {
        assert_eq!(RetryOn::from_text("503"), Ok(RetryOn::Status(503)));
        assert_eq!(RetryOn::from_number("429"), Ok(RetryOn::Status(429)));
        for text in ["200", "600", "sometimes", ""] {
            assert!(RetryOn::from_text(text).is_err(), "{text}");
        }
    }
}
