//! HTTP/2 connections (RFC 9113), on the h2 crate: one task for the connection, one for each stream, all on the worker.
//! At this edge messages become those of HTTP/1.1, so that routes and filters see no difference.

mod client;
pub(crate) mod connection;
mod convert;
mod field_block;
mod frames;
mod io;
mod meter;
pub(crate) mod pool;
mod room;
mod rules;
mod sent;
mod streams;
mod tunnel;
pub(crate) mod upstream;

/// What a client that speaks HTTP/2 without TLS sends first (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
