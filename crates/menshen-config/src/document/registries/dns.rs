use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::Address;
use crate::quantity::Duration;
use crate::span::Spanned;

/// How DNS is asked. What is not said is as the system has it, in `/etc/resolv.conf` and `/etc/hosts`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Dns {
    /// The servers, by IP address and port. Default: those of the system.
    pub servers: Option<Vec<Spanned<DnsServer>>>,
    /// How long an answer is good at least, whatever its TTL. Default: `1s`.
    pub min_ttl: Option<Duration>,
    /// How long an answer is good at most. Default: `5m`.
    pub max_ttl: Option<Duration>,
    /// How long a server may take to answer. Default: `2s`.
    pub timeout: Option<Duration>,
}

/// A DNS server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DnsServer(pub SocketAddr);

impl crate::text::FromText for DnsServer {
    const WHAT: &'static str = "a DNS server such as `10.0.0.2:53`";

    fn from_text(text: &str) -> Result<Self, crate::text::Refusal> {
        let refused = || {
            crate::text::Refusal::new(format!("`{text}` is not an IP address and a port"))
                .hint("write for example `10.0.0.2:53`")
        };
        let Address { host, port } = Address::from_text(text).map_err(|_| refused())?;
        Ok(Self(SocketAddr::new(host.parse().map_err(|_| refused())?, port)))
    }
}

impl std::fmt::Display for DnsServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

crate::text::text_type!(DnsServer, "DnsServer", {
    "description": "a DNS server: an IP address and a port",
    "examples": ["10.0.0.2:53"]
});
