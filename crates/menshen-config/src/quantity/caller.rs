use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::UNIX;
use crate::text::{FromText, Refusal, text_type};

/// Who asks, in tests of routes: an IP address, or `unix` for a client of a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Caller(pub IpAddr);

impl Default for Caller {
    fn default() -> Self {
        Self(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }
}

impl FromText for Caller {
    const WHAT: &'static str = "an address such as `192.0.2.7`, or `unix`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text {
            "unix" => Ok(Self(UNIX)),
            _ => text.parse().map(Self).map_err(|_| {
                Refusal::new(format!("`{text}` is not the address of a client"))
                    .hint("write for example `192.0.2.7`, `2001:db8::1` or `unix`")
            }),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == UNIX { f.write_str("unix") } else { self.0.fmt(f) }
    }
}

text_type!(Caller, "Caller", {
    "description": "the address of a client, or unix for a client of a Unix socket",
    "examples": ["192.0.2.7", "unix"]
});
