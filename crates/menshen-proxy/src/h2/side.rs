//! One stream of a client's connection, as those see it who serve it: the answer to a request, or a tunnel.

use std::task::{Context, Poll};

use menshen_http2::End;

use super::link::{AtHand, Inbox, Link, room};

/// What is read at once for all streams of a connection: what they hold when their client then takes nothing.
const READ_AHEAD: usize = 4 * 1024 * 1024;

/// A stream of a client's connection.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) link: &'a Link<Inbox>,
    pub(super) id: u32,
}

impl Side<'_> {
    /// Takes what has come. Ready with true when there is content, with false at its end, with `None` when the stream
    /// is no more.
    pub(super) fn poll_fill(&self, cx: &Context<'_>, at_hand: &mut AtHand) -> Poll<Option<bool>> {
        if !at_hand.is_empty() {
            return Poll::Ready(Some(true));
        }
        match self.link.core().lane(self.id) {
            Some(inbox) => at_hand.poll_fill(cx, inbox).map(Some),
            None => Poll::Ready(None),
        }
    }

    /// Waits until a part of `wanted` bytes may be sent; the result is how much. `None` when the stream is no more.
    pub(super) fn poll_room(&self, cx: &Context<'_>, wanted: usize) -> Poll<Option<usize>> {
        room(&mut self.link.core(), self.id, wanted, |inbox| inbox.listen(cx))
    }

    /// Bytes that the client would take now, and no more than the share of this stream in what is read ahead.
    pub(super) fn appetite(&self) -> usize {
        let mut core = self.link.core();
        let share = READ_AHEAD / core.open_streams().max(1);
        core.window(self.id).min(share)
    }

    /// Sends content for which there is room, or an end. False when the stream is no more.
    pub(super) fn send(&self, content: &[u8], end: End) -> bool {
        self.link.send(self.id, content, end)
    }
}
