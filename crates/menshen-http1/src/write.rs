//! Writing heads and chunks. Always from parsed parts, never from received bytes of a head.

use crate::{FieldName, Fields, NameSet, ResponseHead};

/// The end of a chunked body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// `METHOD SP target SP HTTP/1.1 CRLF`.
pub fn request_line(out: &mut Vec<u8>, method: &[u8], target: &[u8]) {
    out.extend_from_slice(method);
    out.push(b' ');
    out.extend_from_slice(target);
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// `HTTP/1.1 SP status SP reason CRLF`.
pub fn status_line(out: &mut Vec<u8>, head: &ResponseHead) {
    let status = head.status.clamp(100, 999);
    let digits = [b'0' + (status / 100) as u8, b'0' + (status / 10 % 10) as u8, b'0' + (status % 10) as u8];
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(&digits);
    out.push(b' ');
    out.extend_from_slice(head.reason());
    out.extend_from_slice(b"\r\n");
}

/// One field line.
pub fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// All fields that do not end at this hop, except the framing and those in `skip`.
pub fn end_to_end_fields(out: &mut Vec<u8>, fields: &Fields, skip: NameSet) {
    const NEVER: NameSet = FieldName::HOP_BY_HOP.and(NameSet::of(&[FieldName::CONTENT_LENGTH]));
    fields.write_lines(out, NEVER.and(skip));
}

/// `Content-Length: n`.
pub fn content_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The line before `length` bytes of chunk data; write CRLF behind the data. A zero length would end the body.
pub fn chunk_head(out: &mut Vec<u8>, length: usize) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - length.leading_zeros()).div_ceil(4).max(1);
    for i in (0..digits).rev() {
        out.push(HEX.get((length >> (4 * i)) & 0xf).copied().unwrap_or(b'0'));
    }
    out.extend_from_slice(b"\r\n");
}

/// One chunk with its data; nothing for no data, which would end the body.
pub fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        chunk_head(out, data.len());
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

/// The end of a chunked body with these trailers.
pub fn last_chunk(out: &mut Vec<u8>, trailers: &Fields) {
    out.extend_from_slice(b"0\r\n");
    for f in trailers.iter() {
        field(out, f.name, f.value);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_sizes_are_plain_hexadecimal() {
        for n in [1usize, 9, 10, 15, 16, 255, 256, 65_535, 65_536, 1 << 40, usize::MAX] {
            let mut out = Vec::new();
            chunk_head(&mut out, n);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{n:x}\r\n"));
        }
    }

    #[test]
    fn hop_by_hop_fields_are_not_written() {
        let mut f = Fields::new();
        for (n, v) in
            [("Connection", "x"), ("TE", "trailers"), ("A", "1"), ("Content-Length", "3"), ("Host", "h")]
        {
            f.append_named(n.as_bytes(), v.as_bytes());
        }
        let mut out = Vec::new();
        end_to_end_fields(&mut out, &f, NameSet::of(&[FieldName::HOST]));
        assert_eq!(out, b"A: 1\r\n");
    }
}
