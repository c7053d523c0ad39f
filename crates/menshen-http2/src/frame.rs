//! Frames (RFC 9113 §4.1, §6): their headers, and those that are short enough to be written in one go.

use crate::Code;

/// Bytes of a frame header.
pub const HEADER: usize = 9;
/// The largest payload that is taken and sent: that with which every peer starts (RFC 9113 §6.5.2).
pub const MAX_PAYLOAD: usize = 16_384;

/// Types of frames (RFC 9113 §6).
#[allow(missing_docs)]
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames (RFC 9113 §6).
#[allow(missing_docs)]
pub mod flag {
    pub const END_STREAM: u8 = 0x1;
    pub const ACK: u8 = 0x1;
    pub const END_HEADERS: u8 = 0x4;
    pub const PADDED: u8 = 0x8;
    pub const PRIORITY: u8 = 0x20;
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameHead {
    /// Bytes of the payload.
    pub length: usize,
    /// Its type, see [`kind`].
    pub kind: u8,
    /// Its flags, see [`flag`].
    pub flags: u8,
    /// The stream, 0 for the connection.
    pub stream: u32,
}

impl FrameHead {
    /// Reads a header from the start of `bytes`; `None` when it is not there as a whole.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<HEADER>()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        // The first bit is reserved and means nothing.
        Some(Self { length, kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff })
    }

    /// The header as it is sent.
    pub fn bytes(self) -> [u8; HEADER] {
        let [_, a, b, c] = u32::try_from(self.length).unwrap_or(u32::MAX).to_be_bytes();
        let [s, t, u, v] = self.stream.to_be_bytes();
        [a, b, c, self.kind, self.flags, s, t, u, v]
    }

    /// Writes the header.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes());
    }

    /// True when a flag is set.
    pub fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

fn short(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    FrameHead { length: payload.len(), kind, flags, stream }.write(out);
    out.extend_from_slice(payload);
}

/// SETTINGS with these values (RFC 9113 §6.5).
pub fn settings(out: &mut Vec<u8>, values: &[(u16, u32)]) {
    FrameHead { length: values.len() * 6, kind: kind::SETTINGS, flags: 0, stream: 0 }.write(out);
    for (name, value) in values {
        out.extend_from_slice(&name.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// The acknowledgement of SETTINGS.
pub fn settings_taken(out: &mut Vec<u8>) {
    short(out, kind::SETTINGS, flag::ACK, 0, &[]);
}

/// PING, with `flag::ACK` or without (RFC 9113 §6.7).
pub fn ping(out: &mut Vec<u8>, flags: u8, data: &[u8]) {
    short(out, kind::PING, flags, 0, data);
}

/// RST_STREAM (RFC 9113 §6.4).
pub fn reset(out: &mut Vec<u8>, stream: u32, code: Code) {
    short(out, kind::RST_STREAM, 0, stream, &code.0.to_be_bytes());
}

/// WINDOW_UPDATE of a stream, or of the connection, 0 (RFC 9113 §6.9).
pub fn window_update(out: &mut Vec<u8>, stream: u32, bytes: u32) {
    short(out, kind::WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes());
}

/// GOAWAY: streams up to `last` are looked at (RFC 9113 §6.8).
pub fn goaway(out: &mut Vec<u8>, last: u32, code: Code) {
    FrameHead { length: 8, kind: kind::GOAWAY, flags: 0, stream: 0 }.write(out);
    out.extend_from_slice(&last.to_be_bytes());
    out.extend_from_slice(&code.0.to_be_bytes());
}
