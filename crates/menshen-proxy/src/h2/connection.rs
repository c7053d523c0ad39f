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
use super::io::Io;
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
const HEADER_TABLE: u32 = 4096;

/// What the streams of a connection share.
pub(super) struct Shared {
    pub(super) worker: Rc<Worker>,
    slot: Rc<Slot>,
    client: Client,
    /// Streams being served.
    open: Cell<u32>,
    /// The time for being idle, and when it is over.
    idle: Duration,
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
    let head = live.listener().head.head;
    drop(live);
    let io = Io::new(stream, read, worker.clone());
    let too_much = io.too_much();
    let handshake = builder(&limits, head).handshake::<_, Bytes>(io);
    let Ok(Ok(mut connection)) = tokio::time::timeout(timeouts.header, handshake).await else { return };
    let (deadline, idle) = (worker.timers.deadline(), timeouts.idle);
    deadline.set(worker.recent(), idle);
    let shared = Rc::new(Shared { worker, slot, client, open: Cell::new(0), idle, deadline });
    let mut hall = Hall { connection: &mut connection, shared: &shared, farewell: false };
    while let Some((request, respond)) = hall.next(&too_much).await {
        spawn(&shared, request, respond);
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
        .reset_stream_duration(Duration::from_secs(1));
    builder
}

/// Where streams come in.
struct Hall<'a> {
    connection: &'a mut Connection<Io, Bytes>,
    shared: &'a Shared,
    /// The client was told that nothing more is taken.
    farewell: bool,
}

type Incoming = (Request<RecvStream>, SendResponse<Bytes>);

impl Hall<'_> {
    /// The next stream; `None` when the connection is over.
    async fn next(&mut self, too_much: &Cell<bool>) -> Option<Incoming> {
        poll_fn(|cx| {
            loop {
                match self.connection.poll_accept(cx) {
                    Poll::Ready(Some(Ok(incoming))) => return Poll::Ready(Some(incoming)),
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(None),
                    Poll::Pending => {}
                }
                if too_much.replace(false) {
                    tracing::debug!(peer = %self.shared.client.peer, "too many HTTP/2 frames of no use");
                    self.shared.worker.calmed_down();
                    self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                    continue;
                }
                if !self.farewell && self.is_over(cx) {
                    self.farewell = true;
                    self.connection.graceful_shutdown();
                    continue;
                }
                return Poll::Pending;
            }
        })
        .await
    }

    /// True when no more streams are wanted: the gateway stops, or the client has been idle for too long.
    fn is_over(&self, cx: &mut Context<'_>) -> bool {
        let Shared { worker, slot, open, idle, deadline, .. } = self.shared;
        if worker.is_draining() || slot.is_closed() {
            return true;
        }
        if deadline.poll(cx).is_pending() {
            return false;
        }
        if open.get() == 0 {
            return true;
        }
        deadline.set(worker.now(), *idle);
        deadline.poll(cx).is_ready()
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
        shared.deadline.set(shared.worker.recent(), shared.idle);
    });
}

async fn serve_stream(shared: &Shared, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
    let live = shared.slot.live();
    let worker = &shared.worker;
    let deadline = worker.timers.deadline();
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
    drop(client);
    worker.give_exchange(exchange);
}
