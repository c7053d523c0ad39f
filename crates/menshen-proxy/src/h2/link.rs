//! An HTTP/2 connection as its streams see it: content comes out of their lanes, frames go in, and whoever drives the
//! socket is told.

use std::cell::{Cell, RefCell, RefMut};
use std::task::{Context, Poll, Waker};

use menshen_http2::{Code, Connection, End, Flaw, Lane, Room};

use crate::wait::remember;

/// The connection that the tasks of its streams share with the one that drives its socket.
#[derive(Debug)]
pub(super) struct Link<L> {
    core: RefCell<Connection<L>>,
    driver: RefCell<Option<Waker>>,
    is_called: Cell<bool>,
}

impl<L: Lane> Link<L> {
    pub(super) fn new(core: Connection<L>) -> Self {
        Self { core: RefCell::new(core), driver: RefCell::default(), is_called: Cell::new(false) }
    }

    /// The connection. Frames that it is given leave when [`Link::flush`] is called.
    pub(super) fn core(&self) -> RefMut<'_, Connection<L>> {
        self.core.borrow_mut()
    }

    /// This task drives the socket.
    pub(super) fn drive(&self, cx: &Context<'_>) {
        self.is_called.set(false);
        remember(&mut self.driver.borrow_mut(), cx.waker());
    }

    /// Calls the driver. It comes when all tasks that can run now have run, so that their frames leave together.
    pub(super) fn call(&self) {
        if !self.is_called.replace(true)
            && let Some(driver) = &*self.driver.borrow()
        {
            driver.wake_by_ref();
        }
    }

    /// Calls the driver if there is something to be written.
    pub(super) fn flush(&self) {
        if !self.core.borrow().out.is_empty() {
            self.call();
        }
    }

    /// Content of a stream was used.
    pub(super) fn used(&self, id: u32, bytes: usize) {
        self.core().used(id, bytes);
        self.flush();
    }

    /// Sends content or an end for which there is room. False when the stream is no more.
    pub(super) fn send(&self, id: u32, content: &[u8], end: End) -> bool {
        let is_sent = self.core().send_content(id, content, end);
        self.call();
        is_sent
    }

    /// Resets a stream.
    pub(super) fn reset(&self, id: u32, code: Code) {
        self.core().reset(id, code);
        self.flush();
    }

    /// A stream does not want to send content now.
    pub(super) fn yield_turn(&self, id: u32) {
        self.core().yield_turn(id);
    }

    /// Nobody looks at a stream any more.
    pub(super) fn let_go(&self, id: u32, code: Code) {
        self.core().let_go(id, code);
        self.flush();
    }
}

/// What has come on a stream and was not used yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waker: Option<Waker>,
    pub(super) content: Vec<u8>,
    pub(super) has_ended: bool,
    /// Content that is announced and has not come.
    pub(super) left: Option<u64>,
}

impl Inbox {
    /// Nothing has come; so much is announced. `has_ended` when nothing will.
    pub(super) fn expecting(left: Option<u64>, has_ended: bool) -> Self {
        Self { left, has_ended, ..Self::default() }
    }

    /// The task will be woken when something changes.
    pub(super) fn listen(&mut self, cx: &Context<'_>) {
        remember(&mut self.waker, cx.waker());
    }

    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Content has come. A length holds (RFC 9113 §8.1.1).
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(bytes.len() as u64).ok_or(Flaw::Stream(Code::PROTOCOL_ERROR))?;
        }
        self.content.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn end(&mut self) -> Result<(), Flaw> {
        if self.left.unwrap_or(0) > 0 {
            return Err(Flaw::Stream(Code::PROTOCOL_ERROR));
        }
        self.has_ended = true;
        Ok(())
    }
}

/// Content that the task of a stream has taken out of its inbox.
#[derive(Debug, Default)]
pub(super) struct AtHand {
    content: Vec<u8>,
    at: usize,
}

impl AtHand {
    pub(super) fn content(&self) -> &[u8] {
        self.content.get(self.at..).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at == self.content.len()
    }

    /// Takes bytes from the front; how many there were.
    pub(super) fn take(&mut self, n: usize) -> usize {
        let n = n.min(self.content.len() - self.at);
        self.at += n;
        n
    }

    /// What is left moves into as little memory as it needs, if that is worth it.
    pub(super) fn settle(&mut self) {
        let left = self.content.len() - self.at;
        if self.content.capacity() > 2 * left {
            self.content.drain(..self.at);
            self.content.shrink_to_fit();
            self.at = 0;
        }
    }

    /// Takes what has come, if nothing is left of what came before. Ready with true when there is content, with false at
    /// its end.
    pub(super) fn poll_fill(&mut self, cx: &Context<'_>, inbox: &mut Inbox) -> Poll<bool> {
        if self.is_empty() {
            self.content.clear();
            self.at = 0;
            std::mem::swap(&mut self.content, &mut inbox.content);
        }
        match (self.is_empty(), inbox.has_ended) {
            (false, _) => Poll::Ready(true),
            (true, true) => Poll::Ready(false),
            (true, false) => {
                inbox.listen(cx);
                Poll::Pending
            }
        }
    }
}

/// Waits for room; the lane must listen by then.
pub(super) fn room<L: Lane>(
    core: &mut Connection<L>,
    id: u32,
    wanted: usize,
    listen: impl FnOnce(&mut L),
) -> Poll<Option<usize>> {
    match core.room(id, wanted) {
        Room::Bytes(n) => Poll::Ready(Some(n)),
        Room::Gone => Poll::Ready(None),
        Room::Wait => {
            if let Some(lane) = core.lane(id) {
                listen(lane);
            }
            Poll::Pending
        }
    }
}
