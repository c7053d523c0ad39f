//! The HTTP/2 codec (RFC 9113, RFC 7541): bytes in, frames and fields out.
//!
//! No I/O and no clock: callers own the sockets.

pub mod hpack;
