//! A connection: exact bytes out, messages in, read by a parser that forgives nothing and shares no code with
//! the gateway's.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::secured::{Agreed, Secured};
use crate::{Fields, Keeper, PATIENCE};

/// Why no message came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The peer closed where a message could have started.
    Closed,
    /// The peer closed within a message; what had come of its content.
    Truncated(Vec<u8>),
    /// The connection was reset.
    Reset,
    /// The connection ended without the farewell of TLS; what had come before.
    Cut(Vec<u8>),
    /// TLS broke, or the peer said why it goes.
    Tls(String),
    /// Nothing came in time.
    Silent,
    /// What came is not HTTP/1.1 as the gateway should write it.
    Malformed(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A connection to a Unix socket. Reading, writing and shutting down are the same for all streams, so that it can pass for
/// one of TCP here.
///
/// # Panics
/// When nobody listens there.
pub(crate) fn unix(path: &Path) -> TcpStream {
    TcpStream::from(OwnedFd::from(UnixStream::connect(path).expect("somebody listens")))
}

/// What is under a connection.
#[derive(Debug)]
enum Socket {
    Plain(TcpStream),
    Tls(Box<Secured>),
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(secured) => &secured.tcp,
        }
    }
}

impl Read for Socket {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(bytes),
            Self::Tls(secured) => secured.read(bytes),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(secured) => secured.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Tls(secured) => secured.flush(),
        }
    }
}

/// One end of a connection.
#[derive(Debug)]
pub struct Wire {
    stream: Socket,
    pending: Vec<u8>,
    record: Option<Arc<Mutex<Vec<u8>>>>,
}

impl Wire {
    /// On this stream, recording what comes.
    pub fn new(stream: TcpStream, record: Option<Arc<Mutex<Vec<u8>>>>) -> Self {
        Self::on(Socket::Plain(stream), record)
    }

    /// On TLS.
    pub(crate) fn over_tls(secured: Secured) -> Self {
        Self::on(Socket::Tls(Box::new(secured)), None)
    }

    /// Does the handshake of a server on a connection that was plain.
    pub(crate) fn secure(&mut self, keeper: &Keeper) -> Result<(), String> {
        let connection = rustls::ServerConnection::new(keeper.0.clone()).map_err(|e| e.to_string())?;
        let tcp = self.stream.tcp().try_clone().map_err(|e| e.to_string())?;
        let secured = Secured::new(connection, tcp).map_err(|e| e.to_string())?;
        self.stream = Socket::Tls(Box::new(secured));
        Ok(())
    }

    fn on(stream: Socket, record: Option<Arc<Mutex<Vec<u8>>>>) -> Self {
        let _ = stream.tcp().set_nodelay(true);
        let _ = stream.tcp().set_read_timeout(Some(PATIENCE));
        let _ = stream.tcp().set_write_timeout(Some(PATIENCE));
        Self { stream, pending: Vec::new(), record }
    }

    /// What was agreed on in the handshake, if this is TLS.
    pub fn agreed(&self) -> Option<Agreed> {
        match &self.stream {
            Socket::Plain(_) => None,
            Socket::Tls(secured) => Some(secured.agreed()),
        }
    }

    /// Writes all bytes; false when the peer does not take them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// The sending side, for another thread; not of TLS, whose sides belong together.
    ///
    /// # Panics
    /// When there is no descriptor left.
    pub fn clone_sender(&self) -> Self {
        assert!(matches!(self.stream, Socket::Plain(_)), "TLS cannot be shared by threads");
        Self::new(self.stream.tcp().try_clone().expect("a descriptor"), None)
    }

    /// Writes some of the bytes and says how many.
    pub fn send_some(&mut self, bytes: &[u8]) -> usize {
        self.stream.write(bytes).unwrap_or(0)
    }

    /// Ends the sending side, over TLS with its farewell.
    pub fn half_close(&mut self) {
        match &mut self.stream {
            Socket::Plain(tcp) => drop(tcp.shutdown(Shutdown::Write)),
            Socket::Tls(secured) => secured.half_close(),
        }
    }

    /// Sends what is TLS but no content: the message that keys change.
    pub fn refresh_keys(&mut self) {
        if let Socket::Tls(secured) = &mut self.stream {
            secured.refresh_keys();
        }
    }

    /// Ends the sending side without a farewell.
    pub fn cut(&mut self) {
        let _ = self.stream.tcp().shutdown(Shutdown::Write);
    }

    /// Makes the close, when this is dropped, a reset for the peer.
    pub fn reset_on_drop(&self) {
        let _ = socket2::SockRef::from(self.stream.tcp()).set_linger(Some(Duration::ZERO));
    }

