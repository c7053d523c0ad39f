//! The HTTP/1 codec (RFC 9110, RFC 9112): bytes in, heads and framing out.
//!
//! No I/O and no clock: callers own the sockets. Strict by default: what two parsers could read
//! differently is refused, and heads and chunk lines are always written anew, never forwarded as received.
//!
//! | job | entry |
//! |---|---|
//! | read a request head | [`RequestHead::parse`] |
//! | read a response head | [`ResponseHead::parse`] |
//! | how long is the body | [`RequestFraming`], [`ResponseFraming`] |
//! | read a chunked body | [`ChunkDecoder`] |
//! | write heads and chunks | [`write`] |

mod authority;
mod chunked;
mod error;
mod field_name;
mod fields;
mod framing;
mod method;
mod name_set;
mod request;
mod response;
mod strict;
pub mod write;

pub use authority::Authority;
pub use chunked::{ChunkDecoder, ChunkError, ChunkStep, may_be_trailer};
pub use error::HeadError;
pub use field_name::FieldName;
pub use fields::{Field, Fields, is_token_byte, valid_name, valid_value};
pub use framing::{RequestFraming, ResponseFraming};
pub use method::Method;
pub use name_set::NameSet;
pub use request::{RequestHead, Underscores};
pub use response::{ResponseHead, standard_reason};

/// The most fields a head may be allowed to have, whatever the configuration says.
pub const MAX_FIELDS: usize = 256;

/// How much of a head is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes from the first byte of the start line to the empty line, both included.
    pub head: usize,
    /// Number of fields, at most [`MAX_FIELDS`].
    pub fields: usize,
    /// Bytes of the request target.
    pub target: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { head: 32 * 1024, fields: 100, target: 8 * 1024 }
    }
}

/// What a parser found at the start of the bytes it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The head is not complete yet; call again with more bytes.
    Partial,
    /// The head took this many bytes.
    Complete(usize),
}

/// The protocol version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2: the message came over it and was turned into one of HTTP/1.1.
    Http2,
}
