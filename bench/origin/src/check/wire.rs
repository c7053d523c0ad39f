//! An HTTP/1.1 client connection that tells every way to fail apart.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::reading::{Progress, Reply, read_reply};

/// No answer of a benchmark takes longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Why a request has no right answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No connection could be made.
    NotConnected,
    /// No TLS 1.3 with the protocol that was asked for.
    NotEncrypted,
    /// A full handshake where a resumed one was asked for, or the other way round.
    WrongHandshake,
    /// The connection ended before the first byte of an answer.
    ClosedBeforeReply,
    /// The connection was reset before the first byte of an answer.
    ResetBeforeReply,
    /// The answer began and did not end.
    Truncated,
    /// The answer is not HTTP.
    Malformed,
    /// A status other than 200.
    WrongStatus,
    /// Partly made by one configuration, partly by another.
    Mixed,
    /// A stream whose chunks are not all there, or not in order.
    WrongBody,
    /// Nothing came for half a minute.
    TimedOut,
}

impl Fault {
    /// The name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Fault::NotConnected => "not-connected",
            Fault::NotEncrypted => "not-encrypted",
            Fault::WrongHandshake => "wrong-handshake",
            Fault::ClosedBeforeReply => "closed-before-reply",
            Fault::ResetBeforeReply => "reset-before-reply",
            Fault::Truncated => "truncated",
            Fault::Malformed => "malformed",
            Fault::WrongStatus => "wrong-status",
            Fault::Mixed => "mixed-generations",
            Fault::WrongBody => "wrong-body",
            Fault::TimedOut => "timed-out",
        }
    }
}

/// What the bytes go through: a socket, or TLS over one.
pub trait Wire: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire for T {}

/// Connects, from this source address if one is given.
pub async fn connect(target: SocketAddr, source: Option<IpAddr>) -> Result<TcpStream, Fault> {
    let connecting = async {
        let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(source) = source {
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let stream = socket.connect(target).await?;
        stream.set_nodelay(true)?;
        io::Result::Ok(stream)
    };
    match timeout(PATIENCE, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        _ => Err(Fault::NotConnected),
    }
}

/// A connection to a gateway.
pub struct Connection {
    stream: Box<dyn Wire>,
    buffer: Vec<u8>,
}

impl Connection {
    /// HTTP/1.1 over what has been connected.
    pub fn over(stream: impl Wire + 'static) -> Self {
        Self { stream: Box::new(stream), buffer: Vec::new() }
    }

    /// Sends a GET and reads the whole answer.
    pub async fn get(&mut self, path: &str) -> Result<Reply, Fault> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench.test\r\n\r\n");
        timeout(PATIENCE, self.exchange(&request)).await.unwrap_or(Err(Fault::TimedOut))
    }

    /// Sends the last GET, reads the whole answer and waits until the gateway has closed the connection.
    pub async fn last(mut self, path: &str) -> Result<Reply, Fault> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench.test\r\nconnection: close\r\n\r\n");
        let asking = async {
            let reply = self.exchange(&request).await?;
            // Some end TLS before they close, some do not: the answer was whole either way.
            while let Ok(1..) = self.stream.read_buf(&mut self.buffer).await {}
            Ok(reply)
        };
        timeout(PATIENCE, asking).await.unwrap_or(Err(Fault::TimedOut))
    }

    async fn exchange(&mut self, request: &str) -> Result<Reply, Fault> {
        self.stream.write_all(request.as_bytes()).await.map_err(|_| Fault::ResetBeforeReply)?;
        self.stream.flush().await.map_err(|_| Fault::ResetBeforeReply)?;
        self.buffer.clear();
        loop {
            match read_reply(&self.buffer) {
                Progress::Complete(reply) => return Ok(reply),
                Progress::Broken => return Err(Fault::Malformed),
                Progress::Partial => {}
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) if self.buffer.is_empty() => return Err(Fault::ClosedBeforeReply),
                Err(_) if self.buffer.is_empty() => return Err(Fault::ResetBeforeReply),
                Ok(0) | Err(_) => return Err(Fault::Truncated),
                Ok(_) => {}
            }
        }
    }
}
