//! Of two by chance, the one that will answer first: its latency, in which peaks count at once and fade slowly, times the
//! requests under way there (Finagle's `p2cPeakEwma`).

use std::sync::Arc;

use super::Ask;
use super::random::Random;
use super::rivals::other_wins;
use crate::endpoint::Endpoint;

/// Low expected latency wins.
#[derive(Debug)]
pub(super) struct PeakEwma(Random);

impl PeakEwma {
    pub(super) fn new(weights: &[u16]) -> Self {
        Self(Random::new(weights))
    }

    pub(super) fn draw(&self, ask: &Ask<'_>, members: &[Arc<Endpoint>]) -> Option<usize> {
        let a = self.0.draw(ask)?;
        let b = self.0.draw_but(ask, a)?;
        let cost = |e: &Endpoint| e.state.latency.cost(e.state.load(), ask.now);
        Some(if other_wins(ask, members, (a, b), cost) { b } else { a })
    }
}
