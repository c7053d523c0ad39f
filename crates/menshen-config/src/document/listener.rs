use schemars::JsonSchema;
use serde::Deserialize;

use super::{Bind, Limits, ListenerTls, Timeouts};
use crate::filter::FilterItem;
use crate::quantity::Cidr;
use crate::span::Spanned;

/// A place where requests come in.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Listener {
    /// The IP address and port, or the Unix socket, to listen at.
    pub bind: Spanned<Bind>,
    /// How TLS is spoken here. Default: not at all.
    #[serde(default)]
    pub tls: Option<ListenerTls>,
    /// Proxies in front of this listener that say who the client is in the PROXY protocol, version 1 or 2, before
    /// anything else; they must. What others say in it is no request. Default: none.
    #[serde(default)]
    pub proxy_protocol_from: Vec<Cidr>,
    /// Filters of every request that comes in here, before those of its route, also if no route is found.
    #[serde(default)]
    pub filters: Vec<FilterItem>,
    /// The most that is accepted here. Default: that of the gateway.
    #[serde(default)]
    pub limits: Limits,
    /// How long is waited here. Default: that of the gateway.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Proxies in front of this listener whose word about the client is believed. Default: those of the gateway.
    #[serde(default)]
    pub trusted_proxies: Option<Vec<Cidr>>,
    /// What happens to field names with an underscore, which some services read as a hyphen. Default: `refuse`.
    #[serde(default)]
    pub underscores: Underscores,
}

/// What happens to field names with an underscore: `X_User` can pose as `X-User`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Underscores {
    /// The request is refused with 400.
    #[default]
    Refuse,
    /// Such fields are dropped.
    Drop,
    /// Such fields are passed on.
    Allow,
}