    /// How long a read waits.
    pub fn set_patience(&mut self, patience: Duration) {
        let _ = self.stream.tcp().set_read_timeout(Some(patience));
    }

    /// Bytes that were read and not used.
    pub fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Reads more; the number of bytes is 0 when the peer has closed.
    ///
    /// # Errors
    /// The connection was reset, or nothing came.
    pub fn read_more(&mut self) -> Result<usize, Broken> {
        let mut piece = [0; 16 * 1024];
        let n = self.stream.read(&mut piece).map_err(|e| match e.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Broken::Silent,
            ErrorKind::UnexpectedEof => Broken::Cut(std::mem::take(&mut self.pending)),
            ErrorKind::InvalidData => Broken::Tls(e.to_string()),
            _ => Broken::Reset,
        })?;
        let bytes = &piece[..n];
        self.pending.extend_from_slice(bytes);
        if let Some(record) = &self.record {
            record.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        }
        Ok(n)
    }

    /// Takes this many bytes.
    ///
    /// # Errors
    /// They did not come.
    pub fn take(&mut self, n: usize) -> Result<Vec<u8>, Broken> {
        while self.pending.len() < n {
            if self.read_more()? == 0 {
                return Err(Broken::Truncated(std::mem::take(&mut self.pending)));
            }
        }
        Ok(self.pending.drain(..n).collect())
    }

    /// Takes everything until the peer closes.
    ///
    /// # Errors
    /// It did not close, or reset the connection.
    pub fn take_all(&mut self) -> Result<Vec<u8>, Broken> {
        while self.read_more()? > 0 {}
        Ok(std::mem::take(&mut self.pending))
    }

    /// Takes a line without its CRLF; nothing else ends a line.
    ///
    /// # Errors
    /// It did not come, or has control bytes in it.
    pub fn line(&mut self) -> Result<String, Broken> {
        loop {
            if let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
                let mut line: Vec<u8> = self.pending.drain(..=end).collect();
                let is_clean =
                    line.ends_with(b"\r\n") && !line[..end - 1].iter().any(|b| *b < 0x20 && *b != b'\t');
                line.truncate(end.saturating_sub(1));
                let line = String::from_utf8_lossy(&line).into_owned();
                return if is_clean { Ok(line) } else { Err(Broken::Malformed(format!("line {line:?}"))) };
            }
            let was_empty = self.pending.is_empty();
            if self.read_more()? == 0 {
                return Err(if was_empty { Broken::Closed } else { Broken::Truncated(Vec::new()) });
            }
        }
    }

    /// Takes field lines up to the empty line: `name: value`, nothing else.
    ///
    /// # Errors
    /// They did not come, or are malformed.
    pub fn fields(&mut self) -> Result<Fields, Broken> {
        let mut fields = Fields::default();
        loop {
            let line = self.line().map_err(within)?;
            if line.is_empty() {
                return Ok(fields);
            }
            let malformed = || Broken::Malformed(format!("field line {line:?}"));
            let (name, value) = line.split_once(':').ok_or_else(malformed)?;
            let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
            if name.is_empty() || !name.bytes().all(is_token) || !value.starts_with(' ') {
                return Err(malformed());
            }
            fields.0.push((name.to_owned(), value[1..].to_owned()));
        }
    }

    /// Takes a chunked body: canonical sizes, no extensions.
    ///
    /// # Errors
    /// It did not come whole, or is malformed.
    pub fn chunks(&mut self) -> Result<(Vec<u8>, Fields), Broken> {
        let mut body = Vec::new();
        loop {
            let Ok(line) = self.line() else { return Err(Broken::Truncated(body)) };
            let size = usize::from_str_radix(&line, 16).ok().filter(|n| format!("{n:x}") == line);
            let Some(size) = size else { return Err(Broken::Malformed(format!("chunk head {line:?}"))) };
            if size == 0 {
                return self.fields().map(|trailers| (body, trailers));
            }
            match self.take(size) {
                Ok(data) => body.extend(data),
                Err(Broken::Truncated(data)) => {
                    body.extend(data);
                    return Err(Broken::Truncated(body));
                }
                Err(other) => return Err(other),
            }
            if self.take(2).map_err(within)? != b"\r\n" {
                return Err(Broken::Malformed("no CRLF behind a chunk".to_owned()));
            }
        }
    }
}

/// The end of a connection within a message.
fn within(broken: Broken) -> Broken {
    match broken {
        Broken::Closed => Broken::Truncated(Vec::new()),
        other => other,
    }
}
