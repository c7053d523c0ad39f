//! The entries of a map that is being read.

use rustc_hash::FxHashMap;

use super::Receiver;
use crate::node::{Key, Node};
use crate::span::Span;

/// Maps with more entries than this look names up by hash.
const SMALL: usize = 16;

/// The entries of a map that is not closed yet.
pub(super) enum Entries {
    /// They stay in the tree.
    Kept { list: Vec<(Key, Node)>, index: FxHashMap<Box<str>, usize> },
    /// Each is handed over as soon as it is complete.
    HandedOver { end: Option<Span> },
}

impl Entries {
    /// Entries that stay in the tree.
    pub(super) fn kept() -> Self {
        Self::Kept { list: Vec::new(), index: FxHashMap::default() }
    }

    /// Entries that are handed over.
    pub(super) fn handed_over() -> Self {
        Self::HandedOver { end: None }
    }

    /// The line in which `name` was given already; `receiver` knows it if entries are handed over.
    pub(super) fn line_of(&mut self, name: &str, receiver: &mut dyn Receiver) -> Option<u32> {
        match self {
            Self::HandedOver { .. } => receiver.line_of(name),
            Self::Kept { list, .. } if list.len() < SMALL => {
                list.iter().find(|(key, _)| &*key.name == name).map(|(key, _)| key.span.line)
            }
            Self::Kept { list, index } => {
                for (position, (key, _)) in list.iter().enumerate().skip(index.len()) {
                    index.insert(key.name.clone(), position);
                }
                index.get(name).and_then(|&position| list.get(position)).map(|(key, _)| key.span.line)
            }
        }
    }

    /// Adds an entry whose name was not given before; `receiver` gets it if entries are handed over.
    pub(super) fn add(&mut self, key: Key, value: Node, receiver: &mut dyn Receiver) {
        match self {
            Self::Kept { list, .. } => list.push((key, value)),
            Self::HandedOver { end } => {
                receiver.take(&key, &value);
                *end = Some(key.span.max_end(value.span));
            }
        }
    }

    /// What stays in the tree, and the span of the last entry.
    pub(super) fn close(self) -> (Vec<(Key, Node)>, Option<Span>) {
        match self {
            Self::HandedOver { end } => (Vec::new(), end),
            Self::Kept { list, .. } => {
                let end = list.last().map(|(key, value)| key.span.max_end(value.span));
                (list, end)
            }
        }
    }
}

impl Span {
    /// Of two spans in order, the one that ends later: the value, unless it is empty.
    fn max_end(self, value: Span) -> Span {
        if (value.end_line, value.end_column) > (self.end_line, self.end_column) { value } else { self }
    }
}
