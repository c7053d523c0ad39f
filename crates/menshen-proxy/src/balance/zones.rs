//! By zone (Ribbon's `ZoneAvoidanceRule` behind Spring's `ZonePreferenceServerListFilter`): requests stay in the gateway's own zone
//! while that is well; else they go to all zones but those that are out, and but the worst where there is much load.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Ask;
use super::round::Round;
use crate::endpoint::Endpoint;

/// Netflix' `zoneAffinity.maxBlackOutServersPercentage`: the own zone is left when so many of it are not available.
const OWN_OUT: f64 = 0.8;
/// Ribbon's `avoidZoneWithBlackoutPercetage`: a zone is left out when so many of it are not available.
const OUT: f64 = 0.99999;
/// Ribbon's `triggeringLoadPerServerThreshold`: from so many requests under way for each endpoint the worst zone is left out.
const LOAD: f64 = 0.2;

/// Endpoints by zone.
#[derive(Debug)]
pub(super) struct Zones {
    zones: Box<[Zone]>,
    own: Option<usize>,
    /// All zones together.
    all: Round,
    /// What control has found: 0 for all zones, else one bit for each that takes requests.
    open: AtomicU64,
}

#[derive(Debug)]
struct Zone {
    members: Box<[u32]>,
    round: Round,
}

/// How a zone is.
#[derive(Clone, Copy, Debug)]
struct Condition {
    out: f64,
    /// Requests under way for each available endpoint.
    load: f64,
}

impl Zones {
    /// Zones behind this count as one.
    const MOST: usize = 64;

    pub(super) fn new(own: Option<&str>, members: &[Arc<Endpoint>], workers: usize) -> Self {
        let name = |e: &Endpoint| e.zone.as_deref().unwrap_or_default().to_ascii_lowercase();
        let mut names: Vec<String> = members.iter().map(|e| name(e)).collect();
        names.sort();
        names.dedup();
        let place = |e: &Endpoint| {
            let at = names.binary_search(&name(e)).unwrap_or(0);
            at.min(Self::MOST - 1)
        };
        let zone = |at: usize| {
            let of: Vec<u32> =
                members.iter().zip(0..).filter(|(e, _)| place(e) == at).map(|(_, i)| i).collect();
            let weights: Vec<u16> =
                of.iter().filter_map(|i| members.get(*i as usize)).map(|e| e.weight).collect();
            Zone { members: of.into(), round: Round::new(&weights, workers) }
        };
        let weights: Vec<u16> = members.iter().map(|e| e.weight).collect();
        let own = own.map(str::to_ascii_lowercase);
        Self {
            zones: (0..names.len().min(Self::MOST)).map(zone).collect(),
            own: own.and_then(|own| names.binary_search(&own).ok()).filter(|at| *at < Self::MOST),
            all: Round::new(&weights, workers),
            open: AtomicU64::new(0),
        }
    }

    pub(super) fn draw(&self, ask: &Ask<'_>, nth: usize) -> Option<usize> {
        let open = self.open.load(Ordering::Relaxed);
        if open == 0 {
            return self.all.draw(ask, nth);
        }
        // By chance, by how many endpoints a zone has; each zone has turns of its own.
        let is_open = |(at, _): &(usize, &Zone)| open & bit(*at) != 0;
        let zones = || self.zones.iter().enumerate().filter(is_open).map(|(_, z)| z);
        let total: u64 = zones().map(|z| z.members.len() as u64).sum();
        let mut drawn = ask.random().checked_rem(total)?;
        let zone = zones().find(|z| {
            let len = z.members.len() as u64;
            let is_it = drawn < len;
            drawn = drawn.saturating_sub(len);
            is_it
        })?;
        zone.members.get(zone.round.draw(ask, nth)?).map(|i| *i as usize)
    }

    pub(super) fn refresh(&self, members: &[Arc<Endpoint>]) {
        let conditions: Vec<Condition> = self.zones.iter().map(|z| z.condition(members)).collect();
        self.open.store(open(&conditions, self.own, fastrand::f64()), Ordering::Relaxed);
    }
}

impl Zone {
    fn condition(&self, members: &[Arc<Endpoint>]) -> Condition {
        let of_it = || self.members.iter().filter_map(|i| members.get(*i as usize));
        let available = of_it().filter(|e| e.state.health.is_available()).count() as f64;
        let all = self.members.len().max(1) as f64;
        let load: u64 = of_it().map(|e| e.state.load()).sum();
        Condition { out: 1.0 - available / all, load: load as f64 / available.max(1.0) }
    }
}

/// The zones that take requests, one bit for each; 0 when all do. `chance` is from 0 to 1.
fn open(zones: &[Condition], own: Option<usize>, chance: f64) -> u64 {
    if let Some(at) = own
        && zones.get(at).is_some_and(|z| z.out < OWN_OUT)
    {
        return bit(at);
    }
    if zones.len() < 2 {
        return 0;
    }
    let all = (0..zones.len()).fold(0, |set, at| set | bit(at));
    let mut open = all;
    for (at, _) in zones.iter().enumerate().filter(|(_, z)| z.out >= OUT) {
        open &= !bit(at);
    }
    let left = || zones.iter().enumerate().filter(|(at, _)| open & bit(*at) != 0);
    let worst = left().map(|(_, z)| z.load).fold(0.0, f64::max);
    if (worst >= LOAD || open != all) && left().count() > 1 {
        let worst: Vec<usize> = left().filter(|(_, z)| worst - z.load < 1e-6).map(|(at, _)| at).collect();
        let drawn = worst.get((chance * worst.len() as f64) as usize);
        open &= !drawn.map_or(0, |at| bit(*at));
    }
    if open == all { 0 } else { open }
}

fn bit(at: usize) -> u64 {
    u32::try_from(at).ok().and_then(|at| 1u64.checked_shl(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(out: f64, load: f64) -> Condition {
        Condition { out, load }
    }

    #[test]
    fn requests_stay_in_the_own_zone_while_it_is_well() {
        assert_eq!(open(&[zone(0.5, 9.0), zone(0.0, 0.0)], Some(0), 0.0), 0b01);
        assert_eq!(open(&[zone(0.8, 0.0), zone(0.0, 0.0)], Some(0), 0.0), 0);
        assert_eq!(open(&[zone(1.0, 0.0), zone(0.0, 0.0)], Some(0), 0.0), 0b10);
    }

    #[test]
    fn a_zone_that_is_out_gets_nothing_and_the_worst_of_the_loaded_is_spared() {
        assert_eq!(open(&[zone(0.0, 0.1), zone(0.0, 0.1)], None, 0.0), 0, "little load: all zones");
        assert_eq!(open(&[zone(0.0, 0.1), zone(0.0, 0.9), zone(0.0, 0.3)], None, 0.0), 0b101);
        assert_eq!(open(&[zone(1.0, 0.0), zone(0.0, 0.0), zone(0.0, 0.0)], None, 0.9), 0b010);
        assert_eq!(open(&[zone(0.0, 5.0)], None, 0.0), 0, "one zone is not avoided");
        assert_eq!(open(&[zone(1.0, 0.0), zone(1.0, 0.0)], None, 0.0), 0, "all out: what else");
    }
}
