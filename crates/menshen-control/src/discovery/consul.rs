//! Consul as a source: the health API with blocking queries
//! (<https://developer.hashicorp.com/consul/api-docs/health>,
//! <https://developer.hashicorp.com/consul/api-docs/features/blocking>).
//!
//! Each service is watched by a question of its own that the agent answers when something has changed.

pub mod catalog;
pub mod index;
pub mod json;
pub mod open;
mod query;
mod watching;

use std::time::Duration;

use http::header::HeaderValue;
use menshen_config::document::ConsulQuery;

use super::client::{Base, Client};
use super::source::Run;
use super::{Findings, Source};

/// How Consul is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its agents; the next one is asked when one fails.
    pub agents: Vec<Base>,
    /// The ACL token, not shown.
    pub token: Option<HeaderValue>,
    /// The datacenter, where it is not the agent's own.
    pub datacenter: Option<Box<str>>,
    /// How long an agent may hold a question back when nothing changes.
    pub wait: Duration,
    /// How long an answer may take beyond that.
    pub within: Duration,
    /// Which name of a node's or service's metadata tells the zone.
    pub zone_key: Box<str>,
}

/// One service in Consul.
#[derive(Debug)]
pub struct Consul {
    settings: Settings,
    query: ConsulQuery,
    client: Client,
}

impl Consul {
    /// What this query finds there.
    pub fn new(settings: Settings, query: ConsulQuery, client: Client) -> Self {
        Self { settings, query, client }
    }
}

impl Source for Consul {
    fn run(self: Box<Self>, to: Findings) -> Run {
        Box::pin(async move { watching::watch(self.settings, self.query, self.client, to).await })
    }

    fn about(&self) -> String {
        let agents: Vec<&str> = self.settings.agents.iter().map(Base::url).collect();
        format!("consul {} at {}", self.query, agents.join(", "))
    }
}
