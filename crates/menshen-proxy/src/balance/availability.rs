//! One after the other, without those that are busy (Ribbon's `AvailabilityFilteringRule`): some turns are tried for an endpoint that
//! has room; if none has, it is simply the next one's turn.

use std::sync::Arc;

use super::Ask;
use super::round::Round;
use crate::endpoint::Endpoint;

/// Turns that are tried.
const TRIES: usize = 10;

/// Endpoints in turn that are not busy.
#[derive(Debug)]
pub(super) struct Availability {
    round: Round,
    requests: u64,
}

impl Availability {
    pub(super) fn new(weights: &[u16], requests: u64, workers: usize) -> Self {
        Self { round: Round::new(weights, workers), requests }
    }

    pub(super) fn draw(&self, ask: &Ask<'_>, members: &[Arc<Endpoint>], nth: usize) -> Option<usize> {
        let has_room = |i: usize| members.get(i).is_some_and(|e| e.state.load() < self.requests);
        for n in 0..TRIES {
            let drawn = self.round.draw(ask, nth.saturating_add(n))?;
            if has_room(drawn) {
                return Some(drawn);
            }
        }
        self.round.draw(ask, nth)
    }
}
