use std::fmt;

use crate::text::{FromText, Refusal, text_type};

/// A host name, or all names below one: `api.example.org`, `*.example.org`. Without port; case does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// This host, in small letters.
    Exact(Box<str>),
    /// Every host that ends in a dot and this, in small letters.
    Under(Box<str>),
}

impl FromText for HostPattern {
    const WHAT: &'static str = "a host such as `api.example.org` or `*.example.org`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let refused = || Refusal::new(format!("`{text}` is not a host"));
        let lower = text.to_ascii_lowercase();
        let (name, under) = match lower.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (&*lower, false),
        };
        if name.contains("://") || name.contains('/') {
            return Err(refused().hint("write only the host, as in `api.example.org`"));
        }
        if name.contains('*') {
            return Err(refused().hint("a `*` stands for the first labels only, as in `*.example.org`"));
        }
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let valid = match address {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok() && !under,
            None if name.contains(':') => return Err(refused().hint("write the host without its port")),
            None => is_name(name),
        };
        match valid {
            true if under => Ok(Self::Under(name.into())),
            true => Ok(Self::Exact(name.into())),
            false => Err(refused().hint("write for example `api.example.org` or `*.example.org`")),
        }
    }
}

/// Whether it is a name of dotted labels, or an IPv4 address.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        })
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Exact(name) => f.write_str(name),
            HostPattern::Under(name) => write!(f, "*.{name}"),
        }
    }
}

text_type!(HostPattern, "HostPattern", {
    "description": "a host, or all below one",
    "examples": ["api.example.org", "*.example.org"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_exact_or_below_a_name() {
        assert_eq!(
            "API.example.org".parse::<HostPattern>().unwrap(),
            HostPattern::Exact("api.example.org".into())
        );
        assert_eq!("*.example.org".parse::<HostPattern>().unwrap(), HostPattern::Under("example.org".into()));
        assert_eq!("[::1]".parse::<HostPattern>().unwrap(), HostPattern::Exact("[::1]".into()));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let hint = |text: &str| text.parse::<HostPattern>().unwrap_err().hint.unwrap();
        assert_eq!(hint("http://a.b"), "write only the host, as in `api.example.org`");
        assert_eq!(hint("a.b:80"), "write the host without its port");
        assert_eq!(hint("api.*.org"), "a `*` stands for the first labels only, as in `*.example.org`");
    }
}
