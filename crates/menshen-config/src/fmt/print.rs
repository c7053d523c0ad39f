//! Values on lines of their own, each with the comments that stand at it.

use std::collections::VecDeque;

use super::comments::Comment;
use super::inline::{self, Place};
use super::lines::Lines;
use super::{WIDTH, rank};
use crate::node::{Key, Kind, Node, Scalar, Style, Value};

/// The whole text.
pub(super) fn document(text: &str, tree: &Node, comments: Vec<Comment>) -> String {
    let lines = Lines::of(text);
    let mut printer = Printer { lines: &lines, comments: comments.into(), out: String::new() };
    let entries = tree.as_map().unwrap_or_default();
    let header = printer.header(entries.first().map(|(key, _)| key.span.line));
    let mut sections: Vec<(usize, String)> = Vec::new();
    for (index, (key, value)) in entries.iter().enumerate() {
        let until = entries.get(index + 1).map_or(u32::MAX, |(next, _)| next.span.line);
        printer.leading(key.span.line, 0, First::Yes);
        printer.keyed(key, value, 0, until);
        sections.push((rank(&key.name), std::mem::take(&mut printer.out)));
    }
    // What is left stands below everything.
    printer.leading(u32::MAX, 0, First::Yes);
    let rest = std::mem::take(&mut printer.out);
    sections.sort_by_key(|(rank, _)| *rank);
    let parts = [header].into_iter().chain(sections.into_iter().map(|(_, section)| section)).chain([rest]);
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Whether something is the first of its block: no blank line goes before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Yes,
    No,
}

/// Where a block starts: below its key, or behind the `- ` of an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    OwnLine,
    SameLine,
}

struct Printer<'a> {
    lines: &'a Lines<'a>,
    /// Those that were not printed yet, in the order of the text.
    comments: VecDeque<Comment>,
    out: String,
}

