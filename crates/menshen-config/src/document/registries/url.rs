use std::fmt;

use crate::document::{Protocol, Url};
use crate::quantity::SECRET_IN_PLAIN;
use crate::text::{FromText, Refusal, text_type};

/// Where a registry is: `http://10.0.0.1:8761/eureka/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegistryUrl(pub Url);

impl FromText for RegistryUrl {
    const WHAT: &'static str = "the URL of a registry such as `http://10.0.0.1:8761/eureka/`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        if text.contains('@') {
            // It may hold a password: neither the text nor its line is repeated.
            return Err(Refusal::new(SECRET_IN_PLAIN).hint(
                "leave `user:password@` out of the URL; write `user: NAME` and `password: env:NAME` beside it",
            ));
        }
        let url = Url::from_text(text)?;
        match url.protocol {
            Protocol::Http | Protocol::Https => Ok(Self(url)),
            other => Err(Refusal::new(format!("registries do not speak `{}`", other.scheme()))
                .hint("write `http://host:port` or `https://host:port`")),
        }
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_type!(RegistryUrl, "RegistryUrl", {
    "pattern": "^https?://[^/?#@]+(/[^?#]*)?$",
    "description": "where a registry is",
    "examples": ["http://10.0.0.1:8761/eureka/", "https://consul.internal:8501"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        let refusal = "http://anna:hunter2@eureka:8761/eureka/".parse::<RegistryUrl>().unwrap_err();
        assert!(refusal.hint.as_deref().is_some_and(|hint| hint.contains("password: env:NAME")));
        assert!(!format!("{refusal:?}").contains("hunter2"));
    }

    #[test]
    fn registries_are_asked_over_http() {
        assert!("http://10.0.0.1:8761/eureka/".parse::<RegistryUrl>().is_ok());
        assert!("h2://10.0.0.1:8761/eureka/".parse::<RegistryUrl>().is_err());
    }
}
