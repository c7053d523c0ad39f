//! Eureka as a source: a REST protocol of JSON over HTTP, as Spring Cloud's and Netflix's servers speak it
//! (<https://github.com/Netflix/eureka/wiki/Eureka-REST-operations>).
//!
//! ```text
//! servers ◄─ call ◄─ fetch ─► applications ─► registry ─► one source for each service
//! ```
//!
//! A registry is fetched once for all services that are found in it. Who asks for a service sees those of its instances that
//! take requests.

pub mod applications;
mod call;
mod fetch;
pub mod instance;
pub mod json;
pub mod open;
mod query;
pub mod registration;
pub mod registry;
pub mod servers;

use std::sync::Arc;

pub use fetch::Deltas;
use menshen_config::document::EurekaQuery;
pub use registry::{Registry, Settings};
pub use servers::Server;

use super::source::Run;
use super::{Answer, Findings, Source};

/// One service in a registry.
#[derive(Debug)]
pub struct Eureka {
    registry: Arc<Registry>,
    query: EurekaQuery,
}

impl Eureka {
    /// What this query finds in this registry.
    pub fn new(registry: Arc<Registry>, query: EurekaQuery) -> Self {
        Self { registry, query }
    }
}

impl Source for Eureka {
    fn run(self: Box<Self>, to: Findings) -> Run {
        Box::pin(async move {
            let mut follower = self.registry.follow();
            loop {
                let found = follower.next().await;
                let answer = match found.known {
                    Ok(known) => Answer::Set(query::instances(&self.query, &known)),
                    Err(why) => Answer::Failed(why.to_string()),
                };
                to.tell(answer, Some(found.again_in)).await;
            }
        })
    }

    fn about(&self) -> String {
        let servers: Vec<&str> = self.registry.settings().servers.iter().map(|s| s.at.url()).collect();
        format!("eureka {} at {}", self.query, servers.join(", "))
    }
}
