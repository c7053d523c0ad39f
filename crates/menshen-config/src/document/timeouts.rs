use schemars::JsonSchema;
use serde::Deserialize;

use crate::quantity::{Bounded, Duration};

/// How long the gateway waits. What a route does not say, its service says, then its listener, then the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Timeouts {
    /// For a TLS handshake with a client. Default: `5s`.
    pub handshake: Option<Duration>,
    /// For a whole request head, from its first byte on. Default: `10s`.
    pub header: Option<Duration>,
    /// For the next request on an open connection. Default: `60s`.
    pub idle: Option<Duration>,
    /// For the next bytes of a request body, or `none`. Default: `30s`.
    pub body: Option<Bounded<Duration>>,
    /// For a client or service to take bytes that are sent to it. Default: `30s`.
    pub write: Option<Duration>,
    /// For a connection to a service. Default: `2s`.
    pub connect: Option<Duration>,
    /// For the head of the reply, once the request has been sent, or `none`. Default: `30s`.
    pub first_byte: Option<Bounded<Duration>>,
    /// For the next bytes of the reply, or `none`. Default: `30s`.
    pub between_bytes: Option<Bounded<Duration>>,
    /// For a byte in either direction of a tunnel (WebSocket), or `none`. Default: `1h`.
    pub tunnel: Option<Bounded<Duration>>,
    /// For the whole exchange, or `none`. Default: `none`.
    pub total: Option<Bounded<Duration>>,
}

/// How long the gateway waits once it knows where a request goes: for a route or a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct CallTimeouts {
    /// For the next bytes of the request body, or `none`. Default: `30s`.
    pub body: Option<Bounded<Duration>>,
    /// For the client or service to take bytes that are sent to it. Default: `30s`.
    pub write: Option<Duration>,
    /// For a connection to the service. Default: `2s`.
    pub connect: Option<Duration>,
    /// For the head of the reply, once the request has been sent, or `none`. Default: `30s`.
    pub first_byte: Option<Bounded<Duration>>,
    /// For the next bytes of the reply, or `none`. Default: `30s`.
    pub between_bytes: Option<Bounded<Duration>>,
    /// For a byte in either direction of a tunnel (WebSocket), or `none`. Default: `1h`.
    pub tunnel: Option<Bounded<Duration>>,
    /// For the whole exchange, or `none`. Default: `none`.
    pub total: Option<Bounded<Duration>>,
}
