//! How endpoints are, as data: for the admin API, the command line and metrics.

use std::time::Duration;

use menshen_proxy::{Endpoint, EndpointAddress, Service, moment};
use serde::Serialize;

/// How a service is.
#[derive(Clone, Debug)]
pub struct ServiceStanding {
    /// Its name.
    pub service: Box<str>,
    /// Its endpoints in the order of the document.
    pub endpoints: Vec<EndpointStanding>,
}

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// It gets requests.
    Healthy,
    /// Its checks fail.
    Unhealthy,
    /// Requests failed there; it gets none for a while.
    Ejected,
}

impl Word {
    /// All words.
    pub const ALL: [Self; 3] = [Self::Healthy, Self::Unhealthy, Self::Ejected];

    /// As metrics say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Ejected => "ejected",
        }
    }
}

/// How an endpoint is. Times are in seconds but where they say otherwise.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EndpointStanding {
    /// As configured.
    pub authority: Box<str>,
    /// Where it is connected to.
    pub address: String,
    /// Its share.
    pub weight: u16,
    /// 0 comes first.
    pub priority: u8,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<Box<str>>,
    /// How it is.
    pub health: Word,
    /// Why it gets no requests, if it gets none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// For how long it has been so; none if it always was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_age: Option<u64>,
    /// In how long an ejected one is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_trial: Option<u64>,
    /// Requests under way there.
    pub in_flight: u64,
    /// How long answers take, peaks first, in milliseconds; none if there were none lately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Attempts that came to an end.
    pub attempts: u64,
    /// Those of them that failed or were answered with 500 or more.
    pub failures: u64,
}

impl ServiceStanding {
    /// How a service is now.
    pub fn of(service: &Service) -> Self {
        let endpoints = service.endpoints.iter().map(|e| EndpointStanding::of(e)).collect();
        Self { service: service.name.clone(), endpoints }
    }

    /// How many endpoints are so.
    pub fn count(&self, word: Word) -> u64 {
        self.endpoints.iter().filter(|e| e.health == word).count() as u64
    }
}

impl EndpointStanding {
    /// How an endpoint is now.
    pub fn of(endpoint: &Endpoint) -> Self {
        let (state, now) = (&endpoint.state, super::check::now());
        let health = match (state.health.is_down(), state.health.ejected_until()) {
            (true, _) => Word::Unhealthy,
            (false, Some(_)) => Word::Ejected,
            (false, None) => Word::Healthy,
        };
        let micros = state.latency.now(now);
        let seconds = |micros| Duration::from_micros(micros).as_secs();
        Self {
            authority: endpoint.authority.clone(),
            address: match &endpoint.address {
                EndpointAddress::Tcp(address) => address.to_string(),
                EndpointAddress::Unix(path) => format!("unix:{}", path.display()),
            },
            weight: endpoint.weight,
            priority: endpoint.priority,
            zone: endpoint.zone.clone(),
            health,
            reason: state.health.reason().map(|r| r.as_str()),
            health_age: Some(state.health.since()).filter(|at| *at > 0).map(|at| moment::since(at).as_secs()),
            next_trial: state.health.ejected_until().map(|until| seconds(until.saturating_sub(now))),
            in_flight: state.load(),
            latency_ms: (micros > 0.0).then(|| (f64::from(micros) / 10.0).round() / 100.0),
            attempts: state.answers.sum(|a| &a.count),
            failures: state.answers.sum(|a| &a.failures),
        }
    }
}
