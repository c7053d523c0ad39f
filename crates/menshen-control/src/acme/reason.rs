//! Why there is no certificate, in people's words.

use instant_acme::{Error, Problem};

use crate::causes::causes;

/// Why there is no certificate.
#[derive(Debug)]
pub(super) enum NoCertificate {
    /// The authority does not know the account.
    UnknownAccount,
    /// It did not like our nonces, again and again (RFC 8555 §6.5): all of it can be said once more.
    LostNonce,
    /// For this reason.
    Because(String),
}

impl NoCertificate {
    /// The reason for people.
    pub(super) fn text(self) -> String {
        match self {
            Self::UnknownAccount => "the authority does not know the account".to_owned(),
            Self::LostNonce => "the authority takes none of the nonces that it gives".to_owned(),
            Self::Because(why) => why,
        }
    }
}

impl From<Error> for NoCertificate {
    fn from(error: Error) -> Self {
        let Error::Api(problem) = &error else { return Self::Because(explain(&error)) };
        match kind(problem) {
            "accountDoesNotExist" => Self::UnknownAccount,
            "badNonce" => Self::LostNonce,
            _ => Self::Because(explain(&error)),
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
