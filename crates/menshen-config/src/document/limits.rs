use schemars::JsonSchema;
use serde::Deserialize;

use crate::quantity::{Bounded, Size};

/// The most that is accepted. What a listener does not say, the gateway says; what neither says is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a request head: request line and header fields. Default: `32KiB`.
    pub head: Option<Size>,
    /// Number of header fields. Default: 100.
    pub fields: Option<u32>,
    /// Bytes of the request target. Default: `8KiB`.
    pub target: Option<Size>,
    /// Bytes of a request body, or `none`. Default: `10MiB`.
    pub body: Option<Bounded<Size>>,
    /// Open client connections of the whole process. Default: 50000.
    pub connections: Option<Bounded<u32>>,
    /// Open connections of one client address. Default: `none`.
    pub connections_per_client: Option<Bounded<u32>>,
    /// Requests that a client may send ahead on one connection. Default: 16.
    pub pipelined: Option<u32>,
    /// Requests under way at once on one HTTP/2 connection. Default: 100.
    pub streams: Option<u32>,
}

/// The most that a route accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct RouteLimits {
    /// Bytes of a request body, or `none`. Default: that of the listener.
    pub body: Option<Bounded<Size>>,
}
