//! Who is next among the endpoints of a service: the first level of priority that is well enough, and there whom the method
//! draws, as long as it is available. Nothing here allocates or waits.

mod availability;
pub mod hash;
mod least_requests;
mod level;
mod maglev;
mod peak_ewma;
mod random;
mod response_time;
mod ring;
mod rivals;
mod round;
mod sticky;
mod zones;

use std::sync::Arc;
use std::time::Duration;

use crate::Exchange;
use crate::endpoint::Endpoint;
use crate::health::{Eject, ServiceHealth};
use crate::moment;
use crate::service::Service;
use crate::worker::Live;
pub use hash::Key;
use level::{Level, Standing};
pub use sticky::Sticky;

/// How endpoints are chosen.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Method {
    /// One after the other, spread by weight.
    #[default]
    RoundRobin,
    /// By chance, by weight.
    Random,
    /// Of some by chance, the one with the fewest requests under way.
    LeastRequests {
        /// How many are compared; 2 is enough for most.
        choices: u8,
    },
    /// Of two by chance, the one that will answer first by its latest peaks and what is under way there.
    PeakEwma,
    /// The same key goes to the same endpoint, by a ring of hashes.
    RingHash(Key),
    /// The same key goes to the same endpoint, by Maglev's table.
    Maglev(Key),
    /// By chance; those that answer faster come more often (Ribbon's `WeightedResponseTimeRule`).
    WeightedResponseTime,
    /// One after the other, without those that are busy (Ribbon's `AvailabilityFilteringRule`).
    AvailabilityFiltering {
        /// Requests under way from which an endpoint is busy.
        requests: u64,
    },
    /// Those of the own zone; without one, those of all zones but the worst (Ribbon's `ZoneAvoidanceRule`).
    ZoneAware {
        /// Where this gateway is.
        own: Option<Box<str>>,
    },
}

/// How a service's endpoints are chosen, as the configuration says.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The method.
    pub method: Method,
    /// A client stays with its endpoint by a cookie.
    pub sticky: Option<Sticky>,
    /// How long an endpoint that is new or back gets less than its share.
    pub slow_start: Duration,
    /// When fewer than this share of a level are available, all of them get requests; from 0 to 1.
    pub panic: f64,
    /// When an endpoint is ejected because requests fail there.
    pub eject: Option<Eject>,
}

/// The choice of a service's endpoints.
#[derive(Debug)]
pub struct Balance {
    levels: Box<[Level]>,
    sticky: Option<Sticky>,
    rules: Rules,
    eject: Option<Eject>,
    state: Arc<ServiceHealth>,
}

/// What holds for every choice.
#[derive(Clone, Copy, Debug)]
struct Rules {
    panic: f64,
    /// In microseconds.
    slow_start: u64,
}

/// One choice that is to be made.
struct Ask<'a> {
    live: &'a Live,
    /// In microseconds.
    now: u64,
    /// The hash of the request's key, or a random number where it has none.
    key: u64,
    /// Endpoints that were asked before, in vain.
    failed: &'a [u32],
}

impl Ask<'_> {
    fn random(&self) -> u64 {
        self.live.random()
    }

    /// A second attempt must not take the turn of others.
    fn is_again(&self) -> bool {
        !self.failed.is_empty()
    }
}

impl Balance {
    /// A balance over these endpoints; one of weight 0 takes no requests.
    pub fn new(
        settings: Settings,
        endpoints: &[Arc<Endpoint>],
        state: Arc<ServiceHealth>,
        workers: usize,
    ) -> Self {
        let Settings { method, sticky, slow_start, panic, eject } = settings;
        let mut priorities: Vec<u8> = endpoints.iter().map(|e| e.priority).collect();
        priorities.sort_unstable();
        priorities.dedup();
        let level = |priority| {
            let of = |e: &&Arc<Endpoint>| e.priority == priority && e.weight > 0;
            Level::new(&method, endpoints.iter().filter(of).cloned().collect(), workers)
        };
        let levels = priorities.into_iter().map(level).filter(|l| !l.members.is_empty()).collect();
        Self { levels, sticky, rules: Rules { panic, slow_start: moment::of(slow_start) }, eject, state }
    }

    /// When an endpoint is ejected because requests fail there.
    pub(crate) fn eject(&self) -> Option<&Eject> {
        self.eject.as_ref()
    }

    /// By which cookie clients stay with their endpoint.
    pub(crate) fn sticky(&self) -> Option<&Sticky> {
        self.sticky.as_ref()
    }

    /// True when no endpoint could ever take a request.
    pub(crate) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Reckons anew what goes by what was seen lately: weights of response times, zones to avoid. Control does this about once a
    /// second, so that no request has to.
    pub fn refresh(&self) {
        self.levels.iter().for_each(Level::refresh);
    }

    /// The first level of which enough is available; if none is, the first with anyone at all; else the first, if it may panic.
    fn level(&self) -> Option<(&Level, Standing)> {
        let [first, others @ ..] = &*self.levels else { return None };
        let standing = first.standing(self.rules, &self.state);
        if standing != Standing::Panic && standing != Standing::Nobody || others.is_empty() {
            return Some((first, standing));
        }
        let all = || self.levels.iter().map(|l| (l, l.standing(self.rules, &self.state)));
        all()
            .find(|(_, standing)| matches!(standing, Standing::All | Standing::Some))
            .or_else(|| all().find(|(l, _)| l.available(&self.state) > 0))
            .or(Some((first, standing)))
    }
}

impl Service {
    /// The endpoint for the next attempt; those in `failed` were asked before, in vain. There is no exchange where a
    /// connection goes on as it is.
    pub(crate) fn pick(
        &self,
        live: &Live,
        exchange: Option<&Exchange>,
        failed: &[u32],
    ) -> Option<&Arc<Endpoint>> {
        self.pick_at(live.moment(), live, exchange, failed)
    }

    fn pick_at(
        &self,
        now: u64,
        live: &Live,
        exchange: Option<&Exchange>,
        failed: &[u32],
    ) -> Option<&Arc<Endpoint>> {
        let balance = &self.balance;
        let (level, standing) = balance.level()?;
        let key = match (level.key(), exchange) {
            (Some(key), Some(exchange)) => key.hash(exchange).unwrap_or_else(|| live.random()),
            _ => live.random(),
        };
        let ask = Ask { live, now, key, failed };
        if let (Some(sticky), Some(exchange)) = (&balance.sticky, exchange)
            && let Some(token) = sticky.asked(exchange)
            && let Some(found) = balance.levels.iter().find_map(|l| l.known(token, &ask))
        {
            return Some(found);
        }
        if let Some(found) = level.pick(&ask, standing, balance.rules) {
            return Some(found);
        }
        if failed.is_empty() {
            return None;
        }
        // Rather one of another level than the one that failed just now; rather that one than none.
        let mut levels = balance.levels.iter();
        levels
            .find_map(|l| l.pick(&ask, l.standing(balance.rules, &balance.state), balance.rules))
            .or_else(|| level.pick(&Ask { failed: &[], ..ask }, Standing::Panic, balance.rules))
    }
}

#[cfg(test)]
pub(crate) mod tests;
