//! A client connection that speaks HTTP/2: takes streams, serves each in a task of its own, says goodbye in time.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::h2::server::{Builder, Connection, SendResponse};
use ::h2::{Reason, RecvStream};
use ::http::Request;
use bytes::Bytes;

use super::client::H2Client;
use super::convert;
use super::io::{Ending, Io};
use super::rules::Rules;
use crate::buffer::Buffer;
use crate::exchange::{Client, Scheme};
use crate::panics::{CatchPanic, Panicked};
use crate::snapshot::ListenerLimits;
use crate::stream::Stream;
use crate::timers::Deadline;
use crate::tls::TlsFacts;
use crate::worker::{Slot, Worker};
use crate::{Failure, serve};

/// Bytes of one stream's request content on their way to a service that has not taken them yet.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all streams of a connection: what one connection can make us hold.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of one stream's answer that wait for the client's window.
pub(super) const SEND_BUFFER: usize = 64 * 1024;
/// Streams that were reset and are remembered, so that late frames of theirs are no errors.
const REMEMBERED_RESETS: usize = 64;
/// Streams that were reset before they were looked at (CVE-2023-44487).
const PENDING_RESETS: usize = 32;
/// Streams that a client makes us reset by breaking the rules (CVE-2025-8671).
const OWN_RESETS: usize = 64;
/// Room for names and values that a client refers to again (RFC 7541 §4.2): the default of the protocol.
pub(super) const HEADER_TABLE: u32 = 4096;

/// How long a client may take to answer a goodbye.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the streams of a connection share.
pub(super) struct Shared {
    pub(super) worker: Rc<Worker>,
    slot: Rc<Slot>,
    client: Client,
    /// Streams being served.
    open: Cell<u32>,
    /// How long nothing need happen while no stream is open, and when that time is over.
    patience: Cell<Duration>,
    deadline: Rc<Deadline>,
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
    let (limits, timeouts) = (live.listener().limits, live.listener().timeouts);
    let (head, fields) = (live.listener().head.head, live.listener().head.fields);
    drop(live);
    let io = Io::new(stream, read, worker.clone(), Rules::new(limits.streams, fields));
    let ending = io.ending();
    let handshake = builder(&limits, head).handshake::<_, Bytes>(io);
    let Ok(Ok(connection)) = tokio::time::timeout(timeouts.header, handshake).await else { return };
    let deadline = worker.timers.deadline();
    let (open, patience) = (Cell::new(0), Cell::new(timeouts.idle));
    let shared = Rc::new(Shared { worker, slot, client, open, patience, deadline });
    shared.wait();
    let mut hall = Hall { connection, shared: &shared, ending, stage: Stage::Open };
    while let Some((request, respond)) = hall.next().await {
        spawn(&shared, request, respond);
    }
}

impl Shared {
    /// Waits for something to happen from now on.
    fn wait(&self) {
        self.deadline.set(self.worker.recent(), self.patience.get());
    }
}

fn builder(limits: &ListenerLimits, head: usize) -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
        .header_table_size(HEADER_TABLE)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(REMEMBERED_RESETS)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(Some(OWN_RESETS))
        .enable_connect_protocol()
        .reset_stream_duration(Duration::from_secs(1));
    builder
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Streams are taken.
    Open,
    /// The client was told that nothing more is taken; what is under way goes on.
    Leaving,
    /// The client was told that this is the end.
    Over,
}

/// Where streams come in.
struct Hall<'a> {
    connection: Connection<Io, Bytes>,
    shared: &'a Shared,
    ending: Rc<Ending>,
    stage: Stage,
}

type Incoming = (Request<RecvStream>, SendResponse<Bytes>);

impl Hall<'_> {
    /// The next stream; `None` when the connection is over.
    async fn next(&mut self) -> Option<Incoming> {
        poll_fn(|cx| {
            loop {
                match self.connection.poll_accept(cx) {
                    Poll::Ready(Some(Ok(incoming))) => return Poll::Ready(Some(incoming)),
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(None),
                    Poll::Pending => {}
                }
                if self.ending.goodbye.take() {
                    self.wait_for_farewell();
                }
                match self.stage {
                    Stage::Over if self.has_waited(cx) => return Poll::Ready(None),
                    Stage::Open | Stage::Leaving if self.ending.verdict.get().is_some() => self.condemn(),
                    Stage::Open if self.is_unwanted(cx) => self.leave(),
                    // Who does not answer the goodbye gets no other.
                    Stage::Leaving if self.has_waited(cx) => self.end(Reason::NO_ERROR),
                    Stage::Open | Stage::Leaving | Stage::Over => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// True when no more streams are wanted: the gateway stops, or the client has been idle for too long.
    fn is_unwanted(&self, cx: &mut Context<'_>) -> bool {
        let Shared { worker, slot, .. } = self.shared;
        worker.is_draining() || slot.is_closed() || self.has_waited(cx)
    }

    /// True when nothing has happened for as long as nothing need happen, or there is no time left.
    fn has_waited(&self, cx: &mut Context<'_>) -> bool {
        let Shared { worker, open, deadline, .. } = self.shared;
        while deadline.poll(cx).is_ready() {
            if open.get() == 0 || self.stage == Stage::Over || worker.must_stop_now() {
                return true;
            }
            worker.now();
            self.shared.wait();
        }
        worker.must_stop_now()
    }

    /// Ends the connection because of what the client sent.
    fn condemn(&mut self) {
        let reason = self.ending.verdict.get().unwrap_or(Reason::PROTOCOL_ERROR);
        tracing::debug!(peer = %self.shared.client.peer, %reason, "an HTTP/2 client broke the rules");
        self.end(reason);
    }

    fn leave(&mut self) {
        self.stage = Stage::Leaving;
        self.connection.graceful_shutdown();
        self.wait_for_farewell();
    }

    fn end(&mut self, reason: Reason) {
        self.stage = Stage::Over;
        self.connection.abrupt_shutdown(reason);
        self.wait_for_farewell();
    }

    fn wait_for_farewell(&self) {
        self.shared.patience.set(FAREWELL);
        self.shared.worker.now();
        self.shared.wait();
    }
}

/// Serves a stream in a task of its own.
fn spawn(shared: &Rc<Shared>, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
    let shared = shared.clone();
    shared.open.set(shared.open.get() + 1);
    tokio::task::spawn_local(async move {
        let served = CatchPanic(Box::pin(serve_stream(&shared, request, respond)));
        if let Err(Panicked) = served.await {
            shared.worker.note_panic();
            tracing::error!(worker = shared.worker.index, peer = %shared.client.peer, "a panic ended an exchange");
        }
        shared.open.set(shared.open.get().saturating_sub(1));
        shared.wait();
    });
}

async fn serve_stream(shared: &Shared, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
    let live = shared.slot.live();
    let worker = &shared.worker;
    let deadline = worker.take_deadline();
    let mut exchange = worker.take_exchange(&live);
    exchange.reset(live.clone(), shared.client.clone(), worker.now());
    let (parts, body) = request.into_parts();
    let listener = live.listener();
    let head = convert::request(
        &mut exchange.request,
        &parts,
        !body.is_end_stream(),
        &listener.head,
        listener.underscores,
    );
    drop(parts);
    let mut client = H2Client::new(worker, &deadline, &exchange.request, respond, body);
    match head {
        Ok(()) => serve::serve(&mut exchange, &mut client).await,
        Err(error) => serve::refuse(&mut exchange, &mut client, Failure::BadHead(error)).await,
    }
    worker.give_exchange(exchange);
    client.take_the_rest().await;
    worker.give_deadline(deadline);
}
