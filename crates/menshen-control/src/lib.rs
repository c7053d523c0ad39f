//! Slow, careful work off the request path: reading and compiling the configuration, publishing snapshots,
//! watching files, the admin listener, metrics and the writing of logs.
//!
//! ```text
//! files ─► load ─► compile ─► publish ─► workers
//!            ▲                   │
//!          watch              metrics ─► admin
//! ```

pub mod access_log;
pub mod acme;
pub mod admin;
mod causes;
pub mod compile;
pub mod discovery;
pub mod expiry;
pub mod explain;
pub mod files;
pub mod fixed;
pub mod generated;
pub mod ground;
pub mod health;
pub mod load;
pub mod metrics;
mod outward;
pub mod publish;
pub mod resolve;
pub mod rollout;
pub mod services;
pub mod store;
pub mod tickets;
pub mod watch;

pub use compile::{Compiled, Purpose, compile};
pub use ground::Ground;
pub use load::Origin;
pub use publish::Publisher;
