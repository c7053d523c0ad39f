//! Settings (RFC 9113 §6.5): what we offer, and what the peer allows.

use crate::Code;
use crate::frame::MAX_PAYLOAD;

const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

/// Bytes of one setting.
pub(crate) const SETTING: usize = 6;
/// The largest window (RFC 9113 §6.9.1).
pub(crate) const MAX_WINDOW: i64 = (1 << 31) - 1;
/// The window of a stream and of a connection, before anybody says otherwise (RFC 9113 §6.9.2).
pub(crate) const FIRST_WINDOW: u32 = 65_535;
/// The largest frame that anybody may offer (RFC 9113 §4.2).
const LARGEST_FRAME: u32 = (1 << 24) - 1;

/// What a peer may do.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Streams that it may have open at once.
    pub streams: u32,
    /// Content of one stream that it may send before any of it was used, in bytes.
    pub stream_window: u32,
    /// The same for all streams, in bytes, at least 65,535.
    pub connection_window: u32,
    /// Bytes of a head when it is decoded, 32 more for each field. More is decoded all the same: whoever takes the fields
    /// refuses them.
    pub head: u32,
    /// Bytes of a field block as it comes; more ends the connection.
    pub block: usize,
    /// The most for the table of fields that it refers to again, in bytes (RFC 7541 §4.2).
    pub table: u32,
}

impl Offer {
    /// The settings of a server.
    pub(crate) fn of_server(&self) -> [(u16, u32); 5] {
        [
            (HEADER_TABLE_SIZE, self.table),
            (MAX_CONCURRENT_STREAMS, self.streams),
            (INITIAL_WINDOW_SIZE, self.stream_window),
            (MAX_HEADER_LIST_SIZE, self.head),
            (ENABLE_CONNECT_PROTOCOL, 1),
        ]
    }

    /// The settings of a client.
    pub(crate) fn of_client(&self) -> [(u16, u32); 4] {
        [
            (HEADER_TABLE_SIZE, self.table),
            (ENABLE_PUSH, 0),
            (INITIAL_WINDOW_SIZE, self.stream_window),
            (MAX_HEADER_LIST_SIZE, self.head),
        ]
    }
}

/// A setting of the peer that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    TableSize(u32),
    Streams(u32),
    FirstWindow(u32),
    /// One that asks for nothing.
    Other,
}

impl Setting {
    /// Reads a setting (RFC 9113 §6.5.2, RFC 8441 §3).
    pub(crate) fn read([a, b, value @ ..]: [u8; SETTING]) -> Result<Self, Code> {
        let value = u32::from_be_bytes(value);
        match u16::from_be_bytes([a, b]) {
            HEADER_TABLE_SIZE => Ok(Self::TableSize(value)),
            ENABLE_PUSH | ENABLE_CONNECT_PROTOCOL if value > 1 => Err(Code::PROTOCOL_ERROR),
            MAX_CONCURRENT_STREAMS => Ok(Self::Streams(value)),
            INITIAL_WINDOW_SIZE if i64::from(value) > MAX_WINDOW => Err(Code::FLOW_CONTROL_ERROR),
            INITIAL_WINDOW_SIZE => Ok(Self::FirstWindow(value)),
            // Larger frames may be sent, and never are.
            MAX_FRAME_SIZE if !(MAX_PAYLOAD as u32..=LARGEST_FRAME).contains(&value) => {
                Err(Code::PROTOCOL_ERROR)
            }
            _ => Ok(Self::Other),
        }
    }
}
