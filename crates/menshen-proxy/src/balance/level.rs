//! The endpoints of one priority: how many of them are available, and who of them is next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::availability::Availability;
use super::hash::Key;
use super::least_requests::LeastRequests;
use super::maglev::Maglev;
use super::peak_ewma::PeakEwma;
use super::random::Random;
use super::response_time::ResponseTime;
use super::ring::Ring;
use super::round::Round;
use super::zones::Zones;
use super::{Ask, Method, Rules, sticky};
use crate::endpoint::Endpoint;
use crate::health::ServiceHealth;

/// How often the method draws before the rest is looked at one by one.
const DRAWS: usize = 8;
/// How often an endpoint may be passed over because it has only started.
const PATIENCE: usize = 4;
/// An endpoint that has just started gets this share of what it will get.
const FIRST_SHARE: f64 = 0.1;

/// How many endpoints of a level are available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// All.
    All,
    /// Enough; the others get nothing.
    Some,
    /// So few that all get requests: it is more probable that the checks are wrong, and the few would be overrun.
    Panic,
    /// None, and there is no panic.
    Nobody,
}

/// Draws an endpoint; `nth` counts those that were drawn before for the same request and could not take it.
#[derive(Debug)]
enum Chooser {
    Round(Round),
    Random(Random),
    LeastRequests(LeastRequests),
    PeakEwma(PeakEwma),
    Ring(Key, Ring),
    Maglev(Key, Maglev),
    ResponseTime(ResponseTime),
    Availability(Availability),
    Zones(Zones),
}

/// The endpoints of one priority.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) members: Box<[Arc<Endpoint>]>,
    /// By what their cookies say.
    tokens: Box<[(u64, u32)]>,
    chooser: Chooser,
    /// How many were available, and the count of changes for which that holds.
    counted: AtomicU64,
}

impl Level {
    pub(super) fn new(method: &Method, members: Box<[Arc<Endpoint>]>, workers: usize) -> Self {
        let weights: Vec<u16> = members.iter().map(|e| e.weight).collect();
        let chooser = match method {
            Method::RoundRobin => Chooser::Round(Round::new(&weights, workers)),
            Method::Random => Chooser::Random(Random::new(&weights)),
            Method::LeastRequests { choices } => {
                Chooser::LeastRequests(LeastRequests::new(&weights, *choices))
            }
            Method::PeakEwma => Chooser::PeakEwma(PeakEwma::new(&weights)),
            Method::RingHash(key) => Chooser::Ring(key.clone(), Ring::new(&members)),
            Method::Maglev(key) => Chooser::Maglev(key.clone(), Maglev::new(&members)),
            Method::WeightedResponseTime => Chooser::ResponseTime(ResponseTime::new(&weights, workers)),
            Method::AvailabilityFiltering { requests } => {
                Chooser::Availability(Availability::new(&weights, *requests, workers))
            }
            Method::ZoneAware { own } => Chooser::Zones(Zones::new(own.as_deref(), &members, workers)),
        };
        let mut tokens: Box<[(u64, u32)]> =
            members.iter().zip(0..).map(|(e, i)| (sticky::token(e), i)).collect();
        tokens.sort_unstable();
        let level = Self { members, tokens, chooser, counted: AtomicU64::new(u64::MAX) };
        level.refresh();
        level
    }

    /// By what the method chooses, if it goes by the request.
    pub(super) fn key(&self) -> Option<&Key> {
        match &self.chooser {
            Chooser::Ring(key, _) | Chooser::Maglev(key, _) => Some(key),
            _ => None,
        }
    }

    pub(super) fn refresh(&self) {
        match &self.chooser {
            Chooser::ResponseTime(weights) => weights.refresh(&self.members),
            Chooser::Zones(zones) => zones.refresh(&self.members),
            _ => {}
        }
    }

