mod consul;
mod eureka;
mod url;

pub use consul::{Consul, ConsulChecks, ConsulQuery};
pub use eureka::{
    Eureka, EurekaAddress, EurekaBy, EurekaPort, EurekaQuery, EurekaRegistration, EurekaStatus,
};
pub use url::RegistryUrl;
