//! HPACK, the compression of fields in HTTP/2 (RFC 7541).
//!
//! Each direction of a connection has one [`Encoder`] and, at the other end, one [`Decoder`]; their tables stay alike
//! because every field block is decoded, whole and in order. Both keep as much memory as they have fields to remember.

mod decoder;
mod dynamic_table;
mod encoder;
mod error;
mod huffman;
mod integer;
mod static_table;
mod words;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use error::Error;
pub use static_table::static_index;

/// Bytes of a dynamic table before any SETTINGS_HEADER_TABLE_SIZE (RFC 9113 §6.5.2).
pub const INITIAL_TABLE_SIZE: u32 = 4096;

/// The most bytes of a dynamic table that can be announced here.
pub const MAX_TABLE_SIZE: u32 = 64 * 1024;

/// A decoded field. Its texts live as long as the call that hands it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name as the peer wrote it: capital letters and other bytes that HTTP/2 forbids are not refused here.
    pub name: &'a [u8],
    /// The value as the peer wrote it, any bytes.
    pub value: &'a [u8],
    /// The peer asks that nobody on the way compresses it with others (never indexed, RFC 7541 §7.1.3).
    pub sensitive: bool,
    /// [`static_index`] of the name if the peer referred to it that way, directly or through its table; otherwise 0,
    /// and the name may be any, also one of the static table.
    pub static_index: u8,
}

/// How a field is written (RFC 7541 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexing {
    /// Into the dynamic table: for values that come again.
    Cached,
    /// Not into the table: for values that are new each time.
    Plain,
    /// Not into any table on the whole way: for secrets (RFC 7541 §7.1.3).
    Never,
}
