//! A route that is split: the request goes where its group leads.

use super::{Answer, Way, act, call_service, recover};
use crate::downstream::Downstream;
use crate::split::Split;
use crate::worker::Live;
use crate::{Exchange, Failure};

/// Finds the group, asks its service, and takes note of how that went.
pub(super) async fn act_by_group<D: Downstream>(
    exchange: &mut Exchange,
    client: &mut D,
    live: &Live,
    split: &Split,
) -> Result<Answer, Failure> {
    let choice = split.enter(exchange);
    let result = match &choice.group {
        Some(group) => match live.snapshot().service(group.service) {
            Some(service) => {
                let mirror = live.route(exchange.route).mirror.as_deref();
                let way = Way { service, host: &group.host, base: &group.base, mirror };
                call_service(exchange, client, live, way).await
            }
            None => Err(Failure::NoEndpoint),
        },
        None => act(exchange, client, live, split.rest()).await,
    };
    if let Some(membership) = &mut exchange.group {
        membership.note(&result, |answer| answer.reply.head.status);
    }
    // The reply for a failure carries the cookie too: who was unlucky must not be drawn again.
    let mut answer = match result {
        Ok(answer) => answer,
        Err(failure) => recover(exchange, client, live, failure).await,
    };
    split.leave(&choice, exchange, &mut answer.reply);
    Ok(answer)
}
