//! WebSocket over a stream (RFC 8441): bytes both ways between the stream and a service that agreed in HTTP/1.1.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use menshen_http2::End;

use super::link::AtHand;
use super::side::Side;
use crate::buffer::{Buffer, Size};
use crate::h1::tunnel::Carried;
use crate::stream::Stream;
use crate::timers::Deadline;
use crate::websocket::{Frames, GOING_AWAY};
use crate::worker::Worker;

/// One side or the other is gone, or broke the rules.
struct Broken;

/// From the client to the service.
struct Up<'a> {
    side: Side<'a>,
    at_hand: AtHand,
    ended: bool,
    /// The service takes no more; what it has said before may still be on its way.
    refused: bool,
    moved: u64,
}

impl Up<'_> {
    fn poll(&mut self, cx: &mut Context<'_>, service: &mut Stream) -> Poll<Result<(), Broken>> {
        loop {
            while !self.at_hand.is_empty() && !self.refused {
                let Ok(n) = ready!(service.poll_write(cx, self.at_hand.content())) else {
                    self.refused = true;
                    break;
                };
                self.moved += n as u64;
                self.side.link.used(self.side.id, self.at_hand.take(n));
            }
            if self.refused || ready!(service.poll_flush(cx)).is_err() {
                self.refused = true;
                return Poll::Ready(Ok(()));
            }
            if self.ended {
                self.refused = ready!(service.poll_shutdown(cx)).is_err();
                return Poll::Ready(Ok(()));
            }
            match ready!(self.side.poll_fill(cx, &mut self.at_hand)) {
                Some(true) => {}
                Some(false) => self.ended = true,
                None => return Poll::Ready(Err(Broken)),
            }
        }
    }
}

/// From the service to the client.
struct Down<'a> {
    side: Side<'a>,
    buffer: Buffer,
    frames: Frames,
    moved: u64,
    /// What is left of the goodbye, once it has begun; nothing of the service's follows.
    goodbye: Option<&'static [u8]>,
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
                let Poll::Ready(room) = self.side.poll_room(cx, self.buffer.len()) else {
                    worker.buffers.settle(&mut self.buffer);
                    return Poll::Pending;
                };
                let room = room.ok_or(Broken)?;
                let piece = self.buffer.data().get(..room).unwrap_or_default();
                self.frames.pass(piece);
                self.moved += room as u64;
                if !self.side.send(piece, End::Later) {
                    return Poll::Ready(Err(Broken));
                }
                self.buffer.consume(room);
            }
            let size = Size::Medium.filled_by(self.side.appetite());
            worker.buffers.suit(&mut self.buffer, size);
            let read = ready!(service.poll_read(cx, &worker.buffers, &mut self.buffer));
            if read.map_err(|_| Broken)? == 0 {
                let is_sent = self.side.send(b"", End::Now);
                return Poll::Ready(if is_sent { Ok(()) } else { Err(Broken) });
            }
        }
    }

    /// Tells the client that we go away, once no frame is under way, as its window opens. Ready when it was told, or is no
    /// more.
    fn poll_goodbye(&mut self, cx: &Context<'_>) -> Poll<()> {
        let is_time = self.buffer.is_empty() && self.frames.at_boundary();
        let mut rest = match self.goodbye {
            Some(rest) => rest,
            None if is_time => GOING_AWAY,
            None => return Poll::Pending,
        };
        while let Some(room) = ready!(self.side.poll_room(cx, rest.len())) {
            let (piece, left) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            let end = if left.is_empty() { End::Now } else { End::Later };
            if !self.side.send(piece, end) || left.is_empty() {
                break;
            }
            rest = left;
            self.goodbye = Some(left);
        }
        Poll::Ready(())
    }
}

/// Carries bytes until the service has ended, an error, `idle` without a byte, or drain.
pub(super) async fn run(
    worker: &Worker,
    deadline: &Deadline,
    idle: Duration,
    client: Side<'_>,
    service: (&mut Stream, Buffer),
) -> Carried {
    let (service, from_service) = service;
    let mut up = Up { side: client, at_hand: AtHand::default(), ended: false, refused: false, moved: 0 };
    let mut down =
        Down { side: client, buffer: from_service, frames: Frames::default(), moved: 0, goodbye: None };
    let mut last = u64::MAX;
    poll_fn(|cx| {
        let upward = up.poll(cx, service);
        let downward = if down.goodbye.is_some() { Poll::Pending } else { down.poll(cx, worker, service) };
        if up.refused && matches!(downward, Poll::Ready(Err(_))) {
            client.send(b"", End::Now);
        }
        if matches!(upward, Poll::Ready(Err(_))) || downward.is_ready() || worker.must_stop_now() {
            return Poll::Ready(());
        }
        if worker.is_draining() && down.poll_goodbye(cx).is_ready() {
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
