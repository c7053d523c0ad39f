//! Why there is no certificate, in people's words.

use std::time::{Duration, Instant};

use instant_acme::{Error, Problem};

use super::https::Refusal;
use crate::causes::causes;

/// Why there is no certificate.
#[derive(Debug)]
pub(super) enum NoCertificate {
    /// The authority does not know the account.
    UnknownAccount,
    /// It did not like our nonces, again and again (RFC 8555 §6.5): all of it can be said once more.
    LostNonce,
    /// It does not want to be asked for so long, for this reason.
    Later(Duration, String),
    /// For this reason.
    Because(String),
}

impl NoCertificate {
    /// The reason for people.
    pub(super) fn text(self) -> String {
        match self {
            Self::UnknownAccount => "the authority does not know the account".to_owned(),
            Self::LostNonce => "the authority takes none of the nonces that it gives".to_owned(),
            Self::Later(_, why) | Self::Because(why) => why,
        }
    }
}

impl NoCertificate {
    /// For how long the authority does not want to be asked, and the reason for people.
    pub(super) fn parts(self) -> (Option<Duration>, String) {
        match self {
            Self::Later(wait, why) => (Some(wait), why),
            other => (None, other.text()),
        }
    }
}

impl From<Error> for NoCertificate {
    fn from(error: Error) -> Self {
        let why = explain(&error);
        match &error {
            Error::Api(problem) => match kind(problem) {
                "accountDoesNotExist" => Self::UnknownAccount,
                "badNonce" => Self::LostNonce,
                _ => Self::Because(why),
            },
            // An answer to "are you done?" that is "not for long".
            Error::Timeout(Some(next)) => Self::Later(next.saturating_duration_since(Instant::now()), why),
            Error::Other(other) => match other.downcast_ref::<Refusal>().and_then(|r| r.wait) {
                Some(wait) => Self::Later(wait, why),
                None => Self::Because(why),
            },
            _ => Self::Because(why),
        }
    }
}

impl From<String> for NoCertificate {
    fn from(why: String) -> Self {
        Self::Because(why)
    }
}

/// Why an authority refused, as it says it.
pub(super) fn explain(error: &Error) -> String {
    match error {
        Error::Api(problem) => problem_text(problem),
        Error::Json(error) => format!("the authority said something that nobody understands: {error}"),
        other => causes(other),
    }
}

/// A problem of the protocol (RFC 8555 §6.7) as people say it.
pub(super) fn problem_text(problem: &Problem) -> String {
    let kind = kind(problem);
    let mut text = match &problem.detail {
        Some(detail) => format!("{detail} ({kind})"),
        None => kind.to_owned(),
    };
    for sub in &problem.subproblems {
        text = format!("{text}; {sub}");
    }
    text
}

fn kind(problem: &Problem) -> &str {
    let kind = problem.r#type.as_deref().unwrap_or("no reason");
    kind.strip_prefix("urn:ietf:params:acme:error:").unwrap_or(kind)
}
