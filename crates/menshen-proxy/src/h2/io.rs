//! A stream as the h2 crate wants it, with an eye on what comes in and what goes out.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use ::h2::Reason;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::PREFACE;
use super::frames::{BEHIND_TYPE, Head, Walker, Watcher, kind};
use super::meter::Meter;
use super::rules::Rules;
use super::sent::Sent;
use crate::buffer::Buffer;
use crate::stream::Stream;
use crate::worker::Worker;

/// Bytes that are read and thrown away behind a GOAWAY, so that the client gets to see it.
const LEFTOVERS: usize = 256 * 1024;

/// A type of frames that nobody knows and everybody ignores (RFC 9113 §5.5).
const UNKNOWN: u8 = 0xff;

/// What is known about the end of a connection.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// Why it must end, once it must.
    pub(super) verdict: Cell<Option<Reason>>,
    /// The client said goodbye.
    pub(super) goodbye: Cell<bool>,
}

/// A client's stream, with what was read of it before it was known to be HTTP/2.
pub(super) struct Io {
    stream: Stream,
    before: Buffer,
    worker: Rc<Worker>,
    /// Bytes of the preface still to come; they are no frames.
    preface: usize,
    walker: Walker,
    rules: Rules,
    meter: Meter,
    sent: Sent,
    ending: Rc<Ending>,
    /// Nothing more will be sent; so many bytes may still come.
    leftovers: Option<usize>,
}

/// Looks at what comes in.
struct Guard<'a> {
    rules: &'a mut Rules,
    meter: &'a mut Meter,
    now: Instant,
    /// Where the header of the client's goodbye ends.
    goodbye: Option<usize>,
}

impl Watcher for Guard<'_> {
    fn begins(&mut self, head: &Head, end: usize) -> Result<usize, Reason> {
        let shown = self.rules.begins(head)?;
        if head.kind == kind::GOAWAY {
            self.goodbye = Some(end);
        }
        if self.meter.came(head, self.now) { Ok(shown) } else { Err(Reason::ENHANCE_YOUR_CALM) }
    }

    fn part(&mut self, head: &Head, part: &[u8]) -> Result<usize, Reason> {
        self.rules.part(head, part)
    }
}

impl Io {
    pub(super) fn new(stream: Stream, before: Buffer, worker: Rc<Worker>, rules: Rules) -> Self {
        let meter = Meter::new(worker.now());
        Self {
            stream,
            before,
            worker,
            preface: PREFACE.len(),
            walker: Walker::default(),
            rules,
            meter,
            sent: Sent::default(),
            ending: Rc::default(),
            leftovers: None,
        }
    }

    /// What becomes known about the end of the connection.
    pub(super) fn ending(&self) -> Rc<Ending> {
        self.ending.clone()
    }

    /// Looks at bytes that came; the result is how many of them the h2 crate may see.
    fn judge(&mut self, bytes: &mut [u8]) -> usize {
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        let frames = bytes.get_mut(preface..).unwrap_or_default();
        let (now, rules, meter) = (self.worker.now(), &mut self.rules, &mut self.meter);
        let mut guard = Guard { rules, meter, now, goodbye: None };
        let judged = self.walker.walk(frames, &mut guard);
        if let Some(end) = guard.goodbye {
            self.ending.goodbye.set(true);
            hide_goodbye(frames, end);
        }
        match judged {
            Ok(()) => bytes.len(),
            Err(offence) => {
                self.ending.verdict.set(Some(offence.reason));
                preface + offence.at
            }
        }
    }

    fn note_sent(&mut self, bytes: &[u8]) {
        let was_blamed = self.sent.blamed.is_some();
        let is_fine = self.sent.note(bytes, &mut self.rules.streams, &mut self.meter, self.worker.now());
        if !was_blamed && self.sent.blamed == Some(Reason::ENHANCE_YOUR_CALM) {
            self.worker.calmed_down();
        }
        if !is_fine && self.ending.verdict.get().is_none() {
            self.ending.verdict.set(Some(Reason::ENHANCE_YOUR_CALM));
        }
    }

    /// Reads what still comes until the client ends too: who closes with bytes unread resets the connection, and the
    /// client may never see why.
    fn poll_leftovers(&mut self, cx: &mut Context<'_>, mut left: usize) -> Poll<io::Result<()>> {
        while left > 0 {
            let mut piece = [0; 4096];
            let mut room = ReadBuf::new(&mut piece);
            if ready!(self.stream.poll_read_into(cx, &mut room)).is_err() || room.filled().is_empty() {
                break;
            }
            left = left.saturating_sub(room.filled().len());
            self.leftovers = Some(left);
        }
        Poll::Ready(Ok(()))
    }
}

/// The h2 crate ends a connection without streams at a goodbye of the client, and does not answer what comes behind it. We
/// give the client a moment.
fn hide_goodbye(frames: &mut [u8], end: usize) {
    let kind = end.checked_sub(BEHIND_TYPE + 1).and_then(|place| frames.get_mut(place));
    if let Some(kind) = kind {
        *kind = UNKNOWN;
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        self.worker.buffers.give(std::mem::take(&mut self.before));
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // Whoever serves the connection looks at the verdict when there is nothing more to read.
        if this.ending.verdict.get().is_some() {
            return Poll::Pending;
        }
        let from = room.filled().len();
        if this.before.is_empty() {
            ready!(this.stream.poll_read_into(cx, room))?;
        } else {
            let n = this.before.len().min(room.remaining());
            room.put_slice(this.before.data().get(..n).unwrap_or_default());
            this.before.consume(n);
            this.worker.buffers.reclaim(&mut this.before);
        }
        let seen = this.judge(room.filled_mut().get_mut(from..).unwrap_or_default());
        room.set_filled(from + seen);
        // Nothing read would mean that the client has gone.
        if seen == 0 && this.ending.verdict.get().is_some() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let n = ready!(self.stream.poll_write(cx, bytes))?;
        self.note_sent(bytes.get(..n).unwrap_or_default());
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let [a, b] = pieces else {
            let first = pieces.iter().find(|piece| !piece.is_empty());
            return self.poll_write(cx, first.map_or(&[], |piece| piece));
        };
        let n = ready!(self.stream.poll_write_two(cx, a, b))?;
        let (from_a, from_b) = (n.min(a.len()), n.saturating_sub(a.len()));
        self.note_sent(a.get(..from_a).unwrap_or_default());
        self.note_sent(b.get(..from_b).unwrap_or_default());
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.leftovers.is_none() {
            ready!(self.stream.poll_shutdown(cx))?;
            self.leftovers = Some(if self.sent.blamed.is_some() { LEFTOVERS } else { 0 });
        }
        let left = self.leftovers.unwrap_or(0);
        self.poll_leftovers(cx, left)
    }
}
