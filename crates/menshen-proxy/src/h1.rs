//! HTTP/1 connections: the client's side and the service's side.

pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod inbound;
pub(crate) mod tunnel;

/// Content is copied behind a head up to this size; more is written from where it is.
pub(crate) const COPIED: usize = 4 * 1024;
/// Encoded content waiting to be written.
pub(crate) const HIGH_WATER: usize = 64 * 1024;
