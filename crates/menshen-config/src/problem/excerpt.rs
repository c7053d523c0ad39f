//! The line a problem is about, with carets under the place.

use crate::span::Span;

/// Lines longer than this are cut: a minified document must not flood the terminal.
const WIDEST: usize = 160;

pub(super) fn of(text: &str, at: Span) -> Option<String> {
    let line = text.lines().nth(at.line.checked_sub(1)? as usize)?;
    let start = at.column.saturating_sub(1) as usize;
    let width = line.chars().count();
    let end = if at.end_line == at.line { at.end_column.saturating_sub(1) as usize } else { width };
    let carets = end.clamp(start + 1, width.max(start + 1)) - start;
    let (line, start, carets) = cut(line, start, carets);
    let number = at.line;
    Some(format!("{number:5} | {line}\n      | {}{}", " ".repeat(start), "^".repeat(carets)))
}

/// The part of an overlong line around the place; tabs become spaces so that the carets stay below it.
fn cut(line: &str, start: usize, carets: usize) -> (String, usize, usize) {
    let first = if start > WIDEST / 2 { start - WIDEST / 4 } else { 0 };
    let shown = line.chars().skip(first).take(WIDEST).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let start = start - first;
    (shown, start, carets.min(WIDEST - start))
}
