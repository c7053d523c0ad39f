//! What is known of a service by experience. It goes by name and outlives generations.

use std::time::Instant;

use crate::breaker::{Breaker, Circuit};
use crate::concurrency::{Concurrency, ConcurrencyPolicy};
use crate::hedge::Usual;
use crate::window::Window;

/// What is known of a service by experience.
#[derive(Debug)]
pub struct ServiceState {
    pub(crate) window: Window,
    pub(crate) breaker: Breaker,
    pub(crate) concurrency: Concurrency,
    pub(crate) usual: Usual,
}

impl ServiceState {
    /// Of a service that nobody has asked anything yet.
    pub fn new(workers: usize) -> Self {
        let start = Instant::now();
        Self {
            window: Window::new(workers, start),
            breaker: Breaker::new(start),
            concurrency: Concurrency::new(workers, start),
            usual: Usual::new(start),
        }
    }

    /// What its breaker lets happen.
    pub fn circuit(&self) -> Circuit {
        self.breaker.circuit()
    }

    /// How often its breaker has opened.
    pub fn opened(&self) -> u64 {
        self.breaker.opened()
    }

    /// Requests under way that count for its limit.
    pub fn in_flight(&self) -> u32 {
        self.concurrency.in_flight()
    }

    /// Requests that wait for others to end.
    pub fn waiting(&self) -> u32 {
        self.concurrency.waiting()
    }

    /// The limit that moves by itself, once it has moved.
    pub fn adaptive_limit(&self) -> Option<u32> {
        self.concurrency.adaptive_limit()
    }

    /// How many requests may be under way now.
    pub(crate) fn limit(&self, policy: &ConcurrencyPolicy) -> u32 {
        self.concurrency.limit(policy)
    }
}
