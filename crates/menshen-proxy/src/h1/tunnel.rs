//! A tunnel after a matching 101: bytes both ways, no message boundaries, until one side ends or both are idle.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::buffer::{Buffer, Buffers};
use crate::stream::Stream;
use crate::timers::Deadline;
use crate::turns;
use crate::websocket::{Frames, GOING_AWAY};
use crate::worker::Worker;

/// One direction: read here, write there.
struct Direction {
    buffer: Buffer,
    moved: u64,
    state: State,
}

/// What a direction could not go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Reading,
    Writing,
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
        mut passed: impl FnMut(&[u8]),
    ) -> Poll<Result<(), Broken>> {
        let before = self.moved;
        loop {
            if self.state == State::Ended {
                return Poll::Ready(Ok(()));
            }
            while !self.buffer.is_empty() {
                let n = ready!(to.poll_write(cx, self.buffer.data())).map_err(|_| Broken::Writing)?;
                passed(self.buffer.data().get(..n).unwrap_or_default());
                self.buffer.consume(n);
                self.moved += n as u64;
            }
            ready!(to.poll_flush(cx)).map_err(|_| Broken::Writing)?;
            if self.moved - before > turns::TURN as u64 {
                turns::after_all_others(cx);
                return Poll::Pending;
            }
            if self.state == State::Ending {
                ready!(to.poll_shutdown(cx)).map_err(|_| Broken::Writing)?;
                self.state = State::Ended;
            } else if ready!(from.poll_read(cx, buffers, &mut self.buffer)).map_err(|_| Broken::Reading)? == 0
            {
                self.state = State::Ending;
            }
        }
    }

    /// Nobody takes this direction any more.
    fn give_up(&mut self) {
        self.buffer.consume(self.buffer.len());
        self.state = State::Ended;
    }
}

/// How many bytes went through a tunnel.
pub(crate) struct Carried {
    pub(crate) up: u64,
    pub(crate) down: u64,
}

/// What a tunnel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    WebSocket,
    Unknown,
}

/// Says goodbye to a client that speaks WebSocket when the gateway stops, between two frames of the service.
struct Farewell {
    frames: Frames,
    /// How much of the Close frame was written; nothing before it is time.
    written: Option<usize>,
}

/// How long a client may take to answer a goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

impl Farewell {
    /// Says goodbye when it is time and no frame is under way. Ready when it is said.
    fn poll(&mut self, cx: &mut Context<'_>, down: &Direction, client: &mut Stream) -> Poll<io::Result<()>> {
        if self.written.is_none() && (!down.buffer.is_empty() || !self.frames.at_boundary()) {
            return Poll::Pending;
        }
        let written = self.written.get_or_insert(0);
        while let Some(rest) = GOING_AWAY.get(*written..).filter(|rest| !rest.is_empty()) {
            *written += ready!(client.poll_write(cx, rest))?;
        }
        client.poll_flush(cx)
    }

    fn has_begun(&self) -> bool {
        self.written.is_some()
    }
}

/// Carries bytes between client and service until both directions ended, an error, `idle` without a byte, or drain.
pub(crate) async fn run(
    worker: &Worker,
    deadline: &Deadline,
    idle: Duration,
    protocol: Protocol,
    client: (&mut Stream, Buffer),
    service: (&mut Stream, Buffer),
) -> Carried {
    let (client, from_client) = client;
    let (service, from_service) = service;
    let (mut up, mut down) = (Direction::new(from_client), Direction::new(from_service));
    let mut farewell = Farewell { frames: Frames::default(), written: None };
    let mut last = u64::MAX;
    poll_fn(|cx| {
        let mut upward = up.poll(cx, &worker.buffers, client, service, |_| {});
        if upward == Poll::Ready(Err(Broken::Writing)) {
            // Its last words, such as why it takes no more, may still be on their way.
            up.give_up();
            upward = Poll::Ready(Ok(()));
        }
        let downward = if farewell.has_begun() {
            Poll::Pending
        } else {
            down.poll(cx, &worker.buffers, service, client, |bytes| {
                if protocol == Protocol::WebSocket {
                    farewell.frames.pass(bytes);
                }
            })
        };
        let failed = matches!(upward, Poll::Ready(Err(_))) || matches!(downward, Poll::Ready(Err(_)));
        let is_over = upward.is_ready() && (downward.is_ready() || farewell.has_begun());
        if failed || is_over || worker.must_stop_now() {
            return Poll::Ready(());
        }
        if protocol == Protocol::WebSocket && worker.is_draining() && downward.is_pending() {
            let begun = farewell.has_begun();
            if matches!(farewell.poll(cx, &down, client), Poll::Ready(Err(_))) {
                return Poll::Ready(());
            }
            if !begun && farewell.has_begun() {
                deadline.set(Instant::now(), GOODBYE);
            }
        }
        let moved = up.moved.wrapping_add(down.moved);
        if moved != last && !farewell.has_begun() {
            last = moved;
            deadline.set(Instant::now(), idle);
        }
        deadline.poll(cx)
    })
    .await;
    worker.buffers.give(up.buffer);
    worker.buffers.give(down.buffer);
    Carried { up: up.moved, down: down.moved }
}
