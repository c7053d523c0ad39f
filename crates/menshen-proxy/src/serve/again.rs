//! Requests that are sent again: because of a failure that may be repeated, or of what the service answered.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::downstream::{Content, Downstream};
use crate::endpoint::Endpoint;
use crate::kept::Kept;
use crate::retry::{Cause, MAX_ATTEMPTS, RetryPolicy};
use crate::serve::{Answer, content_is_lost, guard};
use crate::service::Service;
use crate::wait::total_end;
use crate::window::Event;
use crate::{Body, Exchange, Failure};

/// Content that is kept of a call of gRPC where nothing else is said, in bytes.
const KEPT: usize = 64 * 1024;

/// After how many milliseconds a service wants to be asked again; never, if that is no number or a negative one.
const PUSHBACK: &[u8] = b"grpc-retry-pushback-ms";

/// What was tried for one request.
#[derive(Default)]
pub(super) struct Tries {
    failed: [u32; MAX_ATTEMPTS],
    count: usize,
}

impl Tries {
    /// Endpoints that were asked in vain.
    pub(super) fn failed(&self) -> &[u32] {
        self.failed.get(..self.count).unwrap_or_default()
    }

    /// Notes an attempt.
    pub(super) fn note(&mut self, endpoint: &Endpoint) {
        if let Some(place) = self.failed.get_mut(self.count) {
            *place = endpoint.id;
            self.count += 1;
        }
    }
}

/// Keeps what passes of content that may have to be sent again. Transforms see content once only.
pub(super) fn keep_content(exchange: &mut Exchange, policy: &RetryPolicy) {
    let needed = if exchange.is_call && !policy.grpc.is_empty() { KEPT } else { 0 };
    let limit = if policy.keep > 0 { policy.keep } else { needed };
    let has_content = exchange.is_call || exchange.request.framing != menshen_http1::RequestFraming::None;
    if limit > 0 && has_content && exchange.kept.is_none() && exchange.transforms.is_empty() {
        exchange.kept = Some(Box::new(Kept::passing(limit)));
    }
}

/// Why an attempt should be followed by another one, if it should. The plain answer is found out first.
pub(super) fn cause<D: Downstream>(
    result: &Result<Answer, Failure>,
    exchange: &Exchange,
    client: &D,
    policy: &RetryPolicy,
    tries: &Tries,
) -> Option<Cause> {
    let (cause, most) = match result {
        Ok(answer) => (cause_of_answer(answer, exchange, policy)?, policy.attempts),
        Err(failure) => match policy.cause(*failure)? {
            Cause::Connect => (Cause::Connect, policy.attempts),
            cause => (cause, policy.unanswered),
        },
    };
    let may_repeat = match cause {
        // Nobody has seen it, or the service says itself that it did nothing.
        Cause::Connect | Cause::Grpc => true,
        Cause::Reset | Cause::Timeout | Cause::Status => {
            policy.may_repeat(exchange.request.method(), &exchange.request.fields)
        }
    };
    (tries.count < most && may_repeat && !content_is_lost(exchange, client)).then_some(cause)
}

fn cause_of_answer(answer: &Answer, exchange: &Exchange, policy: &RetryPolicy) -> Option<Cause> {
    if policy.statuses.has(answer.reply.head.status) {
        return Some(Cause::Status);
    }
    if policy.grpc.is_empty() {
        return None;
    }
    // Nothing but a status: what came before it cannot be taken back.
    let is_bare = match &answer.reply.body {
        Body::Empty => true,
        Body::Full(content) => content.is_empty(),
        Body::Streaming => false,
    };
    let is_chosen = exchange.grpc_status().is_some_and(|status| policy.grpc.contains(status));
    let is_complete = exchange.kept.as_ref().is_some_and(|kept| kept.is_complete());
    // The service says itself when it wants to be asked again, if at all (gRFC A6): its caller hears that.
    let is_pushed_back = || answer.reply.head.fields.get_named(PUSHBACK).is_some();
    (is_bare && is_chosen && is_complete && !is_pushed_back()).then_some(Cause::Grpc)
}

/// Prepares another attempt: the endpoint for it, after a wait if there has to be one. `None` when there is no more time
/// or no budget; then the last result stands.
pub(super) async fn prepare<'s, D: Downstream>(
    exchange: &mut Exchange,
    client: &mut D,
    service: &'s Arc<Service>,
    policy: &RetryPolicy,
    (cause, tries): (Cause, &Tries),
) -> Result<Option<&'s Arc<Endpoint>>, Failure> {
    let live = exchange.live.clone();
    let worker = live.worker();
    let Ok(endpoint) = guard::pick(exchange, &live, service, tries.failed()) else { return Ok(None) };
    let must_wait = matches!(cause, Cause::Status | Cause::Grpc) || tries.failed().contains(&endpoint.id);
    let longest = if must_wait { policy.pause(tries.count) } else { Duration::ZERO };
    let now = worker.now();
    // Whoever came so late would not be told what was wrong, but that the time is over.
    if total_end(exchange).is_some_and(|end| now + longest >= end) {
        return Ok(None);
    }
    let (cells, window) = (service.stats.of(worker.index), &service.state.window);
    if policy.budget.is_some_and(|budget| !budget.allows(window, now)) {
        guard::count(cells, |cells| cells.over_budget.add(1));
        return Ok(None);
    }
    window.add(worker.index, Event::Retry, now);
    guard::count(cells, |cells| cells.retries.get(cause as usize).map_or((), |count| count.add(1)));
    exchange.wants_new_connection |= cause == Cause::Reset;
    if longest > Duration::ZERO {
        wait(client, now + chance(longest, worker.random())).await?;
    }
    exchange.grpc_status.set(None);
    Ok(Some(endpoint))
}

/// Any time up to this one ("full jitter"), so that those who failed together do not come back together.
fn chance(longest: Duration, random: u64) -> Duration {
    // 0 to 1023 parts of 1024.
    let part = u32::try_from(random % 1024).unwrap_or(0);
    longest * part / 1024
}

async fn wait<D: Downstream>(client: &mut D, until: Instant) -> Result<(), Failure> {
    client.deadline().set_at(until);
    poll_fn(|cx| {
        if client.content_is_ended() && client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Failure::ClientGone));
        }
        client.deadline().poll(cx).map(Ok)
    })
    .await
}

/// Lets go of an answer that nobody will see; its connection goes back if all of it is here.
pub(super) fn let_go(answer: Answer, exchange: &mut Exchange) {
    exchange.keep_reply(answer.reply);
    let Some(mut call) = answer.call else { return };
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut left = KEPT;
    while left > 0 {
        match call.poll_content(&mut cx) {
            Poll::Ready(Ok(Content::Data)) => {
                let n = call.content().len();
                left = left.saturating_sub(n);
                call.consume(n);
            }
            Poll::Ready(Ok(Content::End)) => return call.finish(),
            Poll::Ready(Err(_)) | Poll::Pending => return,
        }
    }
}
