//! Encoded bytes on their way to a peer: heads, small pieces of content, chunk lines.

use std::io;
use std::task::{Context, Poll, ready};

use crate::stream::Stream;
use crate::worker::Worker;

/// Content is copied behind a head up to this size; more is written from where it is.
pub(crate) const COPIED: usize = 4 * 1024;
/// Above this much nothing more is encoded until some was written.
const HIGH_WATER: usize = 64 * 1024;

/// Bytes to write, and how many were.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    /// What is still to be written starts at `written`.
    pub(crate) bytes: Vec<u8>,
    written: usize,
    moved: u64,
}

impl Outbound {
    /// Gives it memory, if it has none.
    pub(crate) fn lend(&mut self, worker: &Worker) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = worker.take_bytes();
        }
        &mut self.bytes
    }

    /// Gives the memory back when there is nothing in it: the next one to write finds it in the cache.
    pub(crate) fn release(&mut self, worker: &Worker) {
        if self.is_empty() && self.bytes.capacity() > 0 {
            worker.give_bytes(std::mem::take(&mut self.bytes));
        }
    }

    /// What is encoded and not yet written.
    pub(crate) fn pending(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// True when all that was encoded is written.
    pub(crate) fn is_empty(&self) -> bool {
        self.written == self.bytes.len()
    }

    /// True when more may be encoded.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes.len() - self.written < HIGH_WATER
    }

    /// All bytes written so far, as a sign of progress.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    /// Writes once: what is encoded, then `direct`, content that is written from where it is. The result is how much
    /// of `direct` was written.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        direct: &[u8],
    ) -> Poll<io::Result<usize>> {
        let pending = self.pending();
        let encoded = pending.len();
        let n = ready!(stream.poll_write_two(cx, pending, direct))?;
        self.moved = self.moved.wrapping_add(n as u64);
        self.written += n.min(encoded);
        if self.is_empty() {
            self.bytes.clear();
            self.written = 0;
        }
        Poll::Ready(Ok(n.saturating_sub(encoded)))
    }
}
