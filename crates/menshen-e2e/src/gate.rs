//! A gate between a test and the script of its origin.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::PATIENCE;

/// Lets one pass for every time it was opened. Clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    inner: Arc<(Mutex<u64>, Condvar)>,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets one more pass.
    pub fn open(&self) {
        self.open_for(1);
    }

    /// Lets this many more pass.
    pub fn open_for(&self, passes: u64) {
        let (count, changed) = &*self.inner;
        *count.lock().unwrap_or_else(PoisonError::into_inner) += passes;
        changed.notify_all();
    }

    /// Waits until this one may pass.
    ///
    /// # Panics
    /// When it may not within [`PATIENCE`].
    pub fn pass(&self) {
        let (count, changed) = &*self.inner;
        let count = count.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(count, PATIENCE, |passes| *passes == 0);
        let (mut count, result) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!result.timed_out(), "the gate stayed closed");
        *count -= 1;
    }
}
