mod consul;
mod dns;
mod eureka;
mod routes;
mod url;

pub use consul::{Consul, ConsulChecks, ConsulQuery};
pub use dns::Dns;
pub use eureka::{
    Eureka, EurekaAddress, EurekaBy, EurekaPort, EurekaQuery, EurekaRegistration, EurekaStatus,
};
pub use routes::{NamePattern, RegistryRoutes};
pub use url::RegistryUrl;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::span::Spanned;

/// Who can be asked for the endpoints of services, one of each kind.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Registries {
    /// DNS: what differs from the system's settings.
    pub dns: Dns,
    /// Eureka.
    pub eureka: Option<Spanned<Eureka>>,
    /// Consul.
    pub consul: Option<Spanned<Consul>>,
}
