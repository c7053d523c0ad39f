//! Who is next among the endpoints of a service.

mod round;

use std::sync::Arc;

use crate::snapshot::{Endpoint, Service};
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
    /// The endpoint for the next attempt; `tried` attempts were made before.
    pub(crate) fn pick(&self, live: &Live, tried: u8) -> Option<&Arc<Endpoint>> {
        let round = &self.balance.round;
        let by_chance = || self.endpoints.get(round.at(live.random())?);
        match self.balance.method {
            Method::RoundRobin => self.endpoints.get(round.next(live.worker_index(), tried)?),
            // What failed just now is not asked again while there are others.
            _ if tried > 0 => self.endpoints.get(round.next(live.worker_index(), tried)?),
            Method::Random => by_chance(),
            Method::LeastRequests => {
                let (a, b) = (by_chance()?, by_chance()?);
                let in_flight = |e: &Endpoint| e.in_flight.sum(|c| c);
                Some(if in_flight(a) <= in_flight(b) { a } else { b })
            }
        }
    }
}
