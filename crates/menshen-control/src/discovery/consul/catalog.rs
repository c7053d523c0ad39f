//! The services that Consul lists, by blocking queries
//! (<https://developer.hashicorp.com/consul/api-docs/catalog#list-services>).

use std::collections::{BTreeMap, BTreeSet};

use serde::de::IgnoredAny;
use tokio::time::Instant;

use super::Settings;
use super::index::Index;
use super::watching::{self, BETWEEN, pace};
use crate::discovery::back_off;
use crate::discovery::client::{Client, encoded};

/// The names of all services, whenever they have changed.
pub struct Catalog {
    settings: Settings,
    client: Client,
    index: Index,
    failures: u32,
    agent: usize,
    not_before: Instant,
}

impl Catalog {
    /// Of these agents.
    pub fn new(settings: Settings, client: Client) -> Self {
        let (index, agent, not_before) = (Index::default(), fastrand::usize(..), Instant::now());
        Self { settings, client, index, failures: 0, agent, not_before }
    }

    /// The next answer, which the agent holds back until something has changed.
    ///
    /// # Errors
    /// Why there is none, for people; the next one is waited for longer then.
    pub async fn next(&mut self) -> Result<BTreeSet<Box<str>>, String> {
        tokio::time::sleep_until(self.not_before).await;
        let asked = Instant::now();
        match self.ask().await {
            Ok(names) => {
                self.failures = 0;
                let is_held_back = self.index.get().is_some();
                self.not_before = asked + if is_held_back { BETWEEN } else { pace(&self.settings) };
                Ok(names)
            }
            Err(why) => {
                self.failures += 1;
                // Another agent counts otherwise.
                self.index = Index::default();
                self.agent = self.agent.wrapping_add(1);
                self.not_before = Instant::now() + back_off(self.failures);
                Err(why)
            }
        }
    }

    async fn ask(&mut self) -> Result<BTreeSet<Box<str>>, String> {
        let Self { settings, client, index, agent, .. } = self;
        let at = &settings.agents[*agent % settings.agents.len()];
        let datacenter = settings.datacenter.as_deref().map(|dc| format!("dc={}", encoded(dc)));
        let path = format!("v1/catalog/services?{}", datacenter.unwrap_or_default());
        let (fields, reply) = watching::ask(settings, at, client, &path, *index).await?;
        // The values are tags.
        let names = reply.read(|all: BTreeMap<Box<str>, IgnoredAny>| all.into_keys().collect()).await;
        let names = names.map_err(|why| format!("{}{path}: {why}", at.url()))?;
        *index = index.after(&fields);
        Ok(names)
    }
}
