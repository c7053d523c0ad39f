//! TLS that ends at a service: after the hello is read its bytes, and all that follow, go to an endpoint as they are. Nothing
//! of what they say can be seen here.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};

use super::refused::Refused;
use crate::Failure;
use crate::access_log::PassageLine;
use crate::buffer::Buffer;
use crate::endpoint::{Endpoint, EndpointAddress};
use crate::h1::tunnel;
use crate::health::Outcome;
use crate::proxy_protocol::{self, Addresses};
use crate::service::Service;
use crate::snapshot::ServiceId;
use crate::socket::Socket;
use crate::stream::Stream;
use crate::worker::{Live, Slot, Worker};

/// Where the connections of a server name go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passthrough {
    /// To which service.
    pub service: ServiceId,
    /// How long connecting to one of its endpoints may take.
    pub connect: Duration,
    /// How long nothing may come from either side.
    pub idle: Duration,
}

/// A client on its way to a service.
pub(crate) struct Passage {
    pub(super) client: Stream,
    /// What was read of it.
    pub(super) hello: Buffer,
    /// The name that it asked for.
    pub(super) name: Option<Box<str>>,
    pub(super) to: Arc<Passthrough>,
}

/// Carries a connection until it ends, and writes its line in the access log.
pub(crate) async fn run(
    worker: &Worker,
    slot: &Slot,
    passage: Passage,
    peer: SocketAddr,
) -> Result<(), Refused> {
    let started = worker.now();
    let Passage { mut client, hello, name, to } = passage;
    let mut line = PassageLine::new(started, peer.ip(), name.as_deref());
    let live = slot.live();
    let service = live.snapshot().service(to.service).cloned().ok_or(Refused::NoService)?;
    let addresses = Addresses { client: peer, server: client.local().unwrap_or(peer) };
    let connected = connect(worker, &live, &service, (&to, addresses), &mut line).await;
    // A tunnel may last for days; it must not hold a generation.
    drop(live);
    let Some((endpoint, mut server)) = connected else {
        worker.buffers.give(hello);
        worker.passed_on(&slot.live(), &service, &line);
        return Err(Refused::NoService);
    };
    let presence = Presence::new(worker, &service, &endpoint);
    let deadline = worker.timers.deadline();
    let carried = tunnel::run(
        worker,
        &deadline,
        to.idle,
        tunnel::Protocol::Unknown,
        (&mut client, hello),
        (&mut server, Buffer::default()),
    )
    .await;
    drop(presence);
    line.endpoint = Some(&endpoint);
    (line.received, line.sent) = (carried.up, carried.down);
    worker.passed_on(&slot.live(), &service, &line);
    Ok(())
}

/// A connection to the endpoint whose turn it is, or to another one while there are some.
async fn connect(
    worker: &Worker,
    live: &Live,
    service: &Arc<Service>,
    (to, addresses): (&Passthrough, Addresses),
    line: &mut PassageLine<'_>,
) -> Option<(Arc<Endpoint>, Stream)> {
    let mut failed = Vec::new();
    loop {
        let endpoint = service.pick(live, None, &failed)?;
        if failed.contains(&endpoint.id) {
            return None;
        }
        line.attempts += 1;
        if let Some(cells) = service.stats.of(worker.index) {
            cells.attempts.add(1);
        }
        match tokio::time::timeout(to.connect, open(endpoint, addresses)).await {
            Ok(Ok(stream)) => {
                service.observe(live, endpoint, Outcome::Connected, 0);
                return Some((endpoint.clone(), stream));
            }
            Ok(Err(_)) | Err(_) => {
                service.observe(live, endpoint, Outcome::Failed(Failure::ConnectFailed), 0);
                if let Some(cells) = service.stats.of(worker.index) {
                    cells.failures.add(1);
                }
                failed.push(endpoint.id);
            }
        }
    }
}

/// Connects to an endpoint and tells it who the client is, if it wants to know. TLS is the client's affair.
async fn open(endpoint: &Endpoint, addresses: Addresses) -> io::Result<Stream> {
    let mut socket = match &endpoint.address {
        EndpointAddress::Tcp(address) => Socket::Tcp(TcpStream::connect(*address).await?),
        EndpointAddress::Unix(path) => Socket::Unix(UnixStream::connect(path).await?),
    };
    if let Some(version) = endpoint.introduction {
        let mut header = Vec::new();
        proxy_protocol::write(&mut header, version, addresses);
        socket.write_all(&header).await?;
    }
    Ok(Stream::new(socket))
}

/// Counts a tunnel at its service as long as it lives.
struct Presence<'a> {
    worker: &'a Worker,
    service: &'a Service,
    endpoint: &'a Endpoint,
}

impl<'a> Presence<'a> {
    fn new(worker: &'a Worker, service: &'a Service, endpoint: &'a Endpoint) -> Self {
        if let Some(cells) = service.stats.of(worker.index) {
            cells.connects.add(1);
            cells.active.add(1);
        }
        if let Some(in_flight) = endpoint.state.in_flight.of(worker.index) {
            in_flight.add(1);
        }
        Self { worker, service, endpoint }
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        if let Some(cells) = self.service.stats.of(self.worker.index) {
            cells.active.sub(1);
        }
        if let Some(in_flight) = self.endpoint.state.in_flight.of(self.worker.index) {
            in_flight.sub(1);
        }
    }
}
