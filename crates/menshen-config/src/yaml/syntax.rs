//! What the parser says about broken syntax, in words that help.

use super::*;

/// What the parser says, what we say, and what to do about it.
const KNOWN: &[(&str, &str, &str)] = &[
    ("tab", "a tab is used for indentation", "indent with spaces"),
    (
        "mapping values are not allowed",
        "a second `: ` on this line, or a line indented too deep",
        "quote text that contains `: `, or align the key with its neighbours",
    ),
    ("unknown anchor", "`*` starts an alias, and aliases are not allowed", "quote text that starts with `*`"),
    (
        "did not find expected key",
        "this line does not fit the map above it",
        "check the indentation, and that every entry is `key: value`",
    ),
    (
        "did not find expected '-'",
        "this line does not fit the list above it",
        "check the indentation, and that every item starts with `- `",
    ),
    (
        "block sequence entries are not allowed",
        "a list item is not allowed here",
        "start the list on its own line",
    ),
    (
        "expected ',' or ']'",
        "this `[` list is not closed where it should be",
        "separate items with `,` and close with `]`",
    ),
    (
        "expected ',' or '}'",
        "this `{` map is not closed where it should be",
        "separate entries with `,`, close with `}`, and quote text that contains `{`, `}`, `[`, `]` or `,`",
    ),
    ("simple key", "`key: value` expected here", "check the indentation, and that a `:` follows the key"),
    ("quoted scalar, found unexpected end", "a quote is opened and never closed", "close it"),
    (
        "unknown escape",
        "unknown escape in a double-quoted text",
        "use single quotes, or write `\\\\` for a backslash",
    ),
    ("trailing content after double-quoted", "text goes on after the closing quote", "quote the whole text"),
    ("unexpected character", "a text must not start with this character", "quote it"),
    ("found unprintable", "an unprintable character", "remove it or write it as an escape in double quotes"),
    ("invalid indentation", "the indentation does not fit", "align the line with its neighbours"),
    (
        "wrongly indented line in block scalar",
        "a line of this text is indented too little",
        "indent all its lines alike",
    ),
    (
        "comment intercepting",
        "a comment in the middle of a text of several lines",
        "quote the text or move the comment",
    ),
    ("misplaced bracket", "a bracket that was never opened", "remove it, or quote the text"),
    ("must be followed by", "a space is missing after `:` or `-`", "write `key: value` and `- item`"),
    (
        "separated from other tokens by whitespace",
        "a space is missing before `#`",
        "write ` # comment`, or quote the text",
    ),
    ("recursion limit", "nested far too deep", "no configuration needs that"),
    ("end of plain scalar", "the text ends unexpectedly", "quote it"),
];

/// Notes a syntax error.
pub(super) fn note(file: FileId, text: &str, error: &ScanError, problems: &mut Problems) {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let marker = error.marker();
    let (line, column) = (number(marker.line()), number(marker.col() + 1));
    let at = Span { file, line, column, end_line: line, end_column: column + 1 };
    let tabbed = text.lines().nth(marker.line().saturating_sub(1)).filter(|line| indented_by_tab(line));
    let said: Cow<'_, str> = if tabbed.is_some() { "tab".into() } else { error.info().into() };
    match KNOWN.iter().find(|(parser, ..)| said.contains(parser)) {
        Some((_, message, hint)) => problems.error(at, "", *message).hint(*hint),
        None => problems.error(at, "", format!("not valid YAML: {said}")),
    };
}

fn indented_by_tab(line: &str) -> bool {
    let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
    line.get(..indent).is_some_and(|indent| indent.contains('\t'))
}
