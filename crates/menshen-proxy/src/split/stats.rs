//! Counters of groups.

use crate::stats::{Counter, PerWorker};

/// What is counted for a group by one worker.
#[derive(Debug, Default)]
pub struct GroupCells {
    /// Requests that are over.
    pub requests: Counter,
    /// Those of them that its service did badly: 5xx, no reply, a reply that broke off, a status of gRPC that means the same.
    pub bad: Counter,
}

/// Counters of a group over all workers; they outlive reloads.
pub type GroupStats = PerWorker<GroupCells>;
