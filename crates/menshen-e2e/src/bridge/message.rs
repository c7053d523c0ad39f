//! The HTTP/1.1 side: heads and content as they come, without judging them.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much content follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    None,
    Length(u64),
    Chunked,
    ToTheEnd,
}

/// A head: its first line and its fields.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) line: String,
    pub(super) fields: HeaderMap,
}

/// What comes over a connection.
#[derive(Debug)]
pub(super) struct Reader<R> {
    from: R,
    bytes: BytesMut,
    pub(super) trailers: Option<HeaderMap>,
}

fn broken() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, bytes: BytesMut::new(), trailers: None }
    }

    /// Reads more; an error at the end.
    async fn more(&mut self) -> io::Result<()> {
        self.bytes.reserve(16 * 1024);
        match self.from.read_buf(&mut self.bytes).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Returns when the other side has closed.
    pub(super) async fn closed(&mut self) {
        while self.more().await.is_ok() {}
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.bytes.windows(2).position(|w| w == b"\r\n") {
                let line = self.bytes.split_to(end);
                self.bytes.advance(2);
                return String::from_utf8(line.to_vec()).map_err(|_| broken());
            }
            self.more().await?;
        }
    }

    async fn fields(&mut self) -> io::Result<HeaderMap> {
        let mut fields = HeaderMap::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line.split_once(':').ok_or_else(broken)?;
            let name = HeaderName::try_from(name).map_err(|_| broken())?;
            fields.append(name, HeaderValue::try_from(value.trim()).map_err(|_| broken())?);
        }
    }

    pub(super) async fn head(&mut self) -> io::Result<Head> {
        Ok(Head { line: self.line().await?, fields: self.fields().await? })
    }

    /// The next piece of content; nothing at its end.
    pub(super) async fn piece(&mut self, content: &mut Content) -> io::Result<Option<Bytes>> {
        match content {
            Content::None | Content::Length(0) => Ok(None),
            Content::Length(left) => {
                if self.bytes.is_empty() {
                    self.more().await?;
                }
                let n = self.bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= n as u64;
                Ok(Some(self.bytes.split_to(n).freeze()))
            }
            Content::ToTheEnd => {
                if self.bytes.is_empty() && self.more().await.is_err() {
                    return Ok(None);
                }
                Ok(Some(self.bytes.split().freeze()))
            }
            Content::Chunked => {
                let size = self.line().await?;
                let size = size.split(';').next().unwrap_or_default().trim();
                let size = usize::from_str_radix(size, 16).map_err(|_| broken())?;
                if size == 0 {
                    self.trailers = Some(self.fields().await?).filter(|t| !t.is_empty());
                    *content = Content::None;
                    return Ok(None);
                }
                while self.bytes.len() < size + 2 {
                    self.more().await?;
                }
                let piece = self.bytes.split_to(size).freeze();
                self.bytes.advance(2);
                Ok(Some(piece))
            }
        }
    }
}

/// How much content follows these fields, if they say so.
pub(super) fn content(fields: &HeaderMap) -> Option<Content> {
    if fields.contains_key(http::header::TRANSFER_ENCODING) {
        return Some(Content::Chunked);
    }
    let length = fields.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    Some(Content::Length(length))
}

/// Takes away what HTTP/2 has other means for (RFC 9113 §8.2.2).
pub(super) fn without_connection(mut fields: HeaderMap) -> HeaderMap {
    for name in ["connection", "transfer-encoding", "keep-alive", "host", "upgrade"] {
        fields.remove(name);
    }
    fields
}

/// Field lines. Pieces of Cookie are put together again (RFC 9113 §8.2.3).
pub(super) fn write_fields(out: &mut Vec<u8>, fields: &HeaderMap) {
    let cookies: Vec<&[u8]> = fields.get_all("cookie").iter().map(HeaderValue::as_bytes).collect();
    for (name, value) in fields.iter().filter(|(name, _)| *name != "cookie") {
        write_field(out, name.as_str(), value.as_bytes());
    }
    if !cookies.is_empty() {
        write_field(out, "cookie", &cookies.join(&b"; "[..]));
    }
}

pub(super) fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A chunk.
pub(super) fn chunk(piece: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
}

/// What stands behind the last chunk.
pub(super) fn last_chunk(trailers: Option<&HeaderMap>) -> Vec<u8> {
    let mut out = b"0\r\n".to_vec();
    if let Some(trailers) = trailers {
        write_fields(&mut out, trailers);
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Sends content as far as the window is open; false when nobody takes it any more.
pub(super) async fn send(stream: &mut h2::SendStream<Bytes>, mut piece: Bytes) -> bool {
    while !piece.is_empty() {
        stream.reserve_capacity(piece.len());
        while stream.capacity() == 0 {
            match std::future::poll_fn(|cx| stream.poll_capacity(cx)).await {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return false,
            }
        }
        let part = piece.split_to(piece.len().min(stream.capacity()));
        if stream.send_data(part, false).is_err() {
            return false;
        }
    }
    true
}

/// Ends content, with trailers if there are some.
pub(super) fn end(stream: &mut h2::SendStream<Bytes>, trailers: Option<HeaderMap>) {
    let _ = match trailers {
        Some(trailers) => stream.send_trailers(trailers),
        None => stream.send_data(Bytes::new(), true),
    };
}
