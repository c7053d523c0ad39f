//! Sockets of an IP address and a port, one for each worker (SO_REUSEPORT).

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::BACKLOG;

/// Binds the address for this many workers; the result has the real port where 0 was asked for. The address is first
/// bound without SO_REUSEPORT, so that a second gateway fails with "address in use" instead of silently taking half of
/// the traffic.
pub(super) fn bind(address: SocketAddr, workers: usize) -> io::Result<(SocketAddr, Box<[TcpListener]>)> {
    let probe = socket(address, Sharing::Alone)?;
    let address = probe.local_addr()?.as_socket().unwrap_or(address);
    drop(probe);
    let sockets = (0..workers.max(1)).map(|_| listen(address)).collect::<io::Result<_>>()?;
    Ok((address, sockets))
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
    let socket = socket(address, Sharing::WithOtherWorkers)?;
    socket.set_nonblocking(true)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
