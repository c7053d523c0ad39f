//! Where the endpoints of services are, as registries, DNS and files say it.
//!
//! ```text
//! source ─► findings ─► keeper ─► discovered ─► compile ─► workers
//! ```
//!
//! A source only asks. What an answer is worth is decided in one place for all of them: the last good set stays whatever
//! fails.

pub mod client;
pub mod consul;
pub mod eureka;
pub mod source;
pub mod trust;

pub use source::{Answer, Finding, Findings, Instance, Source};
