//! What a worker has used and keeps for the next one who needs it: the last one back is the first one out, because it
//! is still in the cache.

use std::cell::RefCell;
use std::rc::Rc;

use menshen_http1::ResponseHead;

use super::{Live, Worker};
use crate::Exchange;
use crate::timers::Deadline;

/// How many of each are kept.
const KEPT: usize = 256;

/// Memory that nobody uses at the moment.
#[derive(Default)]
pub(super) struct Spare {
    bytes: RefCell<Vec<Vec<u8>>>,
    heads: RefCell<Vec<ResponseHead>>,
    exchanges: RefCell<Vec<Box<Exchange>>>,
    deadlines: RefCell<Vec<Rc<Deadline>>>,
}

impl Worker {
    pub(crate) fn take_bytes(&self) -> Vec<u8> {
        self.spare.bytes.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(1024))
    }

    pub(crate) fn give_bytes(&self, mut bytes: Vec<u8>) {
        const LARGEST_KEPT: usize = 16 * 1024;
        let mut list = self.spare.bytes.borrow_mut();
        if (1..=LARGEST_KEPT).contains(&bytes.capacity()) && list.len() < KEPT {
            bytes.clear();
            list.push(bytes);
        }
    }

    /// Gives a head memory, if it has none: the one used last, which is still in the cache.
    pub(crate) fn lend_head(&self, head: &mut ResponseHead) {
        if head.fields.memory() == 0
            && let Some(warm) = self.spare.heads.borrow_mut().pop()
        {
            *head = warm;
        }
    }

    pub(crate) fn give_head(&self, head: ResponseHead) {
        const LARGEST_KEPT: usize = 8 * 1024;
        let mut list = self.spare.heads.borrow_mut();
        if (1..=LARGEST_KEPT).contains(&head.fields.memory()) && list.len() < KEPT {
            list.push(head);
        }
    }

    /// A deadline that is not set. Used ones come again: the queue holds each until it would have been due, and
    /// short tasks must not pile up there.
    pub(crate) fn take_deadline(&self) -> Rc<Deadline> {
        self.spare.deadlines.borrow_mut().pop().unwrap_or_else(|| self.timers.deadline())
    }

    pub(crate) fn give_deadline(&self, deadline: Rc<Deadline>) {
        deadline.clear();
        let mut list = self.spare.deadlines.borrow_mut();
        if list.len() < KEPT {
            list.push(deadline);
        }
    }

    pub(crate) fn take_exchange(&self, live: &Rc<Live>) -> Box<Exchange> {
        self.spare.exchanges.borrow_mut().pop().unwrap_or_else(|| Box::new(Exchange::new(live.clone())))
    }

    pub(crate) fn give_exchange(&self, mut exchange: Box<Exchange>) {
        const LARGEST_KEPT: usize = 16 * 1024;
        let mut list = self.spare.exchanges.borrow_mut();
        if exchange.request.fields.memory() <= LARGEST_KEPT && list.len() < KEPT {
            // Notes and transforms of filters, and the snapshot, must not live on in an exchange that nobody uses.
            exchange.forget();
            list.push(exchange);
        }
    }

    /// Lets go of exchanges: they hold the worker, which holds them, and the generation that they last saw.
    pub(super) fn forget_exchanges(&self) {
        self.spare.exchanges.borrow_mut().clear();
    }
}
