//! Frames and field blocks written by hand (RFC 9113 §4, RFC 7541 §6): no library would write these.

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// END_STREAM.
pub const END: u8 = 0x1;
/// END_HEADERS.
pub const WHOLE: u8 = 0x4;

/// What a connection begins with, before its SETTINGS.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The field that was remembered last: index 62.
pub const FIRST: u8 = 0x80 | 62;

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A setting.
pub fn setting(name: u16, value: u32) -> Vec<u8> {
    [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

/// A field that is not remembered.
pub fn field(name: &str, value: &[u8]) -> Vec<u8> {
    literal(0x00, name, value)
}

/// A field that takes the first place of the dynamic table.
pub fn remembered(name: &str, value: &[u8]) -> Vec<u8> {
    literal(0x40, name, value)
}

/// The block of a request.
pub fn request(method: &str, path: &str) -> Vec<u8> {
    [(":method", method), (":scheme", "http"), (":path", path), (":authority", "bench.test")]
        .into_iter()
        .flat_map(|(name, value)| field(name, value.as_bytes()))
        .collect()
}

fn literal(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    for text in [name.as_bytes(), value] {
        number(&mut bytes, text.len());
        bytes.extend_from_slice(text);
    }
    bytes
}

/// A number behind one bit (RFC 7541 §5.1).
fn number(to: &mut Vec<u8>, n: usize) {
    if n < 127 {
        return to.push(n as u8);
    }
    to.push(127);
    let mut rest = n - 127;
    while rest >= 128 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}
