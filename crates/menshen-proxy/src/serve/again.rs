//! Calls of gRPC that are sent again because of the status that the service answered.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use crate::downstream::Downstream;
use crate::kept::Kept;
use crate::serve::{Answer, MAX_ATTEMPTS};
use crate::snapshot::Route;
use crate::{Body, Exchange, Failure};

/// Content that is kept for another attempt, in bytes.
const KEPT: usize = 64 * 1024;
/// How long is waited before the second attempt; then twice as long. The half of it is left to chance.
const PAUSE: Duration = Duration::from_millis(25);

/// Keeps what passes of the content of a call that may have to be sent again. Transforms see content once only.
pub(super) fn keep_content(exchange: &mut Exchange, route: &Route) {
    let is_wanted = !route.retry.is_empty() && exchange.is_call;
    if is_wanted && exchange.kept.is_none() && exchange.transforms.is_empty() {
        exchange.kept = Some(Box::new(Kept::passing(KEPT)));
    }
}

/// True when an answer is nothing but a status that is worth another attempt, and there is all to make one.
pub(super) fn may_ask(answer: &Answer, exchange: &Exchange, route: &Route, tried: usize) -> bool {
    if route.retry.is_empty() || tried + 1 >= MAX_ATTEMPTS {
        return false;
    }
    let is_bare = match &answer.reply.body {
        Body::Empty => true,
        Body::Full(content) => content.is_empty(),
        Body::Streaming => false,
    };
    let is_chosen = exchange.grpc_status().is_some_and(|status| route.retry.contains(status));
    let is_complete = exchange.kept.as_ref().is_some_and(|kept| kept.is_complete());
    let after = exchange.started.elapsed() + longest(tried);
    let is_time_left = exchange.timeouts.total.is_none_or(|total| after < total);
    is_bare && is_chosen && is_complete && is_time_left
}

fn longest(tried: usize) -> Duration {
    PAUSE * (1 << tried.min(MAX_ATTEMPTS))
}

/// Gives the service a moment.
pub(super) async fn pause<D: Downstream>(
    exchange: &Exchange,
    client: &mut D,
    tried: usize,
) -> Result<(), Failure> {
    let worker = exchange.live.worker();
    let half = longest(tried) / 2;
    // 0 to 99 hundredths.
    let chance = u32::try_from(worker.random() % 100).unwrap_or(0);
    client.deadline().set(worker.now(), half + half * chance / 100);
    poll_fn(|cx| {
        if client.content_is_ended() && client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Failure::ClientGone));
        }
        client.deadline().poll(cx).map(Ok)
    })
    .await?;
    exchange.grpc_status.set(None);
    Ok(())
}
