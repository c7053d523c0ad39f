//! A stream as the h2 crate wants it, with an eye on what comes in.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::PREFACE;
use super::meter::Meter;
use crate::buffer::Buffer;
use crate::stream::Stream;
use crate::worker::Worker;

/// A client's stream, with what was read of it before it was known to be HTTP/2.
pub(super) struct Io {
    stream: Stream,
    before: Buffer,
    worker: Rc<Worker>,
    meter: Meter,
    /// Bytes of the preface still to come; they are no frames.
    preface: usize,
    too_much: Rc<Cell<bool>>,
}

impl Io {
    pub(super) fn new(stream: Stream, before: Buffer, worker: Rc<Worker>) -> Self {
        let meter = Meter::new(worker.now());
        Self { stream, before, worker, meter, preface: PREFACE.len(), too_much: Rc::default() }
    }

    /// True once the client has sent too many frames of no use.
    pub(super) fn too_much(&self) -> Rc<Cell<bool>> {
        self.too_much.clone()
    }

    fn note(&mut self, bytes: &[u8]) {
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        if !self.meter.received(bytes.get(preface..).unwrap_or_default(), self.worker.now()) {
            self.too_much.set(true);
        }
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
        let from = room.filled().len();
        if this.before.is_empty() {
            std::task::ready!(this.stream.poll_read_into(cx, room))?;
        } else {
            let n = this.before.len().min(room.remaining());
            room.put_slice(this.before.data().get(..n).unwrap_or_default());
            this.before.consume(n);
            this.worker.buffers.reclaim(&mut this.before);
        }
        this.note(room.filled().get(from..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let n = std::task::ready!(self.stream.poll_write(cx, bytes))?;
        self.meter.sent(n);
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let n = std::task::ready!(self.stream.poll_write_vectored(cx, pieces))?;
        self.meter.sent(n);
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }
}
