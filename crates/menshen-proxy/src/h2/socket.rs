//! The socket of an HTTP/2 connection, with what is on its way in and out.

use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

use menshen_http2::{Code, Lane, Receiver};

use super::link::Link;
use crate::buffer::Buffer;
use crate::outbound::Outbound;
use crate::stream::Stream;
use crate::turns;
use crate::worker::Worker;

/// Bytes that are read before other connections have their turn. Frames cost more than the bytes that they are.
const TURN: usize = 64 * 1024;

/// The peer is gone, with what was said about it last.
#[derive(Default)]
pub(super) struct Gone(pub(super) Option<io::Error>);

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Bytes were taken.
    Some,
    /// The peer broke a rule: the connection has ended with this code.
    Broken(Code),
}

/// A socket, with buffers.
pub(super) struct Socket {
    pub(super) stream: Stream,
    /// Bytes that came: the start of something that must come as a whole, or what was read ahead.
    pub(super) read: Buffer,
    out: Outbound,
    born: Instant,
    /// Bytes read since the last turn of others.
    taken: usize,
    /// Bytes may be there that were read before it was known that this is HTTP/2.
    is_fresh: bool,
}

impl Socket {
    pub(super) fn new(stream: Stream, read: Buffer, now: Instant) -> Self {
        Self { stream, read, out: Outbound::default(), born: now, taken: 0, is_fresh: true }
    }

    /// Writes what there is. True when all of it is written.
    pub(super) fn poll_write<L: Lane>(&mut self, cx: &mut Context<'_>, link: &Link<L>) -> Result<bool, Gone> {
        loop {
            if self.out.is_empty() {
                let mut core = link.core();
                if core.out.is_empty() {
                    break;
                }
                std::mem::swap(&mut core.out, &mut self.out.bytes);
                core.drained();
            }
            match self.out.poll_write(cx, &mut self.stream, &[]) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Err(Gone(Some(error))),
                Poll::Pending => return Ok(false),
            }
        }
        match self.stream.poll_flush(cx) {
            Poll::Ready(Ok(())) => Ok(true),
            Poll::Ready(Err(error)) => Err(Gone(Some(error))),
            Poll::Pending => Ok(false),
        }
    }

    /// Bytes written so far, as a sign of progress.
    pub(super) fn moved(&self) -> u64 {
        self.out.moved()
    }

    /// Reads once, and hands on what came.
    pub(super) fn poll_read<R: Receiver>(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        link: &Link<R::Lane>,
        receiver: &mut R,
    ) -> Poll<Result<Read, Gone>> {
        if !std::mem::take(&mut self.is_fresh) || self.read.is_empty() {
            // Who does not take what we have to say is not asked for more.
            if link.core().is_full() {
                return Poll::Pending;
            }
            if self.taken >= TURN {
                self.taken = 0;
                turns::after_all_others(cx);
                return Poll::Pending;
            }
            if self.read.is_full() {
                worker.buffers.enlarge(&mut self.read);
            }
            match self.stream.poll_read(cx, &worker.buffers, &mut self.read) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Gone::default())),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Gone(Some(error)))),
                Poll::Ready(Ok(n)) => self.taken += n,
            }
        }
        let now = worker.now().saturating_duration_since(self.born);
        let mut core = link.core();
        if core.out.capacity() == 0 {
            core.out = worker.take_bytes();
        }
        let read = match core.receive(self.read.data(), now, receiver) {
            Ok(n) => {
                self.read.consume(n);
                Read::Some
            }
            Err(code) => {
                core.end(code);
                Read::Broken(code)
            }
        };
        drop(core);
        worker.buffers.reclaim(&mut self.read);
        Poll::Ready(Ok(read))
    }

    /// Gives memory back: nothing is under way.
    pub(super) fn rest<L: Lane>(&mut self, worker: &Worker, link: &Link<L>) {
        let mut core = link.core();
        if core.out.is_empty() {
            worker.give_bytes(std::mem::take(&mut core.out));
            self.out.release(worker);
        }
    }
}
