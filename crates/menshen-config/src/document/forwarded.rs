use schemars::JsonSchema;
use serde::Deserialize;

use super::Switch;

/// Which header fields tell a service about the client. Fields of this kind that an untrusted client sends are always
/// removed, whether they are written anew or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Forwarded {
    /// `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host` and `X-Forwarded-Port`. Default: `on`.
    pub x_forwarded: Option<Switch>,
    /// `X-Forwarded-Prefix`, the part of the path that the route stripped. Default: `on`.
    pub x_forwarded_prefix: Option<Switch>,
    /// `X-Real-IP`, the client's address. Default: `off`.
    pub x_real_ip: Option<Switch>,
    /// `Forwarded` of RFC 7239. Default: `off`.
    pub forwarded: Option<Switch>,
}
