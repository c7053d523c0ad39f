//! Kinds of failures, as `error-page` and `fallback` name them.

use menshen_config::did_you_mean;
use menshen_proxy::Failure;
use schemars::JsonSchema;
use serde::Deserialize;

/// A status such as `404`, a class such as `5xx`, or a stable code such as `no-endpoint`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("examples" = ["404", "5xx", "no-endpoint", "rate-limited"]))]
pub(crate) enum Trigger {
    /// Every status that starts with this digit.
    Class(u16),
    /// This status.
    Status(u16),
    /// This code, wherever it leads.
    Code(Box<str>),
}

/// The codes of failures after which somebody is left to read the answer.
fn codes() -> impl Iterator<Item = &'static str> {
    Failure::all().filter(|f| !f.leaves_nobody()).map(Failure::code)
}

impl TryFrom<String> for Trigger {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(class) = text.strip_suffix("xx") {
            return match class {
                "4" => Ok(Self::Class(4)),
                "5" => Ok(Self::Class(5)),
                _ => Err(format!("`{text}` is not a class of failures\nwrite `4xx` or `5xx`")),
            };
        }
        if let Ok(status) = text.parse::<u16>() {
            return match status {
                400..=599 => Ok(Self::Status(status)),
                _ => Err(format!("{status} is not the status of a failure\nwrite a number from 400 to 599")),
            };
        }
        if codes().any(|code| code == text) {
            return Ok(Self::Code(text.into()));
        }
        let hint = match did_you_mean(&text, codes()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write a status such as `404`, a class such as `5xx`, or a code such as `no-endpoint`"
                .to_owned(),
        };
        Err(format!("`{text}` is not a failure\n{hint}"))
    }
}

impl Trigger {
    /// True when a reply with this status, made for a failure with this code, is meant.
    pub(crate) fn matches(&self, status: u16, code: Option<&str>) -> bool {
        match self {
            Self::Class(digit) => status / 100 == *digit,
            Self::Status(wanted) => status == *wanted,
            Self::Code(wanted) => code == Some(&**wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(text: &str) -> Result<Trigger, String> {
        text.to_owned().try_into()
    }

    #[test]
    fn a_status_a_class_and_a_code_mean_what_they_say() {
        assert!(trigger("503").unwrap().matches(503, None) && !trigger("503").unwrap().matches(502, None));
        assert!(trigger("5xx").unwrap().matches(502, None) && !trigger("5xx").unwrap().matches(404, None));
        let code = trigger("no-endpoint").unwrap();
        assert!(code.matches(503, Some("no-endpoint")) && !code.matches(503, None));
        assert!(
            trigger("no-route").unwrap() > trigger("404").unwrap()
                && trigger("404").unwrap() > trigger("4xx").unwrap()
        );
    }

    #[test]
    fn every_code_that_a_client_can_see_is_a_failure() {
        for failure in Failure::all() {
            let code = failure.code();
            assert_eq!(trigger(code).is_ok(), !failure.leaves_nobody(), "{code}");
        }
        assert!(trigger("nameless-segment").unwrap().matches(400, Some("nameless-segment")));
    }

    #[test]
    fn what_is_no_failure_is_refused() {
        for (text, hint) in [
            ("200", "write a number from 400 to 599"),
            ("2xx", "write `4xx` or `5xx`"),
            ("no-endpoints", "did you mean `no-endpoint`?"),
            ("zzzzzzzzzzzzz", "write a status such as `404`"),
        ] {
            assert!(trigger(text).unwrap_err().contains(hint), "{text}");
        }
    }
}
