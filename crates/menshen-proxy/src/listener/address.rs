//! Where a listener is.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use crate::client_address::UNIX_PEER;

/// Where a listener is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenerAddress {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(Box<Path>),
}

impl ListenerAddress {
    /// The IP address and the port, if it has them.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// What its connections say of their own end: a Unix socket has the unspecified address.
    pub fn local(&self) -> SocketAddr {
        self.tcp().unwrap_or(UNIX_PEER)
    }
}

impl fmt::Display for ListenerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
