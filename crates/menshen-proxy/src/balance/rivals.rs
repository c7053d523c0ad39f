//! Two endpoints that were drawn by chance: who gets the request.

use std::sync::Arc;

use super::Ask;
use crate::endpoint::Endpoint;

/// True when the second of two endpoints is the better choice. Who cannot take a request loses; but an endpoint that waits
/// for its trial must win at times, or it would never come back.
pub(super) fn other_wins<C: PartialOrd>(
    ask: &Ask<'_>,
    members: &[Arc<Endpoint>],
    (first, other): (usize, usize),
    cost: impl Fn(&Endpoint) -> C,
) -> bool {
    let (Some(first), Some(other)) = (members.get(first), members.get(other)) else { return false };
    match (stands_back(first, ask), stands_back(other, ask)) {
        (true, false) => true,
        (false, true) => false,
        _ if waits_for_trial(first, ask) => false,
        _ if waits_for_trial(other, ask) => true,
        _ => cost(other) < cost(first),
    }
}

fn stands_back(endpoint: &Endpoint, ask: &Ask<'_>) -> bool {
    ask.failed.contains(&endpoint.id)
        || (!endpoint.state.health.is_available() && !waits_for_trial(endpoint, ask))
}

fn waits_for_trial(endpoint: &Endpoint, ask: &Ask<'_>) -> bool {
    let health = &endpoint.state.health;
    !health.is_available()
        && !health.is_down()
        && health.ejected_until().is_some_and(|until| ask.now >= until)
}
