//! HTTP/2 connections (RFC 9113): one task for the connection, one for each stream, all on the worker.
//! At this edge messages become those of HTTP/1.1, so that routes and filters see no difference.

mod block;
mod client;
pub(crate) mod connection;
mod link;
pub(crate) mod pool;
mod request;
mod request_reader;
mod response_reader;
mod side;
mod socket;
#[cfg(test)]
mod testing;
mod tunnel;
pub(crate) mod upstream;
