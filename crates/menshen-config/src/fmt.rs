//! `menshen fmt`: the canonical form of a text.
//!
//! Sections come in their canonical order, everything is indented by two spaces, and what was written in brackets stays
//! on one line if it fits. Comments stay with what they stand at, single blank lines stay too. The result is read
//! again before it is returned: should it say anything else than the original, the original is not touched.

mod comments;
mod expand;
mod inline;
mod lines;
mod print;

use crate::node::{Node, Value};
use crate::path::Path;
use crate::problem::Problems;
use crate::source::Source;
use crate::span::FileId;
use crate::yaml;

/// Lines are broken so that they have at most so many columns, where that is possible.
pub const WIDTH: usize = 100;

/// The order of the sections; others come behind.
const SECTIONS: [&str; 8] =
    ["gateway", "registries", "listeners", "services", "schemes", "consumers", "plans", "routes"];

/// How much is spelled out.
#[derive(Clone, Copy)]
pub enum Style<'a> {
    /// Short forms stay short.
    Short,
    /// Every short form is written as the long form it stands for. The function knows the field that a filter's scalar
    /// stands for.
    Long(&'a dyn Fn(&str) -> Option<&'static str>),
}

/// The canonical form of a text. Idempotent; nothing that was written is lost.
///
/// # Errors
/// All that is wrong with the YAML of the text; what it means is not looked at.
pub fn format(source: &Source, style: Style<'_>) -> Result<String, Problems> {
    let file = FileId(0);
    let mut problems = Problems::new();
    problems.name_file(file, source.name.as_str(), Some(source.text.as_str().into()));
    let tree = yaml::parse(file, &source.text, &mut problems);
    let Some(mut tree) = tree.filter(|_| !problems.has_errors()) else { return Err(problems) };
    if tree.as_map().is_none() {
        problems.error(tree.span, Path::root(), format!("expected a map, found {}", tree.described()));
        return Err(problems);
    }
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
    let comments = comments::all(text, &tree);
    if let Style::Long(short) = style {
        expand::document(&mut tree, short);
    }
    let formatted = print::document(text, &tree, comments.clone());
    match is_faithful(&formatted, tree, &comments) {
        true => Ok(formatted),
        false => {
            problems
                .error(
                    crate::Span::whole(file),
                    Path::root(),
                    "this text cannot be formatted without changing it",
                )
                .hint("please report it; the text was left as it is");
            Err(problems)
        }
    }
}

/// Whether the formatted text says what the tree says, with the same comments.
fn is_faithful(formatted: &str, mut tree: Node, comments: &[comments::Comment]) -> bool {
    let Some(again) = yaml::parse(FileId(0), formatted, &mut Problems::new()) else { return false };
    let texts = |comments: &[comments::Comment]| {
        let mut texts: Vec<String> = comments.iter().map(|comment| comment.text.clone()).collect();
        texts.sort();
        texts
    };
    if let Value::Map(sections) = &mut tree.value {
        sections.sort_by_key(|(key, _)| rank(&key.name));
    }
    again == tree && texts(comments) == texts(&comments::all(formatted, &again))
}

fn rank(section: &str) -> usize {
    SECTIONS.iter().position(|name| *name == section).unwrap_or(SECTIONS.len())
}

#[cfg(test)]
mod tests;
