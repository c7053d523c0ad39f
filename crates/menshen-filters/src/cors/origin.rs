//! Origins as browsers write them (RFC 6454 §6.2).

use schemars::JsonSchema;
use serde::Deserialize;

/// An origin: `https://app.example.com`, every origin below a name: `https://*.example.org`, or all: `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("examples" = ["https://app.example.com", "https://*.example.org", "*"]))]
pub(super) enum Origin {
    /// `*`
    Any,
    /// This origin.
    Exact(Box<[u8]>),
    /// One or more labels between these two.
    Below {
        /// `https://`
        scheme: Box<[u8]>,
        /// `.example.org`, and `:8443` where there is a port.
        suffix: Box<[u8]>,
    },
}

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let refused = |hint: &str| format!("`{text}` is not an origin\n{hint}");
        if text == "null" {
            return Err(refused(
                "every sandboxed page of anybody has the origin `null`; name the pages that you trust",
            ));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(refused(&format!("write `https://{text}`")));
        };
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(refused(&format!("browsers write `{}`", text.to_ascii_lowercase())));
        }
        if let Some((authority, _)) = rest.split_once(['/', '?', '#']) {
            return Err(refused(&format!("an origin has no path; write `{scheme}://{authority}`")));
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (rest, None),
        };
        if matches!((scheme, port), ("https", Some("443")) | ("http", Some("80"))) {
            return Err(refused(&format!("browsers leave the usual port out; write `{scheme}://{host}`")));
        }
        let below = host.strip_prefix("*.");
        let address = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let is_host = match address {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => are_labels(below.unwrap_or(host).as_bytes()),
        };
        let is_port =
            port.is_none_or(|p| p.parse::<u16>().is_ok_and(|n| n > 0 && !p.starts_with(['+', '0'])));
        if host.contains('*') && (below.is_none() || below.is_some_and(|b| b.contains('*'))) {
            return Err(refused("a `*` stands for the first labels only, as in `https://*.example.org`"));
        }
        if !is_host || !is_port || !is_scheme(scheme) {
            return Err(refused("write for example `https://app.example.com` or `https://*.example.org`"));
        }
        Ok(match below {
            Some(_) => Self::Below {
                scheme: format!("{scheme}://").into_bytes().into(),
                suffix: rest.trim_start_matches('*').as_bytes().into(),
            },
            None => Self::Exact(text.into_bytes().into()),
        })
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// One or more labels with dots between them, in small letters.
fn are_labels(text: &[u8]) -> bool {
    let is_label_byte = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    text.split(|b| *b == b'.')
        .all(|label| !label.is_empty() && label.len() <= 63 && label.iter().all(is_label_byte))
}

impl Origin {
    /// True when a request with this Origin comes from here. Byte by byte: browsers write origins in one way only.
    pub(super) fn matches(&self, origin: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => **exact == *origin,
            Self::Below { scheme, suffix } => {
                let labels = origin.strip_prefix(&**scheme).and_then(|rest| rest.strip_suffix(&**suffix));
                labels.is_some_and(|labels| labels.len() <= 253 && are_labels(labels))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Result<Origin, String> {
        text.to_owned().try_into()
    }

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        for text in [
            "https://a.example",
            "http://localhost:3000",
            "https://[::1]:8443",
            "http://127.0.0.1",
            "app://x",
        ] {
            assert!(origin(text).unwrap().matches(text.as_bytes()), "{text}");
        }
        assert!(origin("https://*.example.org:8443").unwrap().matches(b"https://a.b.example.org:8443"));
        assert!(!origin("https://*.example.org:8443").unwrap().matches(b"https://a.example.org"));
    }

    #[test]
    fn what_no_browser_sends_is_refused_with_what_it_does_send() {
        for (text, hint) in [
            ("app.example.com", "write `https://app.example.com`"),
            ("https://a.example/", "an origin has no path; write `https://a.example`"),
            ("https://A.example", "browsers write `https://a.example`"),
            ("https://a.example:443", "browsers leave the usual port out; write `https://a.example`"),
            ("https://a.*.org", "a `*` stands for the first labels only, as in `https://*.example.org`"),
            ("https://*.*.org", "a `*` stands for the first labels only, as in `https://*.example.org`"),
            ("https://*", "a `*` stands for the first labels only, as in `https://*.example.org`"),
            ("https://a..b", "write for example `https://app.example.com` or `https://*.example.org`"),
            ("https://a:0", "write for example `https://app.example.com` or `https://*.example.org`"),
            ("https://u@a", "write for example `https://app.example.com` or `https://*.example.org`"),
        ] {
            assert_eq!(origin(text).unwrap_err(), format!("`{text}` is not an origin\n{hint}"));
        }
        assert!(origin("null").unwrap_err().contains("sandboxed"));
    }
}
