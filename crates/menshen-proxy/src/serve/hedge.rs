//! A second attempt elsewhere, when the first takes long: the first head wins, the other attempt is dropped, which closes
//! its connection or resets its stream.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use menshen_http1::RequestFraming;

use crate::call::Aim;
use crate::downstream::Downstream;
use crate::hedge::{HedgeAfter, HedgePolicy};
use crate::serve::guard::{self, Extra};
use crate::serve::twin::Twin;
use crate::serve::{Answer, attempt};
use crate::service::Service;
use crate::trace::Phase;
use crate::window::Event;
use crate::worker::Live;
use crate::{Blame, Exchange, Failure};

/// Seconds of traffic that are looked at for the share that is made twice.
const SECONDS: u32 = 10;

/// True when this request may be under way twice at once: nothing can be changed by it, and nothing is to be sent twice.
fn may_be_made_twice(exchange: &Exchange, live: &Live) -> bool {
    exchange.request.method().is_safe()
        && exchange.request.framing == RequestFraming::None
        && !exchange.request.wants_upgrade
        && !exchange.is_call
        && exchange.translation.is_none()
        && exchange.kept.is_none()
        && exchange.transforms.is_empty()
        // Its filters have notes for one attempt at a time.
        && !live.route(exchange.route).chain.has(Phase::Route)
}

/// How long the first attempt may take, where there may be a second.
fn delay(exchange: &Exchange, live: &Live, service: &Service, policy: &HedgePolicy) -> Option<Duration> {
    if !may_be_made_twice(exchange, live) {
        return None;
    }
    match policy.after {
        HedgeAfter::Time(time) => Some(time),
        HedgeAfter::Quantile(share) => {
            service.state.usual.quantile(share, &service.stats, live.worker().recent())
        }
    }
}

/// One attempt, and a second one when that takes long.
pub(super) async fn race<D: Downstream>(
    exchange: &mut Exchange,
    client: &mut D,
    live: &Live,
    aim: &Aim<'_>,
    policy: &HedgePolicy,
) -> Result<Answer, Failure> {
    let Some(delay) = delay(exchange, live, aim.service, policy) else {
        return attempt(exchange, client, live, aim).await;
    };
    // What the second attempt needs has to be there before the first has the exchange.
    let mut twin = Twin::of(exchange);
    twin.exchange.attempts = exchange.attempts.saturating_add(1);
    let (ended, seat) = {
        let mut first = pin!(attempt(exchange, client, live, aim));
        twin.nobody.deadline.set(live.worker().now(), delay);
        let early = poll_fn(|cx| match first.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => twin.nobody.deadline.poll(cx).map(|()| None),
        });
        if let Some(result) = early.await {
            twin.give_back(live.worker());
            return result;
        }
        let Some(place) = second_place(live, aim, policy, &twin.exchange) else {
            let result = first.await;
            twin.give_back(live.worker());
            return result;
        };
        let aim = Aim { endpoint: &place.endpoint, ..*aim };
        let mut second = pin!(attempt(&mut twin.exchange, &mut twin.nobody, live, &aim));
        let (mut failed, mut is_lost) = (None, false);
        let ended = poll_fn(|cx| {
            if failed.is_none()
                && let Poll::Ready(result) = first.as_mut().poll(cx)
            {
                match result {
                    Err(failure) if !is_lost && failure.blame() == Blame::Service => failed = Some(failure),
                    result => return Poll::Ready(First::Won(result)),
                }
            }
            if !is_lost && let Poll::Ready(result) = second.as_mut().poll(cx) {
                match (result, failed) {
                    (Ok(answer), _) => return Poll::Ready(First::Lost(answer)),
                    (Err(_), Some(failure)) => return Poll::Ready(First::Won(Err(failure))),
                    (Err(_), None) => is_lost = true,
                }
            }
            Poll::Pending
        });
        (ended.await, place.seat)
    };
    // Both attempts are over here: the one that lost was dropped.
    exchange.attempts = exchange.attempts.saturating_add(1);
    let result = match ended {
        First::Won(result) => result,
        First::Lost(answer) => {
            guard::count(aim.service.stats.of(live.worker_index()), |cells| cells.hedges_won.add(1));
            exchange.endpoint = twin.exchange.endpoint.take();
            exchange.service_micros = twin.exchange.service_micros;
            guard::take_seat(exchange, seat);
            Ok(answer)
        }
    };
    twin.give_back(live.worker());
    result
}

/// How the race ended for the first attempt.
enum First {
    Won(Result<Answer, Failure>),
    Lost(Answer),
}

/// Another endpoint for the second attempt, if there is one, and if there may be one more request.
fn second_place(live: &Live, aim: &Aim<'_>, policy: &HedgePolicy, exchange: &Exchange) -> Option<Extra> {
    let service = aim.service;
    let worker = live.worker();
    let (now, window) = (worker.now(), &service.state.window);
    let lately = window.sum(now, SECONDS, 0);
    let most = policy.at_most * lately.of(Event::Request) as f64;
    if (lately.of(Event::Hedge) + 1) as f64 > most.max(1.0) {
        return None;
    }
    let place = guard::extra(live, exchange, service, &[aim.endpoint.id]).ok()?;
    if place.endpoint.id == aim.endpoint.id {
        return None;
    }
    window.add(worker.index, Event::Hedge, now);
    guard::count(service.stats.of(worker.index), |cells| cells.hedges.add(1));
    Some(place)
}
