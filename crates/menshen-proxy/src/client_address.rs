//! The address of a client, which a client of a Unix socket does not have.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What stands for the address of a client of a Unix socket: the unspecified address, which "indicates the absence of
/// an address" and is never the source of a packet (RFC 4291 §2.5.2). So `unix` in a list of networks is a network
/// like any other.
pub const UNIX: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// The same with a port, which it has not either.
pub const UNIX_PEER: SocketAddr = SocketAddr::new(UNIX, 0);

/// An address as logs and templates show it: `192.0.2.7`, or `unix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown(pub IpAddr);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == UNIX { f.write_str("unix") } else { self.0.fmt(f) }
    }
}
