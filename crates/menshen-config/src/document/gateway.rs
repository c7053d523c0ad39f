use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bind::ip_and_port;
use super::{AccessLog, Acme, FolderPath, Forwarded, Limits, Timeouts};
use crate::quantity::{Cidr, Duration};
use crate::span::Spanned;
use crate::text::{FromText, Refusal, text_type};

/// The gateway itself: what holds for all listeners and routes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Gateway {
    /// Number of worker threads. Default: one per core.
    pub workers: Option<NonZeroU32>,
    /// Where the admin API listens, or `off`. Default: `127.0.0.1:9180`.
    pub admin: Option<Spanned<Admin>>,
    /// How much the gateway says about itself. Default: `info`.
    pub log: Option<LogLevel>,
    /// One line per exchange: `stdout`, `stderr`, `off`, the path of a file, or a map. Default: `stdout`.
    pub access_log: Option<Spanned<AccessLog>>,
    /// Addresses of proxies in front of the gateway whose word about the client is believed. Default: none.
    pub trusted_proxies: Option<Vec<Cidr>>,
    /// Addresses of callers that are told where the time went, in `Server-Timing`. Default: none.
    pub server_timing: Option<Vec<Cidr>>,
    /// Which header fields tell a service about the client.
    pub forwarded: Forwarded,
    /// The gateway's name in `Via`; a request that comes back with it is a loop. Default: `menshen`.
    pub via: Option<Pseudonym>,
    /// Where the gateway is, for services with `balance: zone-aware`.
    pub zone: Option<Box<str>>,
    /// How long exchanges may go on after the gateway was told to stop. Default: `30s`.
    pub drain: Option<Duration>,
    /// The folder where the gateway keeps what must outlive it, such as certificates that it got and their keys. Default:
    /// the one that systemd made (`StateDirectory=`), else `/var/lib/menshen`.
    pub store: Option<Spanned<FolderPath>>,
    /// How certificates are got and renewed (ACME).
    pub acme: Option<Spanned<Acme>>,
    /// The most that is accepted.
    pub limits: Limits,
    /// How long the gateway waits.
    pub timeouts: Timeouts,
}

/// How much the gateway says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// What may fail soon.
    Warn,
    /// What was done.
    #[default]
    Info,
    /// Why it was done.
    Debug,
    /// Everything.
    Trace,
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogLevel::Off => "off",
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        })
    }
}

/// Where the admin API listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Admin {
    /// Nowhere.
    Off,
    /// At this address.
    At(SocketAddr),
}

impl FromText for Admin {
    const WHAT: &'static str = "an address such as `127.0.0.1:9180`, or `off`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text {
            "off" => Ok(Self::Off),
            _ => ip_and_port(text).map(Self::At),
        }
    }
}

impl fmt::Display for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Admin::Off => f.write_str("off"),
            Admin::At(address) => address.fmt(f),
        }
    }
}

text_type!(Admin, "Admin", {
    "pattern": r"^(off|.+:[0-9]+)$",
    "description": "where the admin API listens, or off",
    "examples": ["127.0.0.1:9180", "off"]
});

/// A name that may stand in the `Via` header field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pseudonym(pub Box<str>);

impl FromText for Pseudonym {
    const WHAT: &'static str = "a name such as `menshen`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        match !text.is_empty() && text.bytes().all(token) {
            true => Ok(Self(text.into())),
            false => Err(Refusal::new(format!("`{text}` cannot stand in `Via`"))
                .hint("use letters, digits, `-` and `.`")),
        }
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(Pseudonym, "Pseudonym", {
    "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
    "description": "a name for the Via header field",
    "examples": ["menshen"]
});
