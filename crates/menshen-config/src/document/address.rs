use std::fmt;

use crate::matching::HostPattern;
use crate::text::{FromText, Refusal, text_type};

/// A host and a port: `127.0.0.1:9001`, `users.internal:80`, `[::1]:9001`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// A name or an IP address; an IPv6 address without its brackets.
    pub host: Box<str>,
    /// The port, never 0.
    pub port: u16,
}

/// How a service is spoken to.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// HTTP/1.1 without TLS.
    #[default]
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 over TLS.
    H2,
    /// HTTP/2 without TLS, with prior knowledge.
    H2c,
}

impl Protocol {
    /// True when TLS is spoken.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::H2)
    }

    /// What URLs with it start with.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2 => "h2",
            Self::H2c => "h2c",
        }
    }

    fn port(self) -> u16 {
        if self.is_tls() { 443 } else { 80 }
    }
}

/// Where a call can go: `http://127.0.0.1:3000/base`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Where it is; the port is 80 or 443 if none was written.
    pub address: Address,
    /// What is put in front of every path: empty, or a `/` and more, without a `/` at its end.
    pub base: Box<str>,
}

fn host(text: &str) -> Option<&str> {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok().then_some(address),
        None => matches!(text.parse(), Ok(HostPattern::Exact(_))).then_some(text),
    }
}

impl FromText for Address {
    const WHAT: &'static str = "an address such as `127.0.0.1:9001`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let refused = || Refusal::new(format!("`{text}` is not an address"));
        if text.contains("://") {
            return Err(refused().hint("write `host:port` without `http://`"));
        }
        if text.parse::<std::net::Ipv6Addr>().is_ok() {
            return Err(refused().hint(format!("write `[{text}]:port`")));
        }
        let Some((name, port)) = text.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) else {
            return Err(refused().hint(format!("add the port, as in `{text}:80`")));
        };
        let port: u16 = port.parse().ok().filter(|port| *port > 0).ok_or_else(|| Refusal {
            message: format!("`{port}` is not a port"),
            hint: Some("ports are 1 to 65535".into()),
        })?;
        let host = host(name)
            .ok_or_else(|| refused().hint("write for example `127.0.0.1:9001` or `users.internal:80`"))?;
        Ok(Self { host: host.into(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Where an endpoint of a service is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A host and a port.
    Net(Address),
    /// A Unix socket; a relative path counts from the folder of the configuration.
    Unix(Box<str>),
}

/// The longest path of a Unix socket that Linux takes.
const LONGEST_SOCKET: usize = 107;

impl FromText for Place {
    const WHAT: &'static str = "an address such as `127.0.0.1:9001` or `unix:/run/app.sock`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text.strip_prefix("unix:") {
            None => Address::from_text(text).map(Self::Net),
            Some(path) => socket_path(path).map(Self::Unix),
        }
    }
}

/// The path of a Unix socket.
pub(super) fn socket_path(path: &str) -> Result<Box<str>, Refusal> {
    match path.len() {
        0 => Err(Refusal::new("the path of the socket is empty").hint("write `unix:/run/app.sock`")),
        1..=LONGEST_SOCKET => Ok(path.into()),
        _ => Err(Refusal::new(format!("the path of a socket has at most {LONGEST_SOCKET} bytes"))),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Net(address) => address.fmt(f),
            Place::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

text_type!(Place, "Place", {
    "pattern": r"^(unix:.+|.+:[0-9]+)$",
    "description": "where an endpoint is: a host and a port, or a Unix socket",
    "examples": ["127.0.0.1:9001", "users.internal:80", "unix:/run/app.sock"]
});

impl FromText for Url {
    const WHAT: &'static str = "a URL such as `http://127.0.0.1:3000`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let refused = || Refusal::new(format!("`{text}` is not a URL that can be called"));
        let all = [Protocol::Http, Protocol::Https, Protocol::H2, Protocol::H2c];
        let named = text.split_once("://").and_then(|(scheme, rest)| {
            Some((all.into_iter().find(|protocol| protocol.scheme() == scheme)?, rest))
        });
        let Some((protocol, rest)) = named else {
            return Err(refused().hint("write `http://host:port` or `https://host:port`"));
        };
        let port = protocol.port();
        let (authority, base) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            // It may hold a password: the text is not repeated.
            return Err(Refusal::new("a URL with a user name").hint("send credentials with a filter"));
        }
        if rest.contains(['?', '#']) {
            return Err(refused().hint("it must end with its path"));
        }
        let address = match host(authority) {
            Some(host) => Address { host: host.into(), port },
            None => Address::from_text(authority)?,
        };
        Ok(Self { protocol, address, base: base_path(base)? })
    }
}

