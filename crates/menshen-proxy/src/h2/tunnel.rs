//! WebSocket over a stream (RFC 8441): bytes both ways between the stream and a service that agreed in HTTP/1.1.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::h2::{RecvStream, SendStream};
use bytes::{Buf, Bytes};

use super::connection::SEND_BUFFER;
use super::room;
use crate::buffer::Buffer;
use crate::h1::tunnel::Carried;
use crate::stream::Stream;
use crate::timers::Deadline;
use crate::websocket::{Frames, GOING_AWAY};
use crate::worker::Worker;

/// One side or the other is gone, or broke the rules.
struct Broken;

/// From the client to the service.
struct Up<'a> {
    stream: &'a mut RecvStream,
    piece: Bytes,
    ended: bool,
    moved: u64,
}

impl Up<'_> {
    fn poll(&mut self, cx: &mut Context<'_>, service: &mut Stream) -> Poll<Result<(), Broken>> {
        loop {
            while !self.piece.is_empty() {
                let n = ready!(service.poll_write(cx, &self.piece)).map_err(|_| Broken)?;
                self.piece.advance(n);
                self.moved += n as u64;
                let _ = self.stream.flow_control().release_capacity(n);
            }
            ready!(service.poll_flush(cx)).map_err(|_| Broken)?;
            if self.ended {
                return service.poll_shutdown(cx).map_err(|_| Broken);
            }
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(_)) => return Poll::Ready(Err(Broken)),
                None => self.ended = true,
            }
        }
    }
}

/// From the service to the client.
struct Down<'a> {
    stream: &'a mut SendStream<Bytes>,
    buffer: Buffer,
    frames: Frames,
    moved: u64,
}

impl Down<'_> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        service: &mut Stream,
    ) -> Poll<Result<(), Broken>> {
        loop {
            while !self.buffer.is_empty() {
                let wanted = self.buffer.len();
                let room = ready!(room::poll(self.stream, cx, wanted, SEND_BUFFER)).ok_or(Broken)?;
                let piece = Bytes::copy_from_slice(self.buffer.data().get(..room).unwrap_or_default());
                self.buffer.consume(room);
                self.frames.pass(&piece);
                self.moved += room as u64;
                self.stream.send_data(piece, false).map_err(|_| Broken)?;
            }
            let read = ready!(service.poll_read(cx, &worker.buffers, &mut self.buffer));
            if read.map_err(|_| Broken)? == 0 {
                return Poll::Ready(self.stream.send_data(Bytes::new(), true).map_err(|_| Broken));
            }
        }
    }

    /// Tells the client that we go away, if no frame is under way. True when it was told.
    fn say_goodbye(&mut self) -> bool {
        let is_time = self.buffer.is_empty() && self.frames.at_boundary();
        is_time && self.stream.send_data(Bytes::from_static(GOING_AWAY), true).is_ok()
    }
}

/// Carries bytes until the service has ended, an error, `idle` without a byte, or drain.
pub(super) async fn run(
    worker: &Worker,
    deadline: &Deadline,
    idle: Duration,
    client: (&mut RecvStream, &mut SendStream<Bytes>),
    service: (&mut Stream, Buffer),
) -> Carried {
    let (from_client, to_client) = client;
    let (service, from_service) = service;
    let mut up = Up { stream: from_client, piece: Bytes::new(), ended: false, moved: 0 };
    let mut down = Down { stream: to_client, buffer: from_service, frames: Frames::default(), moved: 0 };
    let mut last = u64::MAX;
    poll_fn(|cx| {
        let upward = up.poll(cx, service);
        let downward = down.poll(cx, worker, service);
        if matches!(upward, Poll::Ready(Err(_))) || downward.is_ready() || worker.must_stop_now() {
            return Poll::Ready(());
        }
        if worker.is_draining() && down.say_goodbye() {
            return Poll::Ready(());
        }
        let moved = up.moved.wrapping_add(down.moved);
        if moved != last {
            last = moved;
            deadline.set(worker.now(), idle);
        }
        deadline.poll(cx)
    })
    .await;
    worker.buffers.give(down.buffer);
    Carried { up: up.moved, down: down.moved }
}
