//! A byte stream to a peer.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::buffer::{Buffer, Buffers};

/// So much is written without preparing to wait.
const LITTLE: usize = 8 * 1024;

/// A connected socket. TLS will be a second kind of stream behind the same calls.
#[derive(Debug)]
pub(crate) struct Stream {
    tcp: TcpStream,
}

impl Stream {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        // Heads and first body bytes leave in one write; waiting for more would only delay them.
        let _ = tcp.set_nodelay(true);
        Self { tcp }
    }

    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.tcp.local_addr().ok()
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
            ready!(self.tcp.poll_read_ready(cx))?;
            buffers.lend(buffer);
        }
        let mut room = ReadBuf::new(buffer.room());
        let read = Pin::new(&mut self.tcp).poll_read(cx, &mut room);
        if read.is_pending() {
            buffers.reclaim(buffer);
            return Poll::Pending;
        }
        ready!(read)?;
        let n = room.filled().len();
        buffer.filled(n);
        Poll::Ready(Ok(n))
    }

    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Little always fits, unless much was written before: then the socket is known to be full.
        if bytes.len() <= LITTLE
            && let Ok(n) = self.tcp.try_write(bytes)
        {
            return Poll::Ready(Ok(n));
        }
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    /// Writes two pieces in one call.
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
        Pin::new(&mut self.tcp).poll_write_vectored(cx, &[IoSlice::new(a), IoSlice::new(b)])
    }

    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_read_ready(cx)
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    /// True when an idle connection has neither been closed nor sent anything: it can carry a request.
    /// Costs no system call unless the socket was reported readable.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut byte = [0u8; 1];
        matches!(self.tcp.try_read(&mut byte), Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }

    /// Makes the close visible as a reset, so that a cut answer is not taken for a complete one.
    pub(crate) fn reset_on_close(&self) {
        let _ = socket2::SockRef::from(&self.tcp).set_linger(Some(std::time::Duration::ZERO));
    }
}
