//! The demo behind the gateway.
//!
//! - [`users`]: a service that keeps users in memory and runs as two instances that replicate to each other;
//! - [`articles`]: a service that asks the user service for its authors, through the gateway;
//! - [`supervisor`]: starts the services and the gateway, and takes them all down together.

pub mod articles;
pub mod problem;
pub mod replication;
pub mod serving;
pub mod supervisor;
pub mod users;
