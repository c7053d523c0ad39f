//! A request that is under way at one endpoint, where there may be only so many.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::endpoint::{Endpoint, EndpointState};

/// A request under way at an endpoint; it is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<EndpointState>);

impl Seat {
    /// Takes one of so many.
    pub(crate) fn take(endpoint: &Endpoint, most: u32) -> Option<Self> {
        let one_more = |n| (n < most).then_some(n + 1);
        let taken = endpoint.state.seats.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.ok().map(|_| Self(endpoint.state.clone()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.seats.fetch_sub(1, Ordering::Relaxed);
    }
}
