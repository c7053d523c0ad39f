//! The gateway as a process: threads, and the way from a document to traffic. The command line is a thin layer
//! over [`Gateway`]; tests start the same thing in-process.

mod control;
mod gateway;

pub use gateway::{Gateway, StartError};
pub use menshen_control::Origin;
pub use menshen_control::publish::First;
