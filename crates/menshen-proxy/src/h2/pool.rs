//! Connections to endpoints that carry many requests at once, kept by each worker for itself.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use menshen_http2::{Connection, Offer, Role};
use rustc_hash::FxBuildHasher;
use tokio::sync::Notify;

use super::link::Link;
use super::response_reader::{self, PendingResponse, ResponseReader};
use super::socket::{Gone, Socket};
use crate::buffer::{Buffer, Size};
use crate::endpoint::Endpoint;
use crate::service::Service;
use crate::stream::Stream;
use crate::timers::Deadline;
use crate::tls;
use crate::worker::Worker;

/// Requests on one connection, where the service allows more.
const MOST_STREAMS: usize = 100;
/// Bytes of one response that wait for its client, as long as that takes nothing.
const STREAM_WINDOW: u32 = 32 * 1024;
/// The same once it does.
pub(super) const MOST_AHEAD: usize = 128 * 1024;
/// What a service may do. It opens no streams.
const OFFER: Offer = Offer {
    streams: 0,
    stream_window: STREAM_WINDOW,
    // Clients that take nothing must not shut the window for the others.
    connection_window: (MOST_STREAMS * MOST_AHEAD) as u32,
    head: response_reader::HEAD as u32,
    block: 2 * response_reader::HEAD,
    table: 4096,
};
/// How often a connection is asked whether it is still there, and how long it may take to say so.
const PING_EACH: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(10);
/// How long a service may take to let us close our side.
const END_WITHIN: Duration = Duration::from_secs(1);

/// A connection that carries many requests at once.
pub(crate) struct Multiplexed {
    link: Link<PendingResponse>,
    endpoint: Arc<Endpoint>,
    /// Requests that have a place on it.
    streams: Cell<usize>,
    born: Instant,
    /// When its last stream ended.
    idle_since: Cell<Instant>,
    idle_timeout: Duration,
    max_age: Duration,
}

impl Multiplexed {
    /// True when it can take a request now.
    fn has_room(&self, now: Instant) -> bool {
        let core = self.link.core();
        let most = MOST_STREAMS.min(usize::try_from(core.peer_streams()).unwrap_or(usize::MAX));
        !core.is_leaving() && now < self.born + self.max_age && self.streams.get() < most
    }

    fn is_worth_keeping(&self, now: Instant) -> bool {
        let is_idle = self.streams.get() == 0;
        let is_old = now >= self.born + self.max_age || now >= self.idle_since.get() + self.idle_timeout;
        let is_over =
            self.link.core().is_leaving() || self.endpoint.presence.has_left() || (is_idle && is_old);
        !is_over
    }
}

/// Keeps a connection open: the pool holds one, and so does every request on the connection. When the last is dropped, no
/// more requests can come, and those under way have ended.
struct KeepOpen(Rc<Multiplexed>);

impl Drop for KeepOpen {
    fn drop(&mut self) {
        self.0.link.core().close();
        self.0.link.call();
    }
}

/// A place for one request on a connection.
pub(crate) struct Place {
    connection: Rc<KeepOpen>,
}

impl Place {
    fn on(connection: Rc<KeepOpen>) -> Self {
        connection.0.streams.set(connection.0.streams.get() + 1);
        Self { connection }
    }

    /// The connection.
    pub(super) fn link(&self) -> &Link<PendingResponse> {
        &self.connection.0.link
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let KeepOpen(connection) = &*self.connection;
        connection.streams.set(connection.streams.get().saturating_sub(1));
        connection.idle_since.set(Instant::now());
    }
}

/// Somebody connects; others wait for what comes of it.
#[derive(Default)]
pub(crate) struct Dialing {
    done: Notify,
    failed: Cell<bool>,
}

impl Dialing {
    /// Waits for the end of it. False when there is no connection.
    pub(super) async fn outcome(&self) -> bool {
        self.done.notified().await;
        !self.failed.get()
    }
}

/// What there is for a request.
pub(super) enum Way {
    /// A connection.
    Open(Place),
    /// Somebody connects already.
    Wait(Rc<Dialing>),
    /// Connect, and tell the others.
    Dial(Dialer),
}

/// Who connects. Others are told when it is dropped.
pub(super) struct Dialer {
    pool: Weak<Connections>,
    endpoint: u32,
    dialing: Rc<Dialing>,
}

impl Dialer {
    /// It did not work: the others need not try the same at once.
    pub(super) fn failed(self) {
        self.dialing.failed.set(true);
    }
}

impl Drop for Dialer {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade()
            && let Some(entry) = pool.by_endpoint.borrow_mut().get_mut(&self.endpoint)
        {
            entry.dialing = None;
        }
        self.dialing.done.notify_waiters();
    }
}

#[derive(Default)]
struct Entry {
    open: Vec<Rc<KeepOpen>>,
    dialing: Option<Rc<Dialing>>,
}

/// The connections of a worker, by the number of the endpoint.
#[derive(Default)]
pub(crate) struct Connections {
    by_endpoint: RefCell<HashMap<u32, Entry, FxBuildHasher>>,
}

