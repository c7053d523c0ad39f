//! A client connection that speaks HTTP/2: one task moves the bytes, each stream is served by a task of its own, and
//! goodbyes are said in time.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use menshen_http2::{Code, Connection, Offer, Role, Stage};

use super::link::{Inbox, Link};
use super::request::HeadBuilder;
use super::request_reader::RequestReader;
use super::socket::{Gone, Read, Socket};
use crate::buffer::Buffer;
use crate::exchange::{Client, Scheme};
use crate::snapshot::{ClientTimeouts, RouteId};
use crate::stream::Stream;
use crate::timers::Deadline;
use crate::tls::TlsFacts;
use crate::worker::{Slot, Worker};

/// Bytes of one stream's request content on their way to a service that has not taken them yet.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all streams of a connection: what one connection can make us hold.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Room for names and values that a client refers to again (RFC 7541 §4.2): the default of the protocol.
const HEADER_TABLE: u32 = 4096;
/// So many times the bytes that a head may have may come as one field block.
const BLOCKS: usize = 4;

/// How long a client may take to answer a goodbye.
const FAREWELL: Duration = Duration::from_secs(1);
/// Bytes that are read and thrown away behind a GOAWAY that names an offence, so that the client gets to see it.
const LEFTOVERS: usize = 256 * 1024;

/// What the streams of a connection share.
pub(super) struct Shared {
    pub(super) worker: Rc<Worker>,
    pub(super) slot: Rc<Slot>,
    pub(super) client: Client,
    pub(super) link: Link<Inbox>,
    /// When the last stream was served.
    idle_since: Cell<Instant>,
}

impl Shared {
    /// A stream was served.
    pub(super) fn served(&self) {
        let link = &self.link;
        if link.core().open_streams() == 0 {
            self.idle_since.set(self.worker.recent());
            // Whoever drives the socket has waited for this to say goodbye, or to give memory back.
            link.call();
        }
    }
}

/// A client connection before the protocol was known.
pub(crate) struct Newcomer {
    pub(crate) worker: Rc<Worker>,
    pub(crate) slot: Rc<Slot>,
    pub(crate) stream: Stream,
    pub(crate) peer: SocketAddr,
    pub(crate) tls: Option<Rc<TlsFacts>>,
    /// What was read of it.
    pub(crate) read: Buffer,
}

/// Serves a client until the connection ends.
pub(crate) async fn run(newcomer: Newcomer) {
    let Newcomer { worker, slot, stream, peer, tls, read } = newcomer;
    let local = stream.local().unwrap_or(peer);
    let scheme = if tls.is_some() { Scheme::Https } else { Scheme::Http };
    let client = Client { tls, ..Client::direct(peer, local, scheme) };
    let live = slot.live();
    let listener = live.listener();
    let (timeouts, write) = (listener.timeouts, live.route(RouteId::FALLBACK).timeouts.write);
    let offer = Offer {
        streams: listener.limits.streams,
        stream_window: STREAM_WINDOW,
        connection_window: CONNECTION_WINDOW,
        head: u32::try_from(listener.head.head).unwrap_or(u32::MAX),
        block: listener.head.head.saturating_mul(BLOCKS),
        table: HEADER_TABLE,
    };
    drop(live);
    let now = worker.now();
    let core = Connection::new(Role::Server, offer, worker.take_bytes());
    let deadline = worker.timers.deadline();
    let (link, idle_since) = (Link::new(core), Cell::new(now));
    let shared = Rc::new(Shared { worker, slot, client, link, idle_since });
    let mut driver = Driver {
        shared: &shared,
        socket: Socket::new(stream, read, now),
        builder: HeadBuilder::new(),
        deadline,
        timeouts,
        write,
        wait: None,
        moved: 0,
        ending: Ending::NotYet,
    };
    poll_fn(|cx| driver.poll(cx)).await;
    shared.worker.buffers.give(std::mem::take(&mut driver.socket.read));
}

/// What a connection waits for, which says how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// Streams that are served.
    Streams,
    /// A request.
    Request,
    /// The rest of a frame or of a field block.
    Frame,
    /// The client, to take what we have to say.
    Write,
    /// The client, to answer our goodbye.
    Farewell,
}

/// Moves the bytes of a connection.
struct Driver<'a> {
    shared: &'a Rc<Shared>,
    socket: Socket,
    builder: HeadBuilder,
    deadline: Rc<Deadline>,
    timeouts: ClientTimeouts,
    /// How long the client may take nothing.
    write: Duration,
    wait: Option<Wait>,
    /// Bytes written when the deadline was set.
    moved: u64,
    ending: Ending,
}

/// How far the end of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    NotYet,
    /// All is said, and our side is being closed: the end of TLS is written too, and may not be taken.
    Closing,
    /// Nothing more will be sent; so many bytes may still come.
    Leftovers(usize),
}

/// Also after a panic: nobody takes what the streams still say.
impl Drop for Driver<'_> {
    fn drop(&mut self) {
        self.shared.link.core().abandon();
    }
}

