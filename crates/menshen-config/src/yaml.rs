//! The only module that knows a YAML parser: text to [`Node`].
//!
//! Only the part of YAML that people read without thinking is accepted: no anchors and aliases (a few lines could
//! unfold to gigabytes), no tags, no merge keys, one document per file, nesting of at most 64 levels, every key of a
//! map once.

mod entries;
mod syntax;
mod tree;

use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use crate::node::{Key, Kind, Node, Scalar, Style, Value};
use crate::path::Path;
use crate::problem::Problems;
use crate::span::{FileId, Span};

/// Nesting deeper than this is refused; configuration needs about ten.
pub const MAX_DEPTH: usize = 64;

/// Takes the entries of sections, the maps right below the top, one by one: a large document need not be in memory as a
/// tree.
pub(crate) trait Receiver {
    /// Whether the entries of the section that starts here are taken; else they stay in the tree.
    fn opens(&mut self, section: &str) -> bool;

    /// The line in which the section that was opened last has an entry of this name.
    fn line_of(&mut self, name: &str) -> Option<u32>;

    /// Takes an entry of the section that was opened last.
    fn take(&mut self, key: &Key, value: &Node);
}

/// Leaves all entries in the tree.
struct Nobody;

impl Receiver for Nobody {
    fn opens(&mut self, _: &str) -> bool {
        false
    }

    fn line_of(&mut self, _: &str) -> Option<u32> {
        None
    }

    fn take(&mut self, _: &Key, _: &Node) {}
}

/// Reads one text. `None` if its syntax is broken; an empty text is an empty map. All that is wrong is in `problems`.
pub fn parse(file: FileId, text: &str, problems: &mut Problems) -> Option<Node> {
    parse_to(&mut Nobody, file, text, problems)
}

/// As [`parse`], but the sections that `receiver` wants are empty maps in the tree. If there is no tree in the end, the
/// entries taken until then are not to be believed.
pub(crate) fn parse_to(
    receiver: &mut dyn Receiver,
    file: FileId,
    text: &str,
    problems: &mut Problems,
) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut tree = tree::Tree::new(file, receiver, problems);
    let mut parser = Parser::new_from_str(text);
    loop {
        match parser.next_event() {
            Some(Ok((event, span))) => {
                if tree.take(event, span).is_break() {
                    break;
                }
            }
            Some(Err(error)) => {
                syntax::note(file, text, &error, tree.problems);
                return None;
            }
            None => break,
        }
    }
    tree.finish()
}

/// What a plain scalar is by the core schema of YAML 1.2.
pub(crate) fn kind_of(text: &str) -> Kind {
    // Nearly all scalars of a document are words, decided by their first byte.
    match text.as_bytes().first() {
        None => return Kind::Null,
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => {}
        Some(b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F') => return word(text),
        Some(_) => return Kind::String,
    }
    number(text).unwrap_or(Kind::String)
}

fn word(text: &str) -> Kind {
    match text {
        "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => Kind::String,
    }
}

fn number(text: &str) -> Option<Kind> {
    if let Some(digits) = text.strip_prefix("0x") {
        return i64::from_str_radix(unsigned(digits)?, 16).ok().map(Kind::Int);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return i64::from_str_radix(unsigned(digits)?, 8).ok().map(Kind::Int);
    }
    let magnitude = text.strip_prefix(['+', '-']).unwrap_or(text);
    match magnitude {
        ".inf" | ".Inf" | ".INF" if text.starts_with('-') => return Some(Kind::Float(f64::NEG_INFINITY)),
        ".inf" | ".Inf" | ".INF" => return Some(Kind::Float(f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" if magnitude == text => return Some(Kind::Float(f64::NAN)),
        _ => {}
    }
    if !magnitude.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    if magnitude.bytes().all(|b| b.is_ascii_digit()) && !magnitude.is_empty() {
        // A number that does not fit stays a number, so that a reader can say "too large".
        return Some(
            text.parse().map_or_else(|_| Kind::Float(text.parse().unwrap_or(f64::INFINITY)), Kind::Int),
        );
    }
    let starts_as_number = magnitude.bytes().find(|b| *b != b'.').is_some_and(|b| b.is_ascii_digit());
    starts_as_number.then(|| text.parse().ok().map(Kind::Float))?
}

/// The digits, unless a sign is hidden among them.
fn unsigned(digits: &str) -> Option<&str> {
    (!digits.starts_with(['+', '-'])).then_some(digits)
}

#[cfg(test)]
mod tests;