impl Connections {
    /// A way for a request to this endpoint.
    pub(super) fn way(self: &Rc<Self>, endpoint: &Endpoint, now: Instant) -> Way {
        let mut all = self.by_endpoint.borrow_mut();
        let entry = all.entry(endpoint.id).or_default();
        if let Some(open) = entry.open.iter().find(|c| c.0.has_room(now)) {
            return Way::Open(Place::on(open.clone()));
        }
        if let Some(dialing) = &entry.dialing {
            return Way::Wait(dialing.clone());
        }
        let dialing = Rc::new(Dialing::default());
        entry.dialing = Some(dialing.clone());
        Way::Dial(Dialer { pool: Rc::downgrade(self), endpoint: endpoint.id, dialing })
    }

    /// True when there is a connection to this endpoint, or somebody connects.
    pub(crate) fn is_open(&self, endpoint: &Endpoint) -> bool {
        let all = self.by_endpoint.borrow();
        all.get(&endpoint.id).is_some_and(|entry| !entry.open.is_empty() || entry.dialing.is_some())
    }

    /// Speaks HTTP/2 over a new connection and keeps it; the first place on it is the caller's.
    pub(crate) fn open(
        &self,
        worker: &Rc<Worker>,
        service: &Service,
        endpoint: &Arc<Endpoint>,
        stream: Stream,
    ) -> Place {
        let now = worker.now();
        let open = Rc::new(Multiplexed {
            link: Link::new(Connection::new(Role::Client, OFFER, worker.take_bytes())),
            endpoint: endpoint.clone(),
            streams: Cell::new(0),
            born: now,
            idle_since: Cell::new(now),
            idle_timeout: service.idle_timeout,
            max_age: service.max_age,
        });
        tokio::task::spawn_local(drive(worker.clone(), open.clone(), stream));
        let kept = Rc::new(KeepOpen(open));
        let place = Place::on(kept.clone());
        self.by_endpoint.borrow_mut().entry(endpoint.id).or_default().open.push(kept);
        place
    }

    /// Lets go of connections that are closed, idled too long, are too old or lead to an endpoint that has left; those in
    /// use end with their last stream.
    pub(crate) fn sweep(&self, now: Instant) {
        let mut all = self.by_endpoint.borrow_mut();
        for entry in all.values_mut() {
            entry.open.retain(|c| c.0.is_worth_keeping(now));
        }
        all.retain(|_, entry| !entry.open.is_empty() || entry.dialing.is_some());
    }
}

/// Moves the bytes of a connection until it ends.
async fn drive(worker: Rc<Worker>, open: Rc<Multiplexed>, stream: Stream) {
    let socket = Socket::new(stream, Buffer::waiting(Size::Medium), worker.now());
    let deadline = worker.timers.deadline();
    deadline.set(worker.now(), PING_EACH);
    let mut driver = Driver {
        worker,
        open,
        socket,
        responses: ResponseReader::default(),
        deadline,
        is_asked: false,
        is_heard: false,
        is_ending: false,
    };
    let why = poll_fn(|cx| driver.poll(cx)).await;
    tracing::debug!(%why, "an HTTP/2 connection to a service ended");
    driver.worker.buffers.give(std::mem::take(&mut driver.socket.read));
}

/// Also after a panic: whoever waits for an answer must know that none comes.
impl Drop for Driver {
    fn drop(&mut self) {
        self.open.link.core().abandon();
    }
}

/// Moves the bytes of a connection to a service.
struct Driver {
    worker: Rc<Worker>,
    open: Rc<Multiplexed>,
    socket: Socket,
    responses: ResponseReader,
    deadline: Rc<Deadline>,
    /// A PING has not been answered.
    is_asked: bool,
    /// Something has come since.
    is_heard: bool,
    /// All is said, and our side is being closed.
    is_ending: bool,
}

impl Driver {
    /// Ready when the connection is over, with the reason.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        let Self { worker, open, socket, .. } = self;
        let link = &open.link;
        link.drive(cx);
        loop {
            if self.is_ending {
                // The end of TLS is written too, and may not be taken.
                let has_ended =
                    socket.stream.poll_shutdown(cx).is_ready() || self.deadline.poll(cx).is_ready();
                return if has_ended { Poll::Ready("nobody needs it") } else { Poll::Pending };
            }
            let Ok(is_written) = socket.poll_write(cx, link) else { return Poll::Ready("it was closed") };
            if is_written && link.core().is_over() {
                self.is_ending = true;
                self.deadline.set(worker.now(), END_WITHIN);
                continue;
            }
            match socket.poll_read(cx, worker, link, &mut self.responses) {
                Poll::Ready(Ok(_)) => {
                    self.is_heard = true;
                    continue;
                }
                Poll::Ready(Err(Gone(why))) => {
                    if let Some(error) = why.filter(tls::is_distrust) {
                        tls::tell(&open.endpoint, &error);
                    }
                    return Poll::Ready("it was closed");
                }
                Poll::Pending => {}
            }
            if open.streams.get() == 0 && is_written {
                socket.rest(worker, link);
            }
            if self.deadline.poll(cx).is_pending() {
                return Poll::Pending;
            }
            let mut core = link.core();
            match (self.is_asked, core.take_answer()) {
                // The answer may stand behind much content.
                (true, false) if std::mem::take(&mut self.is_heard) => {
                    self.deadline.set(worker.now(), PONG_WITHIN);
                }
                (true, false) => return Poll::Ready("it does not answer any more"),
                (true, true) => {
                    self.is_asked = false;
                    self.deadline.set(worker.now(), PING_EACH);
                }
                (false, _) => {
                    (self.is_asked, self.is_heard) = (true, false);
                    core.ask();
                    self.deadline.set(worker.now(), PONG_WITHIN);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
