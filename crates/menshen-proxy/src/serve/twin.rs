//! The same request once more, for a client that says nothing and never goes.

use std::rc::Rc;
use std::task::{Context, Poll};

use menshen_http1::ResponseHead;

use crate::downstream::{Content, Downstream};
use crate::serve::Answer;
use crate::timers::Deadline;
use crate::worker::Worker;
use crate::{Exchange, Failure, Finished};

/// The same request once more: its head as it is now, without what filters know of it.
pub(super) struct Twin {
    pub(super) exchange: Box<Exchange>,
    pub(super) nobody: Nobody,
}

impl Twin {
    pub(super) fn of(exchange: &Exchange) -> Self {
        let worker = exchange.live.worker();
        let mut twin = worker.take_exchange(&exchange.live);
        twin.reset(exchange.live.clone(), exchange.client.clone(), exchange.started);
        twin.request.clone_from(&exchange.request);
        twin.target.clone_from(&exchange.target);
        twin.variables.clone_from(&exchange.variables);
        twin.route = exchange.route;
        twin.timeouts = exchange.timeouts;
        twin.body_limit = exchange.body_limit;
        Self { exchange: twin, nobody: Nobody { deadline: worker.take_deadline() } }
    }

    pub(super) fn give_back(self, worker: &Worker) {
        worker.give_exchange(self.exchange);
        worker.give_deadline(self.nobody.deadline);
    }
}

/// A client that has said all and hears nothing. The real one is looked after by the request itself.
pub(super) struct Nobody {
    pub(super) deadline: Rc<Deadline>,
}

impl Downstream for Nobody {
    fn poll_content(&mut self, _: &mut Context<'_>) -> Poll<Result<Content, Failure>> {
        Poll::Ready(Ok(Content::End))
    }

    fn content(&self) -> &[u8] {
        &[]
    }

    fn consume(&mut self, _: usize) {}

    fn limit_content(&mut self, _: u64) {}

    fn content_is_ended(&self) -> bool {
        true
    }

    fn content_was_taken(&self) -> bool {
        false
    }

    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    async fn interim(&mut self, _: &Exchange, _: &ResponseHead) -> Result<(), Failure> {
        Ok(())
    }

    async fn send(&mut self, exchange: &mut Exchange, answer: Answer) -> Finished {
        Finished::of(&answer.reply, Ok(()), exchange, 0, 0)
    }
}
