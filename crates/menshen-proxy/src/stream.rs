//! A byte stream to a peer: a socket, or TLS over it.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use crate::buffer::{Buffer, Buffers};
use crate::socket::Socket;

/// So much is written without preparing to wait.
const LITTLE: usize = 8 * 1024;

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    /// As it is.
    Plain(Socket),
    /// TLS after its handshake, in either role. Boxed: plain connections must not pay for its size.
    Tls(Box<TlsStream<Socket>>),
}

impl Stream {
    pub(crate) fn new(socket: Socket) -> Self {
        socket.send_at_once();
        Self::Plain(socket)
    }

    pub(crate) fn tls(tls: impl Into<TlsStream<Socket>>) -> Self {
        Self::Tls(Box::new(tls.into()))
    }

    /// The socket at the bottom.
    fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    /// True when TLS was agreed on with HTTP/2 in it (RFC 7301).
    pub(crate) fn agreed_on_h2(&self) -> bool {
        match self {
            Self::Tls(tls) => match &**tls {
                TlsStream::Client(s) => s.get_ref().1.alpn_protocol() == Some(b"h2"),
                TlsStream::Server(s) => s.get_ref().1.alpn_protocol() == Some(b"h2"),
            },
            Self::Plain(_) => false,
        }
    }

    /// The address of this end; that of a Unix socket is unspecified.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.socket().local()
    }

    /// Reads into the buffer's room; 0 means that the peer has closed its side. A buffer holds memory only while
    /// there is something to put into it: what thousands of waiting connections do not hold stays in the cache.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
        buffer: &mut Buffer,
    ) -> Poll<io::Result<usize>> {
        if !buffer.has_memory() {
            ready!(self.poll_read_ready(cx))?;
            buffers.lend(buffer);
        }
        let mut room = ReadBuf::new(buffer.room());
        let read = self.poll_read_into(cx, &mut room);
        if read.is_pending() {
            buffers.reclaim(buffer);
            return Poll::Pending;
        }
        ready!(read)?;
        let n = room.filled().len();
        buffer.filled(n);
        Poll::Ready(Ok(n))
    }

    /// Reads into memory of the caller's.
    pub(crate) fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, room),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_read(cx, room),
        }
    }

    /// Takes bytes to be sent. Over TLS some may stay behind until [`Stream::poll_flush`].
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => return Pin::new(&mut **tls).poll_write(cx, bytes),
        };
        // Little always fits, unless much was written before: then the socket is known to be full.
        if bytes.len() <= LITTLE
            && let Ok(n) = socket.try_write(bytes)
        {
            return Poll::Ready(Ok(n));
        }
        Pin::new(socket).poll_write(cx, bytes)
    }

    /// Takes two pieces in one call.
    pub(crate) fn poll_write_two(
        &mut self,
        cx: &mut Context<'_>,
        a: &[u8],
        b: &[u8],
    ) -> Poll<io::Result<usize>> {
        if b.is_empty() {
            return self.poll_write(cx, a);
        }
        if a.is_empty() {
            return self.poll_write(cx, b);
        }
        self.poll_write_vectored(cx, &[IoSlice::new(a), IoSlice::new(b)])
    }

    /// Takes several pieces in one call.
    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, pieces),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write_vectored(cx, pieces),
        }
    }

    /// Sends what was taken.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
        }
    }

    /// Ready when a read may find something.
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => socket.poll_read_ready(cx),
            Self::Tls(tls) => {
                let (socket, is_drained) = match &**tls {
                    TlsStream::Client(s) => (s.get_ref().0, s.get_ref().1.wants_read()),
                    TlsStream::Server(s) => (s.get_ref().0, s.get_ref().1.wants_read()),
                };
                if is_drained { socket.poll_read_ready(cx) } else { Poll::Ready(Ok(())) }
            }
        }
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(cx),
        }
    }

    /// True when an idle connection has neither been closed nor sent anything: it can carry a request.
    /// Costs no system call unless the socket was reported readable.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut byte = [0u8; 1];
        let is_empty =
            |read: io::Result<usize>| matches!(read, Err(e) if e.kind() == io::ErrorKind::WouldBlock);
        match self {
            Self::Plain(socket) => is_empty(socket.try_read(&mut byte)),
            // Session tickets come at any time and are no answer to anything.
            Self::Tls(tls) => {
                let mut cx = Context::from_waker(Waker::noop());
                Pin::new(&mut **tls).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
            }
        }
    }

    /// The peer is told now what has come.
    pub(crate) fn acknowledge_at_once(&self) {
        self.socket().acknowledge_at_once();
    }

    /// Makes the close visible as a reset, so that a cut answer is not taken for a complete one.
    pub(crate) fn reset_on_close(&self) {
        self.socket().reset_on_close();
    }
}
