//! What end-to-end tests are written with: a gateway in this process, origins that follow a script, clients that
//! send exact bytes. Everything is blocking and on real sockets; nothing sleeps to wait for something.

mod admin;
mod ask;
mod bridge;
mod browser;
mod certificates;
mod client;
mod confused;
mod dialer;

mod eureka;
mod eventually;
pub mod frames;
mod gate;
mod gateway;
mod keeper;
mod message;
mod origin;
mod pair;
mod pebble;
mod probe;
mod secured;
mod wire;

pub use admin::Admin;
pub use browser::Browser;
pub use certificates::{Authority, Leaf, Validity};
pub use client::Client;
pub use dialer::Dialer;
pub use eureka::EurekaServer;
pub use eventually::{PATIENCE, eventually, settled};
pub use gate::Gate;
pub use gateway::TestGateway;
pub use keeper::Keeper;
pub use message::{Fields, Request, Response};
pub use origin::{Conversation, Origin, reply, reply_with};
pub use pair::{Certificates, Link, Pair};
pub use pebble::{Pebble, PebbleSettings};
pub use probe::Probe;
pub use secured::Agreed;
pub use wire::{Broken, Wire};
