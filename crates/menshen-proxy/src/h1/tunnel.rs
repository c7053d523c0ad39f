//! A tunnel after a matching 101: bytes both ways, no message boundaries, until one side ends or both are idle.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::buffer::{Buffer, Buffers};
use crate::stream::Stream;
use crate::timers::Deadline;
use crate::worker::Worker;

/// One direction: read here, write there.
struct Direction {
    buffer: Buffer,
    moved: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The reader has ended; the rest and then the end must be passed on.
    Ending,
    Ended,
}

impl Direction {
    fn new(buffer: Buffer) -> Self {
        Self { buffer, moved: 0, state: State::Open }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
        from: &mut Stream,
        to: &mut Stream,
    ) -> Poll<io::Result<()>> {
        loop {
            while !self.buffer.is_empty() {
                let n = ready!(to.poll_write(cx, self.buffer.data()))?;
                self.buffer.consume(n);
                self.moved += n as u64;
            }
            ready!(to.poll_flush(cx))?;
            match self.state {
                State::Ended => return Poll::Ready(Ok(())),
                State::Ending => {
                    ready!(to.poll_shutdown(cx))?;
                    self.state = State::Ended;
                }
                State::Open if ready!(from.poll_read(cx, buffers, &mut self.buffer))? == 0 => {
                    self.state = State::Ending
                }
                State::Open => {}
            }
        }
    }
}

/// How many bytes went through a tunnel.
pub(crate) struct Carried {
    pub(crate) up: u64,
    pub(crate) down: u64,
}

/// Carries bytes between client and service until both directions ended, an error, `idle` without a byte, or drain.
pub(crate) async fn run(
    worker: &Worker,
    deadline: &Deadline,
    idle: Duration,
    client: (&mut Stream, Buffer),
    service: (&mut Stream, Buffer),
) -> Carried {
    let (client, from_client) = client;
    let (service, from_service) = service;
    let (mut up, mut down) = (Direction::new(from_client), Direction::new(from_service));
    let mut last = u64::MAX;
    poll_fn(|cx| {
        let upward = up.poll(cx, &worker.buffers, client, service);
        let downward = down.poll(cx, &worker.buffers, service, client);
        let failed = matches!(upward, Poll::Ready(Err(_))) || matches!(downward, Poll::Ready(Err(_)));
        if failed || (upward.is_ready() && downward.is_ready()) {
            return Poll::Ready(());
        }
        let moved = up.moved.wrapping_add(down.moved);
        if moved != last {
            last = moved;
            deadline.set(Instant::now(), idle);
        }
        if worker.must_stop_now() { Poll::Ready(()) } else { deadline.poll(cx) }
    })
    .await;
    worker.buffers.give(up.buffer);
    worker.buffers.give(down.buffer);
    Carried { up: up.moved, down: down.moved }
}
