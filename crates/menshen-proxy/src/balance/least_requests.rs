//! Of some by chance, the one with the fewest requests under way (Mitzenmacher, "The Power of Two Choices in Randomized
//! Load Balancing", 2001). Weights say who is drawn how often.

use std::sync::Arc;

use super::Ask;
use super::random::Random;
use super::rivals::other_wins;
use crate::endpoint::Endpoint;

/// Few requests under way win.
#[derive(Debug)]
pub(super) struct LeastRequests {
    random: Random,
    choices: u8,
}

impl LeastRequests {
    pub(super) fn new(weights: &[u16], choices: u8) -> Self {
        Self { random: Random::new(weights), choices: choices.max(2) }
    }

    pub(super) fn draw(&self, ask: &Ask<'_>, members: &[Arc<Endpoint>]) -> Option<usize> {
        let mut best = self.random.draw(ask)?;
        for _ in 1..self.choices {
            let other = self.random.draw_but(ask, best)?;
            if other_wins(ask, members, (best, other), |e| e.state.load()) {
                best = other;
            }
        }
        Some(best)
    }
}
