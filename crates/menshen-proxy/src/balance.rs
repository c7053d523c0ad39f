//! Who is next among the endpoints of a service.

mod round;

use std::sync::Arc;

use crate::Exchange;
use crate::endpoint::Endpoint;
use crate::service::Service;
use crate::worker::Live;
use round::Round;

/// How endpoints are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Method {
    /// One after the other, spread by weight.
    #[default]
    RoundRobin,
    /// By chance, by weight.
    Random,
    /// Of two by chance, the one with fewer requests under way.
    LeastRequests,
}

/// The choice of a service's endpoints.
#[derive(Debug)]
pub struct Balance {
    method: Method,
    round: Round,
}

impl Balance {
    /// A balance over endpoints with these weights; a weight of 0 takes no requests.
    pub fn new(method: Method, weights: &[u16], workers: usize) -> Self {
        Self { method, round: Round::new(weights, workers) }
    }
}

impl Service {
    /// The endpoint for the next attempt; those in `failed` were asked before, in vain. There is no exchange where a
    /// connection goes on as it is.
    pub(crate) fn pick(&self, live: &Live, _: Option<&Exchange>, failed: &[u32]) -> Option<&Arc<Endpoint>> {
        if !failed.is_empty() {
            return self.pick_another(live, failed);
        }
        let round = &self.balance.round;
        let by_chance = || self.endpoints.get(round.at(live.random())?);
        match self.balance.method {
            Method::RoundRobin => self.endpoints.get(round.next(live.worker_index())?),
            Method::Random => by_chance(),
            Method::LeastRequests => {
                let (a, b) = (by_chance()?, by_chance()?);
                let in_flight = |e: &Endpoint| e.state.in_flight.sum(|c| c);
                Some(if in_flight(a) <= in_flight(b) { a } else { b })
            }
        }
    }

    /// What failed just now is not asked again while there are others, however many turns others took meanwhile.
    fn pick_another(&self, live: &Live, failed: &[u32]) -> Option<&Arc<Endpoint>> {
        let round = &self.balance.round;
        let ahead = |n| self.endpoints.get(round.ahead(live.worker_index(), n)?);
        let other = (0..round.len()).filter_map(ahead).find(|e| !failed.contains(&e.id));
        other.or_else(|| ahead(0))
    }
}
