//! The handshake with a client: its hello is read first, because the name in it decides how the handshake goes on.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{Accepted, Acceptor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::StartHandshake;

use super::facts::TlsFacts;
use super::passthrough::Passage;
use super::refused::Refused;
use super::server::{ServerName, ServerTls};
use crate::buffer::{Buffer, Buffers, Size};
use crate::challenges::Challenges;
use crate::socket::Socket;
use crate::stream::Stream;

/// What came of greeting a client.
pub(crate) enum Greeted {
    /// TLS ends here, and its handshake is done.
    Here(Stream, TlsFacts),
    /// TLS ends at a service.
    There(Passage),
    /// It was an authority, which has seen what it asked for.
    Answered,
}

/// Reads the hello of a client and does the handshake, unless that is the affair of a service. The caller sets the time.
pub(crate) async fn accept(
    tls: &ServerTls,
    challenges: &Challenges,
    buffers: &Buffers,
    mut socket: Socket,
) -> Result<Greeted, Refused> {
    // Who has said nothing yet holds no buffer.
    if socket.readable().await.is_err() {
        return Err(Refused::NotTls);
    }
    let mut hello = buffers.take(Size::Small);
    let accepted = match read_hello(&mut socket, &mut hello).await {
        Ok(accepted) => accepted,
        Err(refused) => {
            buffers.give(hello);
            return Err(refused);
        }
    };
    if let Some(config) = challenges.config_for(&accepted.client_hello()) {
        buffers.give(hello);
        return answer_authority(accepted, socket, config).await;
    }
    let name = accepted.client_hello().server_name().map(Box::from);
    let host = match tls.named(name.as_deref()) {
        Some(ServerName::There(to)) => {
            return Ok(Greeted::There(Passage { client: Stream::new(socket), hello, name, to }));
        }
        Some(ServerName::Here(host)) => host,
        Some(ServerName::Soon) => {
            buffers.give(hello);
            tracing::debug!(name, "a TLS handshake was refused: the certificate is not there yet");
            refuse(&mut socket, INTERNAL_ERROR).await;
            return Err(Refused::NoCertificateYet);
        }
        None => {
            buffers.give(hello);
            refuse(&mut socket, UNRECOGNIZED_NAME).await;
            return Err(Refused::UnknownName);
        }
    };
    buffers.give(hello);
    let config = Arc::clone(&host.config);
    match StartHandshake::from_parts(accepted, socket).into_stream(config).await {
        Ok(stream) => {
            let facts = TlsFacts::of(stream.get_ref().1, host);
            Ok(Greeted::Here(Stream::tls(stream), facts))
        }
        Err(error) => {
            tracing::debug!(%error, "a TLS handshake failed");
            Err(Refused::of_handshake(&error))
        }
    }
}

/// Does the handshake that shows an authority what it asked for, and closes (RFC 8737 §3).
async fn answer_authority(
    accepted: Accepted,
    socket: Socket,
    config: Arc<ServerConfig>,
) -> Result<Greeted, Refused> {
    match StartHandshake::from_parts(accepted, socket).into_stream(config).await {
        Ok(mut stream) => {
            let _ = stream.shutdown().await;
            Ok(Greeted::Answered)
        }
        Err(error) => {
            tracing::debug!(%error, "the TLS handshake of an authority failed");
            Err(Refused::of_handshake(&error))
        }
    }
}

/// Reads until the hello is complete. What was read stays in the buffer, whose size is the longest hello that is taken: one
/// with post-quantum keys takes about 2 KiB.
async fn read_hello(socket: &mut Socket, hello: &mut Buffer) -> Result<Accepted, Refused> {
    let mut acceptor = Acceptor::default();
    loop {
        let known = hello.len();
        let n = socket.read(hello.room()).await.unwrap_or(0);
        hello.filled(n);
        let mut new = hello.data().get(known..).unwrap_or_default();
        if hello.data().first().is_some_and(|record| *record != HANDSHAKE_RECORD) {
            explain_to_plain_http(socket, hello.data()).await;
            return Err(Refused::NotTls);
        }
        if n == 0 || feed(&mut acceptor, &mut new).is_err() {
            return Err(Refused::NotTls);
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted),
            Ok(None) => {}
            Err((error, mut alert)) => {
                tracing::debug!(%error, "a TLS hello was refused");
                let mut out = Vec::new();
                if alert.write_all(&mut out).is_ok() {
                    refuse(socket, &out).await;
                }
                return Err(Refused::of(&error));
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

/// The type of a record with handshake messages (RFC 8446 §5.1); every TLS connection begins with one.
const HANDSHAKE_RECORD: u8 = 22;

/// A fatal alert `unrecognized_name` (RFC 6066 §3) in a record of its own.
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];

/// A fatal alert `internal_error` (RFC 8446 §6.2) in a record of its own: the name is right, and it is our fault.
const INTERNAL_ERROR: &[u8] = &[21, 3, 3, 0, 2, 2, 80];

/// What a client reads that speaks plain HTTP here.
const SPEAK_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n\
content-length: 122\r\nconnection: close\r\n\r\n\
{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"detail\":\"This port speaks HTTPS only.\",\
\"code\":\"https-expected\"}\n";

/// People type `http://host:8443`; an alert in TLS would tell them nothing.
async fn explain_to_plain_http(socket: &mut Socket, bytes: &[u8]) {
    if bytes.first().is_some_and(u8::is_ascii_uppercase) {
        refuse(socket, SPEAK_HTTPS).await;
    }
}

/// Says why, as far as the socket takes it at once, and closes.
pub(super) async fn refuse(socket: &mut Socket, why: &[u8]) {
    let _ = socket.write(why).await;
    let _ = socket.shutdown().await;
}
