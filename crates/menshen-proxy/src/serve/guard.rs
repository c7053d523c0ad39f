//! What stands before a service: its circuit breaker, and the limit of requests under way.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use crate::breaker::{Admission, BreakerPolicy, Outcome};
use crate::concurrency::{ConcurrencyPolicy, Permit, Priority, Seat};
use crate::downstream::Downstream;
use crate::endpoint::Endpoint;
use crate::serve::Answer;
use crate::service::Service;
use crate::stats::ServiceCells;
use crate::wait::total_end;
use crate::window::Event;
use crate::worker::Live;
use crate::{Blame, Exchange, Failure};

/// That a request may be under way at its service. Whatever becomes of the request, dropping this gives everything back.
pub(crate) struct Pass {
    service: Arc<Service>,
    is_trial: bool,
    /// Held until the last byte of the answer is through.
    _permit: Option<Permit>,
    /// Of the attempt under way, where its endpoint has a limit.
    seat: Option<Seat>,
    begun: Instant,
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.is_trial {
            self.service.state.breaker.abandon();
        }
    }
}

fn cells<'a>(service: &'a Service, exchange: &Exchange) -> Option<&'a ServiceCells> {
    service.stats.of(exchange.live.worker_index())
}

/// Waits until the request may go to the service. Only asked where there is something in the way.
pub(super) async fn enter<D: Downstream>(
    exchange: &mut Exchange,
    client: &mut D,
    service: &Arc<Service>,
) -> Result<(), Failure> {
    // That of another service ends here.
    exchange.pass = None;
    let mut pass = Box::new(Pass {
        service: service.clone(),
        is_trial: false,
        _permit: None,
        seat: None,
        begun: exchange.live.worker().now(),
    });
    if service.breaker.is_some() {
        match service.state.breaker.admit(pass.begun) {
            Admission::Pass => {}
            Admission::Trial => {
                tracing::info!(service = %service.name, "circuit half open: one request tries");
                pass.is_trial = true;
            }
            Admission::Refused { retry_after } => {
                count(cells(service, exchange), |cells| cells.short_circuited.add(1));
                return Err(Failure::CircuitOpen { retry_after });
            }
        }
    }
    if let Some(policy) = &service.concurrency {
        pass._permit = Some(permit(exchange, client, service, policy).await?);
        pass.begun = exchange.live.worker().now();
    }
    exchange.pass = Some(pass);
    Ok(())
}

/// The endpoint for the next attempt; those in `tried` were asked in vain. The attempt before has its place no more.
pub(super) fn pick<'s>(
    exchange: &mut Exchange,
    live: &Live,
    service: &'s Arc<Service>,
    tried: &[u32],
) -> Result<&'s Arc<Endpoint>, Failure> {
    let Some(most) = service.concurrency.as_ref().and_then(|policy| policy.per_endpoint) else {
        return service.pick(live, Some(exchange), tried).ok_or(service.nobody());
    };
    take_seat(exchange, None);
    match free(exchange, live, service, (tried, most))? {
        Some((endpoint, seat)) => {
            take_seat(exchange, Some(seat));
            Ok(endpoint)
        }
        None => {
            count(cells(service, exchange), |cells| cells.overloaded.add(1));
            Err(Failure::Overloaded)
        }
    }
}

/// An endpoint at which there may be one more request.
pub(super) fn free<'s>(
    exchange: &Exchange,
    live: &Live,
    service: &'s Arc<Service>,
    (tried, most): (&[u32], u32),
) -> Result<Option<(&'s Arc<Endpoint>, Seat)>, Failure> {
    let mut passed_over = Vec::new();
    for _ in 0..=service.endpoints.len() {
        let asked = if passed_over.is_empty() { tried } else { &passed_over };
        let endpoint = service.pick(live, Some(exchange), asked).ok_or(service.nobody())?;
        if let Some(seat) = Seat::take(endpoint, most) {
            return Ok(Some((endpoint, seat)));
        }
        if passed_over.is_empty() {
            passed_over.extend_from_slice(tried);
        }
        passed_over.push(endpoint.id);
    }
    Ok(None)
}

/// A place at a service for a request beside the others, for which nobody waits: it gives way to all others.
pub(super) struct Extra {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) seat: Option<Seat>,
    _permit: Option<Permit>,
}

/// A place for a request beside the others, preferably not at an endpoint of `tried`; why there is none.
pub(super) fn extra(
    live: &Live,
    exchange: &Exchange,
    service: &Arc<Service>,
    tried: &[u32],
) -> Result<Extra, Failure> {
    let (endpoint, seat) = match service.concurrency.as_ref().and_then(|policy| policy.per_endpoint) {
        None => (service.pick(live, Some(exchange), tried).ok_or(service.nobody())?, None),
        Some(most) => {
            let (endpoint, seat) =
                free(exchange, live, service, (tried, most))?.ok_or(Failure::Overloaded)?;
            (endpoint, Some(seat))
        }
    };
    let permit = match &service.concurrency {
        Some(policy) => Some(service.state.permit(policy, Priority::Low).ok_or(Failure::Overloaded)?),
        None => None,
    };
    Ok(Extra { endpoint: endpoint.clone(), seat, _permit: permit })
}

