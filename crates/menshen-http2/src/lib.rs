//! The HTTP/2 codec (RFC 9113, RFC 7541): bytes in, fields, content and frames out. No I/O and no clock of its own: whoever
//! owns the socket brings the bytes and the time.

mod code;
mod connection;
pub mod frame;
pub mod hpack;
mod meter;
mod receive;
mod receiver;
mod send;
mod settings;
mod streams;

pub use code::Code;
pub use connection::{Connection, Role, Stage};
pub use receiver::{Block, Flaw, Lane, Receiver};
pub use send::{End, Room};
pub use settings::Offer;

/// What a client sends first (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
