//! TLS over a blocking socket, in either role.

use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use rustls::pki_types::CertificateDer;
use rustls::{Connection, HandshakeKind, ProtocolVersion};

/// A TLS connection after its handshake.
#[derive(Debug)]
pub(crate) struct Secured {
    connection: Connection,
    pub(crate) tcp: TcpStream,
}

/// What was agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The protocol over it.
    pub alpn: Option<String>,
    /// The other side's certificate.
    pub certificate: Option<CertificateDer<'static>>,
    /// An earlier session went on.
    pub resumed: bool,
    /// Servers: the name that the client asked for.
    pub server_name: Option<String>,
}

impl Secured {
    /// Does the handshake.
    pub(crate) fn new(connection: impl Into<Connection>, mut tcp: TcpStream) -> io::Result<Self> {
        let mut connection = connection.into();
        while connection.is_handshaking() {
            connection.complete_io(&mut tcp)?;
        }
        let mut secured = Self { connection, tcp };
        secured.push()?;
        Ok(secured)
    }

    pub(crate) fn agreed(&self) -> Agreed {
        let c = &self.connection;
        let server_name = match c {
            Connection::Server(server) => server.server_name().map(str::to_owned),
            Connection::Client(_) => None,
        };
        Agreed {
            version: match c.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "unknown",
            },
            alpn: c.alpn_protocol().map(|p| String::from_utf8_lossy(p).into_owned()),
            certificate: c.peer_certificates().and_then(|c| c.first().cloned()),
            resumed: c.handshake_kind() == Some(HandshakeKind::Resumed),
            server_name,
        }
    }

    /// Says that nothing more will be sent, and ends the sending side.
    pub(crate) fn half_close(&mut self) {
        self.connection.send_close_notify();
        let _ = self.push();
        let _ = self.tcp.shutdown(Shutdown::Write);
    }

    /// Changes the keys of this direction (RFC 8446 §4.6.3).
    pub(crate) fn refresh_keys(&mut self) {
        let _ = self.connection.refresh_traffic_keys();
        let _ = self.push();
    }

    fn push(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.tcp)?;
        }
        Ok(())
    }
}

impl Read for Secured {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(bytes) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            self.push()?;
            self.connection.read_tls(&mut self.tcp)?;
            if let Err(error) = self.connection.process_new_packets() {
                let _ = self.push();
                return Err(Error::new(ErrorKind::InvalidData, error));
            }
        }
    }
}

impl Write for Secured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.connection.writer().write(bytes)?;
        self.push()?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()
    }
}