/// The place at an endpoint is this one from now on.
pub(super) fn take_seat(exchange: &mut Exchange, seat: Option<Seat>) {
    if let Some(pass) = &mut exchange.pass {
        pass.seat = seat;
    }
}

async fn permit<D: Downstream>(
    exchange: &Exchange,
    client: &mut D,
    service: &Arc<Service>,
    policy: &ConcurrencyPolicy,
) -> Result<Permit, Failure> {
    let priority = exchange.route().priority.of(exchange);
    if let Some(permit) = service.state.permit(policy, priority) {
        return Ok(permit);
    }
    let granted = match wait(exchange, client, service, policy, priority).await {
        Ok(granted) => granted,
        Err(failure) => return Err(failure),
    };
    granted.ok_or_else(|| {
        let is_shed = priority == Priority::Low && service.state.in_flight() < service.state.limit(policy);
        let failure = if is_shed { Failure::Shed } else { Failure::Overloaded };
        count(cells(service, exchange), |cells| match is_shed {
            true => cells.shed.add(1),
            false => cells.overloaded.add(1),
        });
        failure
    })
}

/// Waits in the queue, if there is one and it has a place. `None` when that was in vain.
async fn wait<D: Downstream>(
    exchange: &Exchange,
    client: &mut D,
    service: &Arc<Service>,
    policy: &ConcurrencyPolicy,
    priority: Priority,
) -> Result<Option<Permit>, Failure> {
    let worker = exchange.live.worker();
    let Some(queue) = policy.queue else { return Ok(None) };
    let Some(place) = worker.queues.enter(&service.state, queue, priority, worker.index) else {
        return Ok(None);
    };
    count(cells(service, exchange), |cells| cells.queued.add(1));
    let end = total_end(exchange);
    let until = worker.now() + queue.wait;
    client.deadline().set_at(end.map_or(until, |end| end.min(until)));
    poll_fn(|cx| {
        if let Poll::Ready(granted) = place.poll(cx, policy) {
            return Poll::Ready(Ok(granted));
        }
        if client.content_is_ended() && client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Failure::ClientGone));
        }
        client.deadline().poll(cx).map(|()| match end.is_some_and(|end| Instant::now() >= end) {
            true => Err(Failure::TotalTimeout),
            false => Ok(None),
        })
    })
    .await
}

/// Takes note of how the request went.
pub(super) fn report(exchange: &mut Exchange, service: &Service, result: &Result<Answer, Failure>) {
    let live = exchange.live.clone();
    let now = live.worker().now();
    let Some(pass) = exchange.pass.as_mut() else { return };
    // A refused connection says nothing about how long things take; an answer that did not come does.
    let is_measure = matches!(result, Ok(_) | Err(Failure::FirstByteTimeout | Failure::TotalTimeout));
    if let Some(policy) = &service.concurrency
        && is_measure
    {
        service.state.concurrency.took(policy, now.saturating_duration_since(pass.begun), now);
    }
    let Some(policy) = &service.breaker else { return };
    let (breaker, window) = (&service.state.breaker, &service.state.window);
    let outcome = outcome(result, policy);
    if std::mem::take(&mut pass.is_trial) {
        breaker.settle(outcome, window, policy, now);
        tracing::warn!(service = %service.name, circuit = ?breaker.circuit(), "a trial has ended");
    } else if breaker.report(outcome, window, live.worker_index(), policy, now) {
        tracing::warn!(service = %service.name, sleep = ?policy.sleep, "circuit open: it fails too often");
    }
}

fn outcome(result: &Result<Answer, Failure>, policy: &BreakerPolicy) -> Outcome {
    match result {
        Ok(answer) if policy.statuses.has(answer.reply.head.status) => Outcome::Failure,
        Ok(_) => Outcome::Success,
        Err(failure) if failure.blame() == Blame::Service => Outcome::Failure,
        Err(_) => Outcome::Unknown,
    }
}

/// Notes that a request is to be sent to the service, for all that goes by the live traffic.
pub(super) fn note_request(exchange: &Exchange, service: &Service) {
    let worker = exchange.live.worker();
    service.state.window.add(worker.index, Event::Request, worker.recent());
}

/// Counts, if this worker counts.
pub(super) fn count(cells: Option<&ServiceCells>, what: impl FnOnce(&ServiceCells)) {
    if let Some(cells) = cells {
        what(cells);
    }
}