/// A path that is put in front of others: checked, and without a slash at its end.
pub(super) fn base_path(text: &str) -> Result<Box<str>, Refusal> {
    let trimmed = text.trim_end_matches('/');
    if trimmed.is_empty() {
        return Ok("".into());
    }
    let pattern = crate::matching::PathPattern::from_text(trimmed)?;
    let literal =
        |segment: &crate::matching::Segment| matches!(segment, crate::matching::Segment::Literal(_));
    if pattern.segments().iter().all(literal) {
        Ok(trimmed.into())
    } else {
        Err(Refusal::new(format!("`{text}` has wildcards")).hint("write a plain path such as `/users`"))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.protocol.scheme(), self.address, self.base)
    }
}

text_type!(Address, "Address", {
    "pattern": r"^.+:[0-9]+$",
    "description": "a host and a port",
    "examples": ["127.0.0.1:9001", "users.internal:80", "[::1]:9001"]
});

text_type!(Url, "Url", {
    "pattern": "^(https?|h2c?)://[^/?#@]+(/[^?#]*)?$",
    "description": "where a call can go; its path is put in front of every path",
    "examples": ["http://127.0.0.1:3000", "http://127.0.0.1:3000/base", "h2c://127.0.0.1:50051"]
});

/// A plain path such as `/users` that is taken away from or put in front of others: it starts with `/`, does not end
/// with one, and has no wildcards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Prefix(pub Box<str>);

impl FromText for Prefix {
    const WHAT: &'static str = "a path such as `/users`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        if !text.starts_with('/') {
            return Err(Refusal::new(format!("the path `{text}` does not start with `/`"))
                .hint(format!("write `/{text}`")));
        }
        base_path(text).map(Self)
    }
}

impl std::ops::Deref for Prefix {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

text_type!(Prefix, "Prefix", {
    "pattern": "^/[^*?{}# ]*$",
    "description": "a plain path",
    "examples": ["/users"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_port() {
        for text in ["127.0.0.1:9001", "users.internal:80", "[::1]:9001"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        let hint = |text: &str| text.parse::<Address>().unwrap_err().hint.unwrap();
        assert_eq!(hint("users"), "add the port, as in `users:80`");
        assert_eq!(hint("[::1]"), "add the port, as in `[::1]:80`");
        assert_eq!(hint("::1"), "write `[::1]:port`");
        assert_eq!(hint("http://users:80"), "write `host:port` without `http://`");
        assert_eq!(hint("users:0"), "ports are 1 to 65535");
    }

    #[test]
    fn urls_have_a_base_path() {
        let url: Url = "http://127.0.0.1:3000/base/".parse().unwrap();
        assert_eq!((url.address.port, &*url.base), (3000, "/base"));
        assert_eq!("https://a.b".parse::<Url>().unwrap().address.port, 443);
        assert!(!format!("{:?}", "http://u:hunter2@h".parse::<Url>().unwrap_err()).contains("hunter2"));
        assert!("http://h/a?b".parse::<Url>().is_err());
        assert!("http://h/a/**".parse::<Url>().is_err());
    }
}
