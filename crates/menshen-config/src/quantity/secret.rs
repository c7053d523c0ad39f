use std::fmt;

use crate::text::{FromText, Refusal, text_type};

/// Where a secret is kept: `env:NAME` or `file:/path`. The document never holds the secret itself, so it can be
/// printed, diffed and shown; whoever needs the value looks it up when the configuration is compiled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Secret {
    /// In the environment variable of this name.
    Env(Box<str>),
    /// In the file at this absolute path; one line break at its end is no part of it.
    File(Box<str>),
}

/// What is said where a secret may have been written itself: excerpts of such places are not shown.
pub(crate) const SECRET_IN_PLAIN: &str = "a secret must not stand in the document";

impl FromText for Secret {
    const WHAT: &'static str = "a reference to a secret such as `env:API_KEY`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        if let Some(name) = text.strip_prefix("env:") {
            let valid =
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !name.is_empty();
            return match valid {
                true => Ok(Self::Env(name.into())),
                false => Err(Refusal::new(format!("`{name}` is not the name of an environment variable"))),
            };
        }
        if let Some(path) = text.strip_prefix("file:") {
            return match path.starts_with('/') {
                true => Ok(Self::File(path.into())),
                false => Err(Refusal::new("a secret's file needs an absolute path")
                    .hint(format!("write `file:/…/{path}`"))),
            };
        }
        // The text may be the secret: it must not turn up in a message.
        Err(Refusal::new(SECRET_IN_PLAIN).hint("write `env:NAME` or `file:/path`"))
    }

    fn from_number(_: &str) -> Result<Self, Refusal> {
        Self::from_text("")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Env(name) => write!(f, "env:{name}"),
            Secret::File(path) => write!(f, "file:{path}"),
        }
    }
}

text_type!(Secret, "Secret", {
    "pattern": r"^(env:[A-Za-z0-9_]+|file:/.*)$",
    "description": "where a secret is kept: env:NAME or file:/path",
    "examples": ["env:API_KEY", "file:/run/secrets/api-key"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_reference() {
        assert_eq!("env:API_KEY".parse::<Secret>().unwrap().to_string(), "env:API_KEY");
        assert_eq!("file:/run/key".parse::<Secret>().unwrap(), Secret::File("/run/key".into()));
    }

    #[test]
    fn a_plain_secret_is_refused_and_not_repeated() {
        let refusal = "hunter2".parse::<Secret>().unwrap_err();
        assert!(!format!("{refusal:?}").contains("hunter2"));
    }
}
