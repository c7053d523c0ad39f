//! Listening sockets: one for each worker on the same address, made by control and kept over generations.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use socket2::{Domain, Protocol, Socket, Type};

use crate::snapshot::ListenerLimits;

/// The sockets of one address, one for each worker (SO_REUSEPORT).
#[derive(Debug)]
pub struct Sockets {
    address: SocketAddr,
    sockets: Box<[TcpListener]>,
    connections: AtomicUsize,
    clients: ClientCounts,
    closed: AtomicBool,
}

impl Sockets {
    /// Binds the address for this many workers.
    ///
    /// # Errors
    /// What the system says. The address is first bound without SO_REUSEPORT, so that a second gateway
    /// fails with "address in use" instead of silently taking half of the traffic.
    pub fn bind(address: SocketAddr, workers: usize) -> io::Result<Self> {
        let probe = socket(address, Sharing::Alone)?;
        let address = probe.local_addr()?.as_socket().unwrap_or(address);
        drop(probe);
        let sockets = (0..workers.max(1)).map(|_| listen(address)).collect::<io::Result<_>>()?;
        Ok(Self {
            address,
            sockets,
            connections: AtomicUsize::new(0),
            clients: ClientCounts::default(),
            closed: AtomicBool::new(false),
        })
    }

    /// No sockets: for configurations that are looked at, not served.
    pub fn unbound(address: SocketAddr) -> Self {
        Self {
            address,
            sockets: Box::default(),
            connections: AtomicUsize::new(0),
            clients: ClientCounts::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// The address, with the real port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections open now on this address.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// True once a worker has closed its socket; the address must be bound anew to be used again.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Closes the socket of one worker for new connections, for all handles on it.
    pub(crate) fn close(&self, worker: usize) {
        self.closed.store(true, Ordering::Relaxed);
        if let Some(socket) = self.sockets.get(worker) {
            let _ = socket2::SockRef::from(socket).shutdown(std::net::Shutdown::Both);
        }
    }

    /// A handle on the socket of one worker.
    pub(crate) fn of(&self, worker: usize) -> io::Result<TcpListener> {
        self.sockets.get(worker).ok_or(io::ErrorKind::NotFound)?.try_clone()
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

/// Connections by client address, without a lock: addresses share cells by a keyed hash, so that with many
/// clients one may rarely be counted together with another.
#[derive(Debug)]
struct ClientCounts {
    cells: Box<[AtomicU32]>,
    keys: RandomState,
}

impl ClientCounts {
    const CELLS: usize = 8192;

    fn of(&self, client: IpAddr) -> &AtomicU32 {
        static NONE: AtomicU32 = AtomicU32::new(0);
        // A client owns a whole IPv6 /64.
        let key = match client.to_canonical() {
            IpAddr::V4(address) => u64::from(u32::from(address)),
            IpAddr::V6(address) => (u128::from(address) >> 64) as u64 | 1 << 63,
        };
        let cell = self.keys.hash_one(key) % Self::CELLS as u64;
        usize::try_from(cell).ok().and_then(|c| self.cells.get(c)).unwrap_or(&NONE)
    }
}

impl Default for ClientCounts {
    fn default() -> Self {
        Self { cells: (0..Self::CELLS).map(|_| AtomicU32::new(0)).collect(), keys: RandomState::new() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Alone,
    WithOtherWorkers,
}

fn socket(address: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if sharing == Sharing::WithOtherWorkers {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    // Binding alone succeeds beside a socket that only listens with SO_REUSEPORT of the same user; listening does not.
    if sharing == Sharing::Alone {
        socket.listen(1)?;
    }
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    const BACKLOG: i32 = 4096;
    let socket = socket(address, Sharing::WithOtherWorkers)?;
    socket.set_nonblocking(true)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_an_error_even_with_shared_ports() {
        let first = Sockets::bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let second = Sockets::bind(first.address(), 2);
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
