//! Values on one line.

use crate::node::{Kind, Node, Scalar, Style, Value};

/// Where a scalar stands: what may be written without quotes depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On its own behind `key: ` or `- `.
    Block,
    /// Inside brackets.
    Flow,
}

/// The value on one line.
pub(super) fn value(node: &Node, place: Place) -> String {
    match &node.value {
        Value::Scalar(scalar) => self::scalar(scalar, place),
        Value::List(items) if items.is_empty() => "[]".into(),
        Value::Map(entries) if entries.is_empty() => "{}".into(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(item).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(_) => format!("{{ {} }}", entries(node)),
    }
}

/// A map of one entry needs no braces in a list: `[api-key, jwt: …]`.
fn item(node: &Node) -> String {
    match &node.value {
        Value::Map(entries) if entries.len() == 1 => self::entries(node),
        _ => value(node, Place::Flow),
    }
}

fn entries(node: &Node) -> String {
    let entries = node.as_map().unwrap_or_default();
    let entries: Vec<String> = entries
        .iter()
        .map(|(name, value)| format!("{}: {}", key(&name.name, Place::Flow), self::value(value, Place::Flow)))
        .collect();
    entries.join(", ")
}

/// A name, in quotes if it needs them.
pub(super) fn key(name: &str, place: Place) -> String {
    let first = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '$' | '+' | '(');
    let plain = name.starts_with(first) && is_plain(name, place) && name.len() < 512;
    if plain { name.into() } else { quoted(name) }
}

/// Whether the text means itself without quotes, its first character aside.
fn is_plain(text: &str, place: Place) -> bool {
    let flow = |c: char| matches!(c, ',' | '[' | ']' | '{' | '}');
    !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && !text.starts_with(' ')
        && !text.contains(|c: char| c.is_control() || c == '\u{feff}')
        && (place == Place::Block || !text.contains(flow) && !text.contains(":\""))
}

pub(super) fn scalar(scalar: &Scalar, place: Place) -> String {
    let Scalar { kind, style, text } = scalar;
    match style {
        Style::Plain if *kind == Kind::Null && text.is_empty() => "null".into(),
        Style::Plain if is_plain(text, place) => text.to_string(),
        Style::Single if !text.contains(char::is_control) => format!("'{}'", text.replace('\'', "''")),
        _ => quoted(text),
    }
}

/// The text in double quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\u{feff}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(c)))
            }
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
