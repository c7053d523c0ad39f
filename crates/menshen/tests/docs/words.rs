//! Pieces of text as pages have them.

use serde_json::Value;

pub(crate) fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|")
}

pub(crate) fn quoted(value: &Value) -> String {
    format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// With a small letter at its start, unless it starts with an abbreviation.
pub(crate) fn lower(text: &str) -> String {
    let text = text.replace('\n', " ");
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            format!("{}{}", first.to_lowercase(), letters.as_str())
        }
        _ => text,
    }
}

/// `CallTimeouts` is `call timeouts`.
pub(crate) fn title(name: &str) -> String {
    let mut title = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !title.is_empty() {
            title.push(' ');
        }
        title.extend(letter.to_lowercase());
    }
    title
}

/// With a capital letter at its start and a full stop at its end.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.replace('\n', " ");
    let mut letters = text.chars();
    let first = letters.next().map_or_else(String::new, |c| c.to_uppercase().to_string());
    format!("{first}{}{}", letters.as_str(), if text.ends_with('.') { "" } else { "." })
}