    /// How many endpoints are available; counted anew only after a change.
    pub(super) fn available(&self, state: &ServiceHealth) -> u32 {
        let changes = state.changes();
        let counted = self.counted.load(Ordering::Relaxed);
        // The upper half of what nobody has counted yet is a number that is not reached.
        if (counted >> 32) as u32 == changes && counted != u64::MAX {
            return counted as u32;
        }
        let available = self.members.iter().filter(|e| e.state.health.is_available()).count();
        let available = u32::try_from(available).unwrap_or(u32::MAX);
        self.counted.store(u64::from(changes) << 32 | u64::from(available), Ordering::Relaxed);
        available
    }

    pub(super) fn standing(&self, rules: Rules, state: &ServiceHealth) -> Standing {
        let available = self.available(state) as usize;
        let all = self.members.len();
        if available == all {
            Standing::All
        } else if (available as f64) < all as f64 * rules.panic {
            Standing::Panic
        } else if available == 0 {
            Standing::Nobody
        } else {
            Standing::Some
        }
    }

    /// The endpoint whose cookie says this, if it can take the request.
    pub(super) fn known(&self, token: u64, ask: &Ask<'_>) -> Option<&Arc<Endpoint>> {
        let at = self.tokens.binary_search_by_key(&token, |(t, _)| *t).ok()?;
        let endpoint = self.members.get(self.tokens.get(at)?.1 as usize)?;
        let takes = endpoint.state.health.is_available() && !ask.failed.contains(&endpoint.id);
        takes.then_some(endpoint)
    }

    /// Whom the method draws, if that one can take the request; else the next who can.
    pub(super) fn pick(&self, ask: &Ask<'_>, standing: Standing, rules: Rules) -> Option<&Arc<Endpoint>> {
        for nth in 0..DRAWS {
            let drawn = self.members.get(self.draw(ask, nth)?)?;
            if self.takes(drawn, ask, standing) && (nth >= PATIENCE || self.is_ripe(drawn, ask, rules)) {
                return Some(drawn);
            }
        }
        let from = usize::try_from(ask.key % self.members.len() as u64).unwrap_or(0);
        let (before, after) = self.members.split_at_checked(from)?;
        after.iter().chain(before).find(|e| self.takes(e, ask, standing))
    }

    fn draw(&self, ask: &Ask<'_>, nth: usize) -> Option<usize> {
        match &self.chooser {
            Chooser::Round(round) => round.draw(ask, nth),
            Chooser::Random(random) => random.draw(ask),
            Chooser::LeastRequests(least) => least.draw(ask, &self.members),
            Chooser::PeakEwma(peak) => peak.draw(ask, &self.members),
            Chooser::Ring(_, ring) => ring.at(ask.key, nth),
            Chooser::Maglev(_, table) => table.at(ask.key, nth),
            Chooser::ResponseTime(weights) => weights.draw(ask, nth),
            Chooser::Availability(filter) => filter.draw(ask, &self.members, nth),
            Chooser::Zones(zones) => zones.draw(ask, nth),
        }
    }

    fn takes(&self, endpoint: &Endpoint, ask: &Ask<'_>, standing: Standing) -> bool {
        if ask.failed.contains(&endpoint.id) {
            return false;
        }
        let health = &endpoint.state.health;
        match standing {
            Standing::All => true,
            Standing::Some | Standing::Nobody => health.takes(ask.now),
            Standing::Panic => {
                // It may be a trial as well.
                health.begins_trial(ask.now);
                true
            }
        }
    }

    /// True when an endpoint that has started lately takes this request: more often from moment to moment. Keys stay where they are.
    fn is_ripe(&self, endpoint: &Endpoint, ask: &Ask<'_>, rules: Rules) -> bool {
        if rules.slow_start == 0 || self.key().is_some() || self.members.len() < 2 {
            return true;
        }
        let since = endpoint.state.health.since();
        let age = ask.now.saturating_sub(since);
        if since == 0 || age >= rules.slow_start {
            return true;
        }
        let share = (age as f64 / rules.slow_start as f64).max(FIRST_SHARE);
        (ask.random() >> 11) as f64 / (1u64 << 53) as f64 <= share
    }
}