impl Printer<'_> {
    /// Comments at the top that a blank line divides from the first section belong to the whole text.
    fn header(&mut self, first: Option<u32>) -> String {
        let first = first.unwrap_or(u32::MAX);
        let last = self
            .comments
            .iter()
            .take_while(|comment| comment.line < first)
            .filter(|comment| self.is_blank(comment.line + 1))
            .map(|comment| comment.line)
            .last();
        if let Some(last) = last {
            self.leading(last + 1, 0, First::Yes);
        }
        std::mem::take(&mut self.out)
    }

    /// Comments above `line`, and the blank lines between them and before them.
    fn leading(&mut self, line: u32, indent: usize, first: First) {
        let mut first = first;
        while let Some(comment) = self.next_comment(|comment| comment.line < line) {
            self.blank_before(comment.line, first);
            self.line(indent, &comment.text);
            first = First::No;
        }
        if line != u32::MAX {
            self.blank_before(line, first);
        }
    }

    fn blank_before(&mut self, line: u32, first: First) {
        if first == First::No && line > 1 && self.is_blank(line - 1) && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    fn is_blank(&self, line: u32) -> bool {
        self.lines.get(line).is_some_and(|line| line.trim().is_empty())
    }

    fn next_comment(&mut self, wanted: impl FnOnce(&Comment) -> bool) -> Option<Comment> {
        self.comments.pop_front_if(|comment| wanted(comment))
    }

    fn line(&mut self, indent: usize, text: &str) {
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// Ends the current line with the comment that stands behind something in `line`.
    fn end_line(&mut self, line: u32) {
        let kept = self.out.trim_end_matches(' ').len();
        self.out.truncate(kept);
        if let Some(comment) = self.next_comment(|comment| comment.line <= line) {
            self.out.push(' ');
            self.out.push_str(&comment.text);
        }
        self.out.push('\n');
    }

    /// `key: value` on a line that has begun already.
    fn keyed(&mut self, key: &Key, value: &Node, indent: usize, until: u32) {
        self.out.push_str(&inline::key(&key.name, Place::Block));
        self.out.push(':');
        if value.is_null() {
            let written = value.as_scalar().filter(|scalar| !scalar.text.is_empty());
            if let Some(scalar) = written {
                self.out.push(' ');
                self.out.push_str(&scalar.text);
            }
            return self.end_line(key.span.line.max(value.span.end_line));
        }
        if let Some(text) = self.on_one_line(value) {
            self.out.push(' ');
            self.out.push_str(&text);
            return self.end_line(last_line(value));
        }
        match &value.value {
            Value::Scalar(scalar) => self.text(scalar, value, indent),
            _ => {
                self.end_line(key.span.line);
                self.block(value, indent + 2, until, Start::OwnLine);
            }
        }
    }

    fn block(&mut self, node: &Node, indent: usize, until: u32, start: Start) {
        let (lines, column): (Vec<u32>, Option<u32>) = match &node.value {
            Value::Scalar(_) => return,
            Value::Map(entries) => (
                entries.iter().map(|(key, _)| key.span.line).collect(),
                entries.first().map(|(key, _)| key.span.column),
            ),
            Value::List(items) => (
                items.iter().map(|item| item.span.line).collect(),
                items.first().map(|item| item.span.column.saturating_sub(2)),
            ),
        };
        for (index, &line) in lines.iter().enumerate() {
            if index > 0 || start == Start::OwnLine {
                self.leading(line, indent, if index == 0 { First::Yes } else { First::No });
                self.out.extend(std::iter::repeat_n(' ', indent));
            }
            let next = lines.get(index + 1).copied().unwrap_or(until);
            match &node.value {
                Value::Map(entries) => {
                    entries.get(index).map(|(key, value)| self.keyed(key, value, indent, next))
                }
                Value::List(items) => items.get(index).map(|item| self.item(item, indent, next)),
                Value::Scalar(_) => None,
            };
        }
        self.trailing(column, indent, until);
    }

    /// Comments below the last of a block that are indented like it.
    fn trailing(&mut self, column: Option<u32>, indent: usize, until: u32) {
        let column = column.unwrap_or(1).max(2);
        while let Some(comment) =
            self.next_comment(|comment| comment.line < until && comment.alone && comment.column >= column)
        {
            self.blank_before(comment.line, First::No);
            self.line(indent, &comment.text);
        }
    }

    /// `- value` on a line that has begun already.
    fn item(&mut self, item: &Node, indent: usize, until: u32) {
        self.out.push_str("- ");
        if let Some(text) = self.on_one_line(item) {
            self.out.push_str(&text);
            return self.end_line(last_line(item));
        }
        match &item.value {
            Value::Scalar(scalar) => {
                self.out.pop();
                self.text(scalar, item, indent);
            }
            _ => self.block(item, indent + 2, until, Start::SameLine),
        }
    }

    /// The value as it follows on the current line, if it can: a scalar, or what was in brackets, without comments
    /// inside, and still fits.
    fn on_one_line(&self, node: &Node) -> Option<String> {
        match &node.value {
            Value::Scalar(scalar) if is_block_text(scalar) => None,
            Value::Scalar(scalar) => Some(inline::scalar(scalar, Place::Block)),
            Value::List(items) if items.is_empty() => Some("[]".into()),
            Value::Map(entries) if entries.is_empty() => Some("{}".into()),
            _ if !self.is_flow(node) || self.has_comment_inside(node) => None,
            _ => {
                let used = self.out.len() - self.out.rfind('\n').map_or(0, |end| end + 1);
                let text = inline::value(node, Place::Block);
                (used + 1 + text.chars().count() <= WIDTH).then_some(text)
            }
        }
    }

    fn is_flow(&self, node: &Node) -> bool {
        let first = self.lines.from(node.span.line, node.span.column).and_then(|line| line.chars().next());
        match node.value {
            Value::List(_) => first == Some('['),
            Value::Map(_) => first == Some('{'),
            Value::Scalar(_) => false,
        }
    }

    fn has_comment_inside(&self, node: &Node) -> bool {
        self.comments
            .iter()
            .take_while(|comment| comment.line < node.span.end_line)
            .any(|comment| comment.line >= node.span.line)
    }

    /// A text of several lines below `key: |`.
    fn text(&mut self, scalar: &Scalar, node: &Node, indent: usize) {
        let text = &*scalar.text;
        let body = text.trim_end_matches('\n');
        self.out.push_str(match text.len() - body.len() {
            0 => " |-",
            1 => " |",
            _ => " |+",
        });
        self.end_line(node.span.line);
        let extra = (text.len() - body.len()).saturating_sub(1);
        for line in body.split('\n').chain(std::iter::repeat_n("", extra)) {
            if line.is_empty() {
                self.out.push('\n');
            } else {
                self.line(indent + 2, line);
            }
        }
    }
}

/// The line on which a comment behind the value stands.
fn last_line(node: &Node) -> u32 {
    match &node.value {
        // Its span starts below the `|` and goes up to what comes next.
        Value::Scalar(Scalar { style: Style::Literal | Style::Folded, .. }) => node.span.line - 1,
        _ => node.span.end_line,
    }
}

/// Whether the text can stand below a `|`, where nothing is escaped.
fn is_block_text(scalar: &Scalar) -> bool {
    let Scalar { kind, style, text } = scalar;
    let body = text.trim_end_matches('\n');
    *kind == Kind::String
        && matches!(style, Style::Literal | Style::Folded)
        && !body.is_empty()
        && !body.starts_with([' ', '\t', '\n'])
        && !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t')
        && !text.contains(['\u{feff}', '\u{85}', '\u{2028}', '\u{2029}'])
}
