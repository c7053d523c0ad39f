//! Accepting connections.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::buffer::Buffer;
use crate::client_address::{Shown, UNIX};
use crate::condition::contains;
use crate::h1::connection::Connection;
use crate::h2;
use crate::h2::connection::Newcomer;
use crate::listener::Sockets;
use crate::proxy_protocol;
use crate::socket::Socket;
use crate::stream::Stream;
use crate::tls::{self, ServerTls};
use crate::worker::{Slot, Worker};

/// How long to wait when the process has no file descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

/// What a client reads when all connections are taken.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: 96\r\n\
retry-after: 1\r\nconnection: close\r\n\r\n\
{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\"code\":\"too-many-connections\"}\n";

/// Accepts until the listener is closed; then what already waits in its queue is still taken.
pub(crate) async fn run(worker: Rc<Worker>, slot: Rc<Slot>) {
    let sockets = slot.live().listener().sockets.clone();
    let acceptor = match sockets.acceptor(worker.index) {
        Ok(acceptor) => acceptor,
        Err(error) => {
            let address = sockets.address();
            return tracing::error!(%error, %address, worker = worker.index, "cannot listen");
        }
    };
    let mut complained = false;
    loop {
        let accepted = poll_fn(|cx| match acceptor.poll_accept(cx) {
            Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
            Poll::Pending if slot.is_closed() => Poll::Ready(None),
            Poll::Pending => {
                slot.wake_when_closed(cx.waker());
                Poll::Pending
            }
        });
        let Some(accepted) = accepted.await else { break };
        match accepted {
            Ok((socket, peer)) => {
                complained = false;
                admit(&worker, &slot, &sockets, socket, peer);
            }
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::warn!(%error, address = %sockets.address(), "cannot accept connections; trying again");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    sockets.close(worker.index);
}

fn admit(worker: &Rc<Worker>, slot: &Rc<Slot>, sockets: &Arc<Sockets>, socket: Socket, peer: SocketAddr) {
    let client = peer.ip();
    if !sockets.enter(client, &slot.live().listener().limits) {
        worker.refused();
        return turn_away(&socket);
    }
    let guest = Guest::new(worker.clone(), sockets.clone(), client);
    let (worker, slot) = (worker.clone(), slot.clone());
    let live = slot.live();
    if live.listener().tls.is_none() && !contains(&live.listener().introducers, client) {
        tokio::task::spawn_local(over_tcp(worker, slot, socket, peer, guest));
    } else {
        tokio::task::spawn_local(greet(worker, slot, socket, peer, guest));
    }
}

/// Serves a client from its first byte. An idle connection costs what this holds. No `async fn`: that would hold its
/// arguments twice, as they came and as they are used; so would a future that is moved to where it is awaited.
fn over_tcp(
    worker: Rc<Worker>,
    slot: Rc<Slot>,
    socket: Socket,
    peer: SocketAddr,
    guest: Guest,
) -> impl Future<Output = ()> {
    let mut connection = Connection::new(&worker, slot, Stream::new(socket), peer, None);
    async move {
        let _counted = &guest;
        if let Some(read) = connection.run(&worker).await {
            let newcomer = connection.into_newcomer(worker, read);
            Box::pin(h2::connection::run(newcomer)).await;
        }
    }
}

/// Serves a client that is introduced by a proxy or shakes hands.
async fn greet(worker: Rc<Worker>, slot: Rc<Slot>, mut socket: Socket, peer: SocketAddr, guest: Guest) {
    let introduced = contains(&slot.live().listener().introducers, peer.ip());
    let peer =
        if introduced { Box::pin(introduction(&worker, &slot, &mut socket, peer)).await } else { Some(peer) };
    let Some(peer) = peer else { return drop(guest) };
    let tls = slot.live().listener().tls.clone();
    match tls {
        None => Box::pin(over_tcp(worker, slot, socket, peer, guest)).await,
        Some(tls) => {
            Box::pin(over_tls(worker, slot, &tls, socket, peer)).await;
            drop(guest);
        }
    }
}

/// Who the client is, as the proxy in front says in time; `None` when it says nothing that makes sense.
async fn introduction(
    worker: &Worker,
    slot: &Slot,
    socket: &mut Socket,
    proxy: SocketAddr,
) -> Option<SocketAddr> {
    let time = slot.live().listener().timeouts.handshake;
    match tokio::time::timeout(time, proxy_protocol::receive(socket)).await {
        // Words cannot make somebody a client of a Unix socket.
        Ok(Ok(addresses)) => Some(addresses.map(|a| a.client).filter(|c| c.ip() != UNIX).unwrap_or(proxy)),
        Ok(Err(_)) | Err(_) => {
            tracing::debug!(proxy = %Shown(proxy.ip()), "no PROXY protocol from a peer that must speak it");
            worker.refused();
            None
        }
    }
}

/// Serves a client after the handshake, if there is one in time.
async fn over_tls(worker: Rc<Worker>, slot: Rc<Slot>, tls: &ServerTls, socket: Socket, peer: SocketAddr) {
    socket.send_at_once();
    let live = slot.live();
    let (time, challenges) = (live.listener().timeouts.handshake, live.snapshot().challenges.clone());
    drop(live);
    let greeting = tls::accept(tls, &challenges, &worker.buffers, socket);
    let handshake = Box::pin(tokio::time::timeout(time, greeting));
    match handshake.await.unwrap_or(Err(tls::Refused::TooSlow)) {
        Ok(tls::Greeted::There(passage)) => {
            let passing = Box::pin(tls::pass_through(&worker, &slot, passage, peer));
            if let Err(refused) = passing.await {
                worker.refused_handshake(refused.code());
            }
        }
        Ok(tls::Greeted::Here(stream, facts)) => {
            worker.shook_hands(&facts);
            let (is_h2, tls) = (facts.is_h2, Some(Rc::new(facts)));
            if is_h2 {
                let read = Buffer::default();
                return Box::pin(h2::connection::run(Newcomer { worker, slot, stream, peer, tls, read }))
                    .await;
            }
            let mut connection = Connection::new(&worker, slot, stream, peer, tls);
            if let Some(read) = connection.run(&worker).await {
                Box::pin(h2::connection::run(connection.into_newcomer(worker, read))).await;
            }
        }
        Ok(tls::Greeted::Answered) => {}
        Err(refused) => worker.refused_handshake(refused.code()),
    }
}

/// Says why and closes; there is no time to wait for the client.
fn turn_away(socket: &Socket) {
    let _ = socket.try_write(FULL);
}

/// Errors of one connection, not of the listener.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionAborted | K::ConnectionReset | K::Interrupted | K::WouldBlock)
}

/// Counts a connection as long as it lives.
struct Guest {
    worker: Rc<Worker>,
    sockets: Arc<Sockets>,
    client: IpAddr,
}

impl Guest {
    fn new(worker: Rc<Worker>, sockets: Arc<Sockets>, client: IpAddr) -> Self {
        worker.entered();
        Self { worker, sockets, client }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.sockets.leave(self.client);
        self.worker.left();
    }
}
