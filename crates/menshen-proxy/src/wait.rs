//! What an exchange waits for right now, and until when.

use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::timers::Deadline;
use crate::{Exchange, Failure};

/// Remembers who is to be woken; nothing is copied while it is the same task.
pub(crate) fn remember(place: &mut Option<Waker>, waker: &Waker) {
    match place {
        Some(known) => known.clone_from(waker),
        None => *place = Some(waker.clone()),
    }
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// A connection to the endpoint.
    Connect,
    /// More of the request from the client.
    ClientBody,
    /// The service, to take more of the request.
    ServiceWrite,
    /// The service, before its head.
    FirstByte,
    /// The service, within its body.
    BetweenBytes,
    /// The client, to take more of the answer.
    ClientWrite,
}

impl Wait {
    fn limit(self, exchange: &Exchange) -> Duration {
        let t = &exchange.timeouts;
        match self {
            Self::Connect => t.connect,
            Self::ClientBody => t.body,
            Self::FirstByte => t.first_byte,
            Self::BetweenBytes => t.between_bytes,
            Self::ClientWrite | Self::ServiceWrite => t.write,
        }
    }

    fn failure(self) -> Failure {
        match self {
            Self::Connect => Failure::ConnectTimeout,
            Self::ClientBody => Failure::BodyTimeout,
            Self::ServiceWrite | Self::FirstByte => Failure::FirstByteTimeout,
            Self::BetweenBytes => Failure::BetweenBytesTimeout,
            Self::ClientWrite => Failure::WriteTimeout,
        }
    }
}

/// Re-arms the deadline of an exchange whenever something moved or something else is waited for.
#[derive(Debug)]
pub(crate) struct Watch {
    wait: Option<Wait>,
    progress: u64,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { wait: None, progress: 0 }
    }

    /// True when it waits for something already.
    pub(crate) fn is_waiting(&self) -> bool {
        self.wait.is_some()
    }

    /// The end of an attempt, where it is the service that is waited for.
    fn try_end(&self, exchange: &Exchange) -> Option<Instant> {
        match self.wait {
            Some(Wait::Connect | Wait::ServiceWrite | Wait::FirstByte) => exchange.try_end,
            _ => None,
        }
    }

    /// Waits for `wait`; `progress` is any number that changes when bytes move.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        wait: Wait,
        progress: u64,
        deadline: &Deadline,
        exchange: &Exchange,
    ) -> Poll<Failure> {
        if self.wait != Some(wait) || self.progress != progress {
            self.wait = Some(wait);
            self.progress = progress;
            let until = exchange.live.worker().at_least(wait.limit(exchange));
            let until = total_end(exchange).map_or(until, |end| until.min(end));
            let until = self.try_end(exchange).map_or(until, |end| until.min(end));
            deadline.set_at(until);
        }
        deadline.poll(cx).map(|()| {
            let total_is_over = total_end(exchange).is_some_and(|end| Instant::now() >= end);
            if total_is_over { Failure::TotalTimeout } else { wait.failure() }
        })
    }
}

/// When the time of the whole exchange is over.
pub(crate) fn total_end(exchange: &Exchange) -> Option<Instant> {
    exchange.timeouts.total.map(|total| exchange.started + total)
}
