//! The handshake with a client: its hello is read first, because the name in it decides how the handshake goes on.

use std::io;
use std::sync::Arc;

use rustls::server::{Accepted, Acceptor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::StartHandshake;

use super::facts::TlsFacts;
use super::server::ServerTls;
use crate::stream::Stream;

/// The longest first flight of a client that is read: a hello with post-quantum keys takes about 2 KiB.
const LONGEST_HELLO: usize = 16 * 1024;

/// Why a handshake came to nothing, as counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The client left, or spoke something else than TLS.
    NotTls,
    /// No certificate for the name.
    UnknownName,
    /// No common version, cipher or protocol, or a bad client certificate.
    Failed,
    /// It was not complete in time.
    TooSlow,
}

impl Refused {
    /// The stable name, as in the metric.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::NotTls => "not-tls",
            Self::UnknownName => "unknown-name",
            Self::Failed => "failed",
            Self::TooSlow => "too-slow",
        }
    }
}

/// Does the handshake. The caller sets the time for it.
pub(crate) async fn accept(tls: &ServerTls, mut tcp: TcpStream) -> Result<(Stream, TlsFacts), Refused> {
    let accepted = read_hello(&mut tcp).await?;
    let Some(host) = tls.host(accepted.client_hello().server_name()).cloned() else {
        refuse(&mut tcp, UNRECOGNIZED_NAME).await;
        return Err(Refused::UnknownName);
    };
    let config = Arc::clone(&host.config);
    let handshake = StartHandshake::from_parts(accepted, tcp).into_stream(config);
    match handshake.await {
        Ok(stream) => {
            let facts = TlsFacts::of(stream.get_ref().1, host);
            Ok((Stream::tls(stream), facts))
        }
        Err(error) => {
            tracing::debug!(%error, "a TLS handshake failed");
            Err(Refused::Failed)
        }
    }
}

/// Reads until the hello is complete.
async fn read_hello(tcp: &mut TcpStream) -> Result<Accepted, Refused> {
    let mut acceptor = Acceptor::default();
    let mut received = 0;
    let mut bytes = [0u8; 4096];
    loop {
        let n = tcp.read(&mut bytes).await.unwrap_or(0);
        received += n;
        let mut new = bytes.get(..n).unwrap_or_default();
        if n == 0 || received > LONGEST_HELLO || feed(&mut acceptor, &mut new).is_err() {
            return Err(Refused::NotTls);
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted),
            Ok(None) => {}
            Err((error, mut alert)) => {
                tracing::debug!(%error, "a TLS hello was refused");
                let mut out = Vec::new();
                if alert.write_all(&mut out).is_ok() {
                    refuse(tcp, &out).await;
                }
                return Err(Refused::Failed);
            }
        }
    }
}

fn feed(acceptor: &mut Acceptor, bytes: &mut &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        if acceptor.read_tls(bytes)? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(())
}

/// A fatal alert `unrecognized_name` (RFC 6066 §3) in a record of its own.
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];

/// Says why, as far as the socket takes it at once, and closes.
async fn refuse(tcp: &mut TcpStream, alert: &[u8]) {
    let _ = tcp.write(alert).await;
    let _ = tcp.shutdown().await;
}
