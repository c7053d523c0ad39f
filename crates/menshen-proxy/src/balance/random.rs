//! By chance, by weight.

use super::Ask;
use super::round::Places;

/// Endpoints by chance.
#[derive(Debug)]
pub(super) struct Random(Places);

impl Random {
    pub(super) fn new(weights: &[u16]) -> Self {
        Self(Places::new(weights))
    }

    pub(super) fn draw(&self, ask: &Ask<'_>) -> Option<usize> {
        self.0.at(ask.random())
    }

    /// Another one than this, if there is another.
    pub(super) fn draw_but(&self, ask: &Ask<'_>, not: usize) -> Option<usize> {
        let from = ask.random() % self.0.len().max(1);
        // Most often the first is another; a heavy endpoint may fill a few places in a row.
        (0..8).filter_map(|n| self.0.at(from.wrapping_add(n))).find(|i| *i != not).or(Some(not))
    }
}