impl Driver<'_> {
    /// Ready when the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.link.drive(cx);
        loop {
            if self.ending != Ending::NotYet {
                return self.poll_end(cx);
            }
            self.look_around();
            let Ok(is_written) = self.socket.poll_write(cx, &self.shared.link) else {
                return Poll::Ready(());
            };
            if is_written && self.shared.link.core().is_over() {
                self.ending = Ending::Closing;
                self.deadline.set_at(self.shared.worker.at_least(FAREWELL));
                continue;
            }
            let has_read = match self.poll_read(cx) {
                Poll::Ready(Ok(has_read)) => has_read,
                Poll::Ready(Err(Gone(_))) => return Poll::Ready(()),
                Poll::Pending => false,
            };
            if has_read {
                continue;
            }
            if self.poll_wait(cx, is_written).is_pending() {
                return Poll::Pending;
            }
            if self.time_is_up() == Next::Give {
                return Poll::Ready(());
            }
        }
    }

    /// The gateway may stop, or the listener may be no more.
    fn look_around(&self) {
        let Shared { worker, slot, link, .. } = &**self.shared;
        if worker.is_draining() || slot.is_closed() {
            link.core().leave();
        }
        if worker.must_stop_now() {
            link.core().end(Code::NO_ERROR);
        }
    }

    /// Reads once. True when something was read.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Gone>> {
        let Shared { worker, link, client, .. } = &**self.shared;
        let mut reader = RequestReader::new(self.shared, &mut self.builder);
        let read = ready!(self.socket.poll_read(cx, worker, link, &mut reader))?;
        if let Read::Broken(code) = read {
            tracing::debug!(peer = %client.peer, %code, "an HTTP/2 client broke the rules");
            if code == Code::ENHANCE_YOUR_CALM {
                worker.calmed_down();
            }
        }
        Poll::Ready(Ok(true))
    }

    /// Waits for as long as whatever is waited for may take.
    fn poll_wait(&mut self, cx: &mut Context<'_>, is_written: bool) -> Poll<()> {
        let Shared { worker, link, idle_since, .. } = &**self.shared;
        let core = link.core();
        let wait = match core.stage() {
            _ if !is_written => Wait::Write,
            Stage::Over | Stage::Leaving => Wait::Farewell,
            _ if core.is_within(self.socket.read.data()) => Wait::Frame,
            // A stream that the client took back is gone before its task is.
            _ if core.open_streams() > 0 || Rc::strong_count(self.shared) > 1 => Wait::Streams,
            _ => Wait::Request,
        };
        drop(core);
        if wait == Wait::Request {
            self.socket.rest(worker, link);
        }
        let moved = self.socket.moved();
        if self.wait.replace(wait) != Some(wait) || (wait == Wait::Write && moved != self.moved) {
            self.moved = moved;
            let until = match wait {
                Wait::Streams => worker.at_least(self.timeouts.idle),
                Wait::Request => idle_since.get() + self.timeouts.idle,
                Wait::Frame => worker.at_least(self.timeouts.header),
                Wait::Write => worker.at_least(self.write),
                Wait::Farewell => worker.at_least(FAREWELL),
            };
            self.deadline.set_at(until);
        }
        self.deadline.poll(cx)
    }

    fn time_is_up(&mut self) -> Next {
        let mut core = self.shared.link.core();
        match self.wait.take() {
            Some(Wait::Write) | None => return Next::Give,
            // Streams have times of their own.
            Some(Wait::Streams) => {}
            Some(Wait::Request) => core.leave(),
            Some(Wait::Frame) => core.end(Code::ENHANCE_YOUR_CALM),
            // Who does not answer the goodbye gets no other.
            Some(Wait::Farewell) if core.stage() == Stage::Leaving => core.close(),
            Some(Wait::Farewell) => return Next::Give,
        }
        Next::Go
    }

    /// Closes our side, and reads what still comes until the client ends too: who closes with bytes unread resets the
    /// connection, and the client may never see why.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut left = match self.ending {
            Ending::Leftovers(left) => left,
            Ending::NotYet | Ending::Closing => {
                if self.socket.stream.poll_shutdown(cx).is_pending() {
                    return self.deadline.poll(cx);
                }
                let is_blamed = self.shared.link.core().reason().is_some();
                self.deadline.set_at(self.shared.worker.at_least(FAREWELL));
                if is_blamed { LEFTOVERS } else { 0 }
            }
        };
        let buffers = &self.shared.worker.buffers;
        while left > 0 {
            let Socket { stream, read, .. } = &mut self.socket;
            read.consume(read.len());
            match stream.poll_read(cx, buffers, read) {
                Poll::Pending => {
                    self.ending = Ending::Leftovers(left);
                    return self.deadline.poll(cx);
                }
                Poll::Ready(Ok(n)) if n > 0 => left = left.saturating_sub(n),
                Poll::Ready(_) => break,
            }
        }
        Poll::Ready(())
    }
}

/// What to do when time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Go,
    /// Give the connection up.
    Give,
}

#[cfg(test)]
mod tests;
