//! Listening sockets, made by control and kept over generations: one for each worker where the system spreads
//! connections over them, one for all where it does not.

mod acceptor;
mod address;
mod clients;
mod tcp;
mod unix;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(crate) use acceptor::Acceptor;
pub use address::ListenerAddress;
use clients::ClientCounts;
pub use unix::UnixAccess;
use unix::UnixDoor;

use crate::snapshot::ListenerLimits;

/// Connections that may wait to be accepted; the system may allow fewer (net.core.somaxconn).
const BACKLOG: i32 = 4096;

/// The sockets of one address.
#[derive(Debug)]
pub struct Sockets {
    address: ListenerAddress,
    doors: Doors,
    connections: AtomicUsize,
    clients: ClientCounts,
    closed: AtomicBool,
}

#[derive(Debug)]
enum Doors {
    /// For configurations that are looked at, not served.
    None,
    /// One for each worker.
    Tcp(Box<[TcpListener]>),
    /// One for all.
    Unix(UnixDoor),
}

impl Sockets {
    /// Binds an IP address and a port for this many workers.
    ///
    /// # Errors
    /// What the system says, such as "address in use".
    pub fn bind(address: SocketAddr, workers: usize) -> io::Result<Self> {
        let (address, sockets) = tcp::bind(address, workers)?;
        Ok(Self::new(ListenerAddress::Tcp(address), Doors::Tcp(sockets)))
    }

    /// Binds the path of a Unix socket for this many workers. The file of a process that has gone is replaced.
    ///
    /// # Errors
    /// What the system says; "address in use" when a process listens there, "already exists" when the file there is
    /// no socket.
    pub fn bind_unix(path: &Path, access: UnixAccess, workers: usize) -> io::Result<Self> {
        let door = UnixDoor::bind(path, access, workers)?;
        Ok(Self::new(ListenerAddress::Unix(path.into()), Doors::Unix(door)))
    }

    /// No sockets: for configurations that are looked at, not served.
    pub fn unbound(address: ListenerAddress) -> Self {
        Self::new(address, Doors::None)
    }

    fn new(address: ListenerAddress, doors: Doors) -> Self {
        Self {
            address,
            doors,
            connections: AtomicUsize::new(0),
            clients: ClientCounts::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// The address, with the real port where 0 was asked for.
    pub fn address(&self) -> &ListenerAddress {
        &self.address
    }

    /// Connections open now on this address.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// True once a worker has closed its socket; the address must be bound anew to be used again.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Lets others connect from now on, if this is a Unix socket.
    ///
    /// # Errors
    /// What the system says.
    pub fn grant(&self, access: UnixAccess) -> io::Result<()> {
        match &self.doors {
            Doors::Unix(door) => door.grant(access),
            Doors::Tcp(_) | Doors::None => Ok(()),
        }
    }

    /// Closes the socket of one worker for new connections, for all handles on it.
    pub(crate) fn close(&self, worker: usize) {
        self.closed.store(true, Ordering::Relaxed);
        match &self.doors {
            Doors::Tcp(sockets) => {
                if let Some(socket) = sockets.get(worker) {
                    let _ = socket2::SockRef::from(socket).shutdown(std::net::Shutdown::Both);
                }
            }
            Doors::Unix(door) => door.close(),
            Doors::None => {}
        }
    }

    /// What a worker accepts connections with.
    pub(crate) fn acceptor(&self, worker: usize) -> io::Result<Acceptor> {
        match &self.doors {
            Doors::Tcp(sockets) => {
                let socket = sockets.get(worker).ok_or(io::ErrorKind::NotFound)?.try_clone()?;
                tokio::net::TcpListener::from_std(socket).map(Acceptor::Tcp)
            }
            Doors::Unix(door) => tokio::net::UnixListener::from_std(door.handle()?).map(Acceptor::Unix),
            Doors::None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Counts a connection of this client, unless there are as many as the limits allow.
    pub(crate) fn enter(&self, client: IpAddr, limits: &ListenerLimits) -> bool {
        let others = self.connections.fetch_add(1, Ordering::Relaxed);
        let own = self.clients.of(client).fetch_add(1, Ordering::Relaxed);
        if others >= limits.connections || own >= limits.connections_per_client {
            self.leave(client);
            return false;
        }
        true
    }

    pub(crate) fn leave(&self, client: IpAddr) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        self.clients.of(client).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_an_error_even_with_shared_ports() {
        let first = Sockets::bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let second = Sockets::bind(first.address().tcp().unwrap(), 2);
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn connections_are_counted_up_to_the_limit() {
        let s = Sockets::bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let limits =
            ListenerLimits { connections: 2, connections_per_client: 1, ..ListenerLimits::default() };
        assert!(s.enter(a, &limits) && !s.enter(a, &limits) && s.enter(b, &limits));
        s.leave(a);
        assert!(s.enter(a, &limits));
        assert_eq!(s.connections(), 2);
    }
}
