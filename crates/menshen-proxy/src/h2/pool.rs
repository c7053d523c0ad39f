//! Connections to endpoints that carry many requests at once, kept by each worker for itself.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ::h2::client::{Builder, Connection, SendRequest};
use ::h2::{Ping, PingPong};
use bytes::Bytes;
use rustc_hash::FxBuildHasher;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use crate::snapshot::{Endpoint, Service};
use crate::stream::Stream;

/// Requests on one connection, where the service allows more.
const MOST_STREAMS: usize = 100;
/// Bytes of one response that wait for a slow client.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all responses of a connection.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// Bytes of one request that wait for the service's window.
pub(super) const SEND_BUFFER: usize = 64 * 1024;
/// The largest response head.
const RESPONSE_HEAD: u32 = 64 * 1024;
/// How often a connection is asked whether it is still there, and how long it may take to say so.
const PING_EACH: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// A connection that carries many requests at once.
pub(crate) struct Multiplexed {
    requests: SendRequest<Bytes>,
    streams: Cell<usize>,
    /// It takes nothing more: closed, or the service said goodbye.
    gone: Cell<bool>,
    born: Instant,
    /// When its last stream ended.
    idle_since: Cell<Instant>,
    idle_timeout: Duration,
    max_age: Duration,
}

impl Multiplexed {
    /// True when it can take a request now.
    fn has_room(&self, now: Instant) -> bool {
        let most = self.requests.current_max_send_streams().min(MOST_STREAMS);
        !self.gone.get() && now < self.born + self.max_age && self.streams.get() < most
    }

    fn is_worth_keeping(&self, now: Instant) -> bool {
        let is_idle = self.streams.get() == 0;
        let is_old = now >= self.born + self.max_age || now >= self.idle_since.get() + self.idle_timeout;
        let is_over = self.gone.get() || (is_idle && is_old);
        !is_over
    }
}

/// A place for one request on a connection.
pub(crate) struct Place {
    connection: Rc<Multiplexed>,
}

impl Place {
    fn on(connection: Rc<Multiplexed>) -> Self {
        connection.streams.set(connection.streams.get() + 1);
        Self { connection }
    }

    /// Where the request can be sent, once that is possible.
    ///
    /// # Errors
    /// The connection takes nothing more.
    pub(super) async fn ready(&self) -> Result<SendRequest<Bytes>, ::h2::Error> {
        let mut requests = self.connection.requests.clone();
        let ready = poll_fn(|cx| requests.poll_ready(cx)).await;
        if ready.is_err() {
            self.connection.gone.set(true);
        }
        ready.map(|()| requests)
    }

    /// No more requests are sent on this connection.
    pub(super) fn retire(&self) {
        self.connection.gone.set(true);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connection.streams.set(self.connection.streams.get().saturating_sub(1));
        self.connection.idle_since.set(Instant::now());
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
    open: Vec<Rc<Multiplexed>>,
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
        if let Some(open) = entry.open.iter().find(|c| c.has_room(now)) {
            return Way::Open(Place::on(open.clone()));
        }
        if let Some(dialing) = &entry.dialing {
            return Way::Wait(dialing.clone());
        }
        let dialing = Rc::new(Dialing::default());
        entry.dialing = Some(dialing.clone());
        Way::Dial(Dialer { pool: Rc::downgrade(self), endpoint: endpoint.id, dialing })
    }

    /// Speaks HTTP/2 over a new connection and keeps it; the first place on it is the caller's.
    pub(super) async fn open(
        &self,
        service: &Service,
        endpoint: &Endpoint,
        stream: Stream,
    ) -> Result<Place, ::h2::Error> {
        let (requests, connection) = builder().handshake(ServiceIo(stream)).await?;
        let now = Instant::now();
        let open = Rc::new(Multiplexed {
            requests,
            streams: Cell::new(0),
            gone: Cell::new(false),
            born: now,
            idle_since: Cell::new(now),
            idle_timeout: service.idle_timeout,
            max_age: service.max_age,
        });
        tokio::task::spawn_local(drive(connection, Rc::downgrade(&open)));
        let place = Place::on(open.clone());
        self.by_endpoint.borrow_mut().entry(endpoint.id).or_default().open.push(open);
        Ok(place)
    }

    /// Lets go of connections that are closed, idled too long or are too old; those in use end with their last stream.
    pub(crate) fn sweep(&self, now: Instant) {
        let mut all = self.by_endpoint.borrow_mut();
        for entry in all.values_mut() {
            entry.open.retain(|c| c.is_worth_keeping(now));
        }
        all.retain(|_, entry| !entry.open.is_empty() || entry.dialing.is_some());
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(RESPONSE_HEAD)
        .max_send_buffer_size(SEND_BUFFER)
        .initial_max_send_streams(MOST_STREAMS)
        .max_local_error_reset_streams(Some(64))
        .reset_stream_duration(Duration::from_secs(1));
    builder
}

/// Moves the frames of a connection until it ends.
async fn drive(mut connection: Connection<ServiceIo, Bytes>, open: Weak<Multiplexed>) {
    let pings = connection.ping_pong();
    tokio::select! {
        result = connection => {
            if let Err(error) = result {
                tracing::debug!(%error, "an HTTP/2 connection to a service ended");
            }
        }
        () = keep_asking(pings) => tracing::debug!("an HTTP/2 connection to a service does not answer any more"),
    }
    if let Some(open) = open.upgrade() {
        open.gone.set(true);
    }
}

/// Ends when a ping is not answered in time.
async fn keep_asking(pings: Option<PingPong>) {
    let Some(mut pings) = pings else { return std::future::pending().await };
    loop {
        tokio::time::sleep(PING_EACH).await;
        if !matches!(tokio::time::timeout(PONG_WITHIN, pings.ping(Ping::opaque())).await, Ok(Ok(_))) {
            return;
        }
    }
}

/// A service's stream as the h2 crate wants it.
struct ServiceIo(Stream);

impl AsyncRead for ServiceIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read_into(cx, room)
    }
}

impl AsyncWrite for ServiceIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}
