//! What end-to-end tests are written with: a gateway in this process, origins that follow a script, clients that
//! send exact bytes. Everything is blocking and on real sockets; nothing sleeps to wait for something.

mod admin;
mod ask;
mod browser;
mod client;
mod eventually;
mod gate;
mod gateway;
mod message;
mod origin;
mod probe;
mod wire;

pub use admin::Admin;
pub use browser::Browser;
pub use client::Client;
pub use eventually::{PATIENCE, eventually};
pub use gate::Gate;
pub use gateway::TestGateway;
pub use message::{Fields, Request, Response};
pub use origin::{Conversation, Origin, reply, reply_with};
pub use probe::Probe;
pub use wire::{Broken, Wire};
