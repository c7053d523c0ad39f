//! The PROXY protocol (HAProxy's specification, versions 1 and 2): a proxy in front says who the client is before the
//! client's own first byte, and so do we toward services that want it.

mod v1;
mod v2;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt;

use crate::client_address::UNIX;
use crate::socket::Socket;

/// The longest header that is read: a version 2 header with all the additions anybody sends.
const LONGEST: usize = 536;

/// Who talks to whom, as a proxy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub client: SocketAddr,
    /// Where the client connected to.
    pub server: SocketAddr,
}

/// What stands at the start of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// All of them belong to a header that goes on.
    Partial,
    /// A header.
    Complete {
        /// Its length.
        len: usize,
        /// Who talks to whom; nothing when the proxy talks for itself, as for a health check, or does not know.
        addresses: Option<Addresses>,
    },
}

/// The bytes are no header, or one that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads a header of either version.
///
/// # Errors
/// [`Malformed`] as soon as that is certain; the connection must be closed then.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let is_start_of = |signature: &[u8]| {
        let n = bytes.len().min(signature.len());
        bytes.get(..n) == signature.get(..n)
    };
    match (is_start_of(v1::SIGNATURE), is_start_of(v2::SIGNATURE)) {
        _ if bytes.is_empty() => Ok(Parsed::Partial),
        (true, _) => v1::parse(bytes),
        (_, true) => v2::parse(bytes),
        _ => Err(Malformed),
    }
}

/// Which version is written toward a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// Writes a header; one without addresses for a client that has none.
pub fn write(out: &mut Vec<u8>, version: Version, addresses: Addresses) {
    let addresses = Some(addresses).filter(|a| a.client.ip() != UNIX).map(Addresses::of_one_family);
    match version {
        Version::V1 => v1::write(out, addresses),
        Version::V2 => v2::write(out, addresses),
    }
}

impl Addresses {
    /// Of a server behind a Unix socket no address is known; that must not change how the client's is written.
    fn of_one_family(self) -> Self {
        match self.server.ip() == UNIX && self.client.is_ipv4() {
            true => Self { server: (std::net::Ipv4Addr::UNSPECIFIED, 0).into(), ..self },
            false => self,
        }
    }
}

/// An address as IPv6, with IPv4 mapped into it: for two addresses that are not both IPv4.
fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Reads the header of a connection, and not one byte more. The caller sets the time for it.
///
/// # Errors
/// The peer left, or sent something else.
pub(crate) async fn receive(socket: &mut Socket) -> Result<Option<Addresses>, Malformed> {
    let mut bytes = [0u8; LONGEST];
    let mut have = 0;
    loop {
        let room = bytes.get_mut(have..).filter(|room| !room.is_empty()).ok_or(Malformed)?;
        let seen = socket.peek(room).await.map_err(|_| Malformed)?;
        if seen == 0 {
            return Err(Malformed);
        }
        let parsed = parse(bytes.get(..have + seen).unwrap_or_default())?;
        // What was looked at is taken as far as it belongs to the header: the rest is the client's.
        let take = match parsed {
            Parsed::Partial => seen,
            Parsed::Complete { len, .. } => len.checked_sub(have).ok_or(Malformed)?,
        };
        let part = bytes.get_mut(have..have + take).ok_or(Malformed)?;
        socket.read_exact(part).await.map_err(|_| Malformed)?;
        have += take;
        if let Parsed::Complete { addresses, .. } = parsed {
            return Ok(addresses);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
        let v4 = (any::<[u8; 4]>(), any::<u16>(), any::<[u8; 4]>(), any::<u16>())
            .prop_map(|(a, p, b, q)| (SocketAddr::from((a, p)), SocketAddr::from((b, q))));
        let v6 = (any::<[u16; 8]>(), any::<u16>(), any::<[u16; 8]>(), any::<u16>())
            .prop_map(|(a, p, b, q)| (SocketAddr::from((a, p)), SocketAddr::from((b, q))));
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_however_much_follows(
            (client, server) in address(),
            v2 in any::<bool>(),
            after in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let addresses = Addresses { client, server };
            let mut bytes = Vec::new();
            write(&mut bytes, if v2 { Version::V2 } else { Version::V1 }, addresses);
            let len = bytes.len();
            for cut in 0..len {
                prop_assert_eq!(parse(&bytes[..cut]), Ok(Parsed::Partial));
            }
            bytes.extend(after);
            prop_assert_eq!(parse(&bytes), Ok(Parsed::Complete { len, addresses: Some(addresses) }));
        }

        #[test]
        fn no_bytes_make_it_panic_or_ask_for_ever_more(
            start in 0..3usize,
            bytes in proptest::collection::vec(any::<u8>(), 0..700),
        ) {
            let signature: &[u8] = [b"", v1::SIGNATURE, v2::SIGNATURE][start];
            let bytes = [signature, &bytes].concat();
            match parse(&bytes) {
                Ok(Parsed::Complete { len, .. }) => prop_assert!(len <= bytes.len() && len <= LONGEST),
                Ok(Parsed::Partial) => prop_assert!(bytes.len() < LONGEST),
                Err(Malformed) => {}
            }
        }
    }

    #[test]
    fn anything_else_is_refused_at_its_first_wrong_byte() {
        for bytes in [&b"G"[..], b"PROXX", b"\r\n\r\nX", b"\x16\x03\x01"] {
            assert_eq!(parse(bytes), Err(Malformed), "{bytes:?}");
        }
    }
}
