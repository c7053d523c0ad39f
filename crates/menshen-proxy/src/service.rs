//! A service: a named set of endpoints.

mod state;

use std::sync::Arc;
use std::time::Duration;

use crate::Failure;
use crate::balance::Balance;
use crate::breaker::BreakerPolicy;
use crate::concurrency::ConcurrencyPolicy;
use crate::endpoint::Endpoint;
use crate::hedge::HedgePolicy;
use crate::snapshot::HostPolicy;
use crate::stats::ServiceStats;

pub use state::ServiceState;

/// A named set of endpoints.
pub struct Service {
    /// Its name in the document, or its URL.
    pub name: Box<str>,
    /// Where it runs.
    pub endpoints: Box<[Arc<Endpoint>]>,
    /// What is put in front of every path, without trailing slash; a route to a URL has its own in [`Action`](crate::Action).
    pub base: Box<str>,
    /// Which Host it sees, where the route that leads to it does not say otherwise.
    pub host: HostPolicy,
    /// Who is next.
    pub balance: Balance,
    /// Idle connections kept by each worker for each endpoint.
    pub idle_connections: usize,
    /// Connections made by each worker to each endpoint before anybody needs them.
    pub warm_connections: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// How old a connection may get.
    pub max_age: Duration,
    /// When it is not asked for a while.
    pub breaker: Option<BreakerPolicy>,
    /// How many requests may be under way there at once.
    pub concurrency: Option<ConcurrencyPolicy>,
    /// When a second attempt is made because the first takes long.
    pub hedge: Option<HedgePolicy>,
    /// Its counters.
    pub stats: Arc<ServiceStats>,
    /// What is known of it by experience.
    pub state: Arc<ServiceState>,
}

impl Service {
    /// True when there is something between a request and its endpoints.
    pub(crate) fn is_guarded(&self) -> bool {
        self.breaker.is_some() || self.concurrency.is_some()
    }
}

impl Service {
    /// Why nobody could be picked.
    pub(crate) fn nobody(&self) -> Failure {
        if self.balance.is_empty() { Failure::NoEndpoint } else { Failure::NoHealthyEndpoint }
    }
}
