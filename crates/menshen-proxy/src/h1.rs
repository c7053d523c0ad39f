//! HTTP/1 connections: the client's side and the service's side.

pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod inbound;
pub(crate) mod tunnel;
pub(crate) mod upstream;
