//! Taking connections out of a listening socket.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use tokio::net::{TcpListener, UnixListener};

use crate::client_address::UNIX_PEER;
use crate::socket::Socket;

/// A worker's handle on a listening socket.
#[derive(Debug)]
pub(crate) enum Acceptor {
    /// Its own.
    Tcp(TcpListener),
    /// One that it shares: what another worker took first is not here any more, and that is no error.
    Unix(UnixListener),
}

impl Acceptor {
    /// The next connection, and who its peer is.
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Socket, SocketAddr)>> {
        Poll::Ready(match self {
            Self::Tcp(listener) => ready!(listener.poll_accept(cx)).map(|(s, peer)| (Socket::Tcp(s), peer)),
            Self::Unix(listener) => {
                ready!(listener.poll_accept(cx)).map(|(s, _)| (Socket::Unix(s), UNIX_PEER))
            }
        })
    }
}
