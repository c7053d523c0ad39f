//! Reading a whole reply out of a buffer.

use std::str;

/// A whole reply.
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The value of `x-generation`.
    pub generation: Option<String>,
    /// Whether the connection can carry another request.
    pub connection: Fate,
    /// The body, without chunk framing.
    pub body: Vec<u8>,
}

/// What the server says happens to the connection after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays open.
    KeepAlive,
    /// It is closed.
    Close,
}

/// How far the bytes so far go.
pub enum Progress {
    /// Not to the end of the reply.
    Partial,
    /// To its end.
    Complete(Reply),
    /// They are no reply.
    Broken,
}

/// Reads the reply that `buffer` should hold. Called again with more bytes until it is complete.
pub fn read_reply(buffer: &[u8]) -> Progress {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut fields);
    let start = match head.parse(buffer) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) => return Progress::Partial,
        Err(_) => return Progress::Broken,
    };
    let field = |name: &str| {
        let found = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        str::from_utf8(found.value).ok()
    };
    let body = match (field("transfer-encoding"), field("content-length").map(str::parse::<usize>)) {
        (Some("chunked"), _) => dechunked(&buffer[start..]),
        (None, Some(Ok(length))) => match buffer.get(start..start + length) {
            Some(body) => Body::Whole(body.to_vec()),
            None => Body::Partial,
        },
        _ => Body::Broken,
    };
    match body {
        Body::Partial => Progress::Partial,
        Body::Broken => Progress::Broken,
        Body::Whole(body) => Progress::Complete(Reply {
            status: head.code.unwrap_or(0),
            generation: field("x-generation").map(str::to_owned),
            connection: match field("connection") {
                Some(value) if value.eq_ignore_ascii_case("close") => Fate::Close,
                _ => Fate::KeepAlive,
            },
            body,
        }),
    }
}

enum Body {
    Partial,
    Broken,
    Whole(Vec<u8>),
}

fn dechunked(mut bytes: &[u8]) -> Body {
    let mut whole = Vec::new();
    loop {
        match httparse::parse_chunk_size(bytes) {
            Ok(httparse::Status::Partial) => return Body::Partial,
            Err(_) => return Body::Broken,
            // No server of the benchmark sends trailers.
            Ok(httparse::Status::Complete((start, 0))) => match bytes.get(start..start + 2) {
                None => return Body::Partial,
                Some(b"\r\n") => return Body::Whole(whole),
                Some(_) => return Body::Broken,
            },
            Ok(httparse::Status::Complete((start, size))) => {
                let end = start + size as usize;
                let Some(chunk) = bytes.get(start..end) else { return Body::Partial };
                let Some(rest) = bytes.get(end + 2..) else { return Body::Partial };
                whole.extend_from_slice(chunk);
                bytes = rest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(text: &str) -> Reply {
        match read_reply(text.as_bytes()) {
            Progress::Complete(reply) => reply,
            _ => panic!("not complete: {text:?}"),
        }
    }

    #[test]
    fn a_reply_ends_with_its_length() {
        let reply = complete("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-Generation: B\r\n\r\nok");
        assert_eq!((reply.body.as_slice(), reply.generation.as_deref()), (&b"ok"[..], Some("B")));
        assert_eq!(reply.connection, Fate::KeepAlive);
    }

    #[test]
    fn a_reply_ends_with_its_last_chunk() {
        let reply = complete(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        );
        assert_eq!((reply.body.as_slice(), reply.connection), (&b"ok"[..], Fate::Close));
    }

    #[test]
    fn every_prefix_of_a_reply_is_partial() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        for end in 0..text.len() {
            assert!(matches!(read_reply(&text.as_bytes()[..end]), Progress::Partial), "{end}");
        }
    }
}
