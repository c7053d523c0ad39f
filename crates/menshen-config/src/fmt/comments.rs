//! Where the comments of a text are: every `#` that is not inside a scalar.

use super::lines::Lines;
use crate::node::{Node, Style, Value};
use crate::span::Span;

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comment {
    pub(super) line: u32,
    pub(super) column: u32,
    /// Whether nothing else stands on its line.
    pub(super) alone: bool,
    /// With its `#`, without blanks at its end.
    pub(super) text: String,
}

/// All comments of a text, in order.
pub(super) fn all(text: &str, tree: &Node) -> Vec<Comment> {
    let lines = Lines::of(text);
    let mut covered = Vec::new();
    scalars(tree, &lines, &mut covered);
    covered.sort();
    let mut next = 0;
    let mut comments = Vec::new();
    for (number, line) in (1_u32..).zip(lines.iter()) {
        // Spans that ended above cannot cover anything any more.
        while covered.get(next).is_some_and(|span: &Span| span.end_line < number) {
            next += 1;
        }
        let here = covered.get(next..).unwrap_or_default();
        let here: Vec<&Span> = here.iter().take_while(|span| span.line <= number).collect();
        comments.extend(in_line(number, line, &here));
    }
    comments
}

fn in_line(number: u32, line: &str, covered: &[&Span]) -> Option<Comment> {
    let mut before = ' ';
    let mut alone = true;
    let mut covered = covered.iter().peekable();
    for (column, (at, c)) in (1_u32..).zip(line.char_indices()) {
        let here = (number, column);
        while covered.next_if(|span| (span.end_line, span.end_column) <= here).is_some() {}
        let inside = covered.peek().is_some_and(|span| (span.line, span.column) <= here);
        if c == '#' && !inside && before.is_whitespace() {
            return Some(Comment { line: number, column, alone, text: line.get(at..)?.trim_end().into() });
        }
        alone &= c.is_whitespace();
        before = c;
    }
    None
}

fn scalars(node: &Node, lines: &Lines<'_>, covered: &mut Vec<Span>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| scalars(item, lines, covered)),
        Value::Map(entries) => {
            for (key, value) in entries {
                covered.push(quoted(key.span, lines));
                scalars(value, lines, covered);
            }
        }
        Value::Scalar(scalar) => match scalar.style {
            Style::Literal | Style::Folded => covered.extend(block_text(node.span, lines)),
            Style::Plain => covered.push(node.span),
            Style::Single | Style::Double => covered.push(quoted(node.span, lines)),
        },
    }
}

/// The span of a quoted text up to its closing quote: the parser's goes on to what comes next, and that may be a
/// comment. Other spans stay as they are.
fn quoted(span: Span, lines: &Lines<'_>) -> Span {
    let mut quote = None;
    for number in span.line..=span.end_line {
        let start = if number == span.line { span.column } else { 1 };
        let mut chars = (start..).zip(lines.from(number, start).unwrap_or_default().chars()).peekable();
        while let Some((column, c)) = chars.next() {
            match quote {
                None if matches!(c, '\'' | '"') => quote = Some(c),
                None => return span,
                // What is escaped is part of the text, and two single quotes are one.
                Some('"') if c == '\\' => _ = chars.next(),
                Some('\'') if c == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                    _ = chars.next()
                }
                Some(open) if c == open => return Span { end_line: number, end_column: column + 1, ..span },
                Some(_) => {}
            }
        }
    }
    span
}

/// The lines of a `|` or `>` text, whose span starts at its first character: up to the first line that is indented
/// less. What stands behind the `|` is no part of it.
fn block_text(span: Span, lines: &Lines<'_>) -> Option<Span> {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let least = (span.column as usize).saturating_sub(1).max(1);
    let below = (span.line..=u32::try_from(lines.count()).ok()?).filter_map(|number| lines.get(number));
    let count = below.take_while(|line| line.trim().is_empty() || indent(line) >= least).count();
    let end_line = span.line + u32::try_from(count).ok()?.checked_sub(1)?;
    Some(Span { column: 1, end_line, end_column: u32::MAX, ..span })
}
