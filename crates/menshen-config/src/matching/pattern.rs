//! Path patterns: segments, not regular expressions.

use std::fmt;

use crate::text::{FromText, Refusal, text_type};

/// One part of a path between two slashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Exactly this text. The last segment of a pattern that ends in `/` is an empty literal.
    Literal(Box<str>),
    /// `*` stands for any characters within the segment, also none; `?` for exactly one.
    Glob(Box<str>),
    /// `{name}`: any one segment that is not empty, remembered under the name.
    Param(Box<str>),
    /// `**`: all further segments, also none; `{name:**}` remembers them. Only at the end.
    Rest(Option<Box<str>>),
}

/// A pattern such as `/users/**`, `/users/{id}`, `/files/{path:**}` or `/img-*.png`. Segments are in the canonical form of
/// paths: what needs an escape has one, with capital letters, and what needs none has none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPattern {
    text: Box<str>,
    segments: Box<[Segment]>,
}

impl PathPattern {
    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The parts of the pattern; `/` alone is one empty literal.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The names that the pattern remembers, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::name)
    }
}

impl Segment {
    /// The name under which the segment is remembered.
    pub fn name(&self) -> Option<&str> {
        match self {
            Segment::Param(name) | Segment::Rest(Some(name)) => Some(name),
            _ => None,
        }
    }
}

impl FromText for PathPattern {
    const WHAT: &'static str = "a path pattern such as `/users/**`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let Some(path) = text.strip_prefix('/') else {
            return Err(Refusal::new(format!("the path `{text}` does not start with `/`"))
                .hint(format!("write `/{text}`")));
        };
        let parts: Vec<&str> = path.split('/').collect();
        let mut segments = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            if part.is_empty() && !last {
                return Err(
                    Refusal::new(format!("`//` in the path `{text}`")).hint("no request can match it")
                );
            }
            let segment = segment(part).map_err(|refusal| of_path(refusal, text))?;
            if matches!(segment, Segment::Rest(_)) && !last {
                return Err(Refusal::new(format!("`{part}` is not at the end of `{text}`"))
                    .hint("use `*` for a single segment in the middle"));
            }
            segments.push(segment);
        }
        let pattern = Self { text: text.into(), segments: segments.into() };
        match duplicate(&pattern) {
            Some(name) => {
                Err(Refusal::new(format!("`{{{name}}}` twice in `{text}`")).hint("give each its own name"))
            }
            None => Ok(pattern),
        }
    }
}

fn of_path(refusal: Refusal, text: &str) -> Refusal {
    Refusal { message: format!("{} in the path `{text}`", refusal.message), ..refusal }
}

fn duplicate(pattern: &PathPattern) -> Option<&str> {
    let names: Vec<&str> = pattern.names().collect();
    names
        .iter()
        .enumerate()
        .find(|(index, name)| names.iter().skip(index + 1).any(|other| other == *name))
        .map(|(_, name)| *name)
}

fn segment(part: &str) -> Result<Segment, Refusal> {
    // By far most segments are words.
    if part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Ok(Segment::Literal(part.into()));
    }
    if part == "**" {
        return Ok(Segment::Rest(None));
    }
    if let Some(inner) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        return match inner.strip_suffix(":**") {
            Some(name) => parameter(name).map(|name| Segment::Rest(Some(name))),
            None => parameter(inner).map(Segment::Param),
        };
    }
    if part.contains(['{', '}']) {
        return Err(
            Refusal::new(format!("`{part}`")).hint("a `{name}` must be a whole segment; use `*` inside one")
        );
    }
    if part.contains("**") {
        return Err(
            Refusal::new(format!("`{part}`")).hint("`**` must be a whole segment; use `*` inside one")
        );
    }
    let text = canonical(part)?;
    if matches!(&*text, "." | "..") {
        return Err(
            Refusal::new(format!("the segment `{part}`")).hint("paths are resolved before they are matched")
        );
    }
    Ok(if text.contains(['*', '?']) { Segment::Glob(text.into()) } else { Segment::Literal(text.into()) })
}

fn parameter(name: &str) -> Result<Box<str>, Refusal> {
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    match valid {
        true => Ok(name.into()),
        false => Err(Refusal::new(format!("the name `{{{name}}}`"))
            .hint("a name is letters, digits, `-` and `_`, as in `{id}`, or `{rest:**}` for all the rest")),
    }
}

/// The segment with its escapes in canonical form.
fn canonical(part: &str) -> Result<String, Refusal> {
    let bytes = part.as_bytes();
    let mut text = String::with_capacity(part.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'%' => {
                let escaped = bytes.get(at..at + 2).and_then(hex);
                let Some(escaped) = escaped else {
                    return Err(
                        Refusal::new("a `%` without two hexadecimal digits").hint("write `%25` for a `%`")
                    );
                };
                at += 2;
                match escaped {
                    b'/' | b'\\' | 0..=0x1f | 0x7f => {
                        return Err(Refusal::new("an escaped slash, backslash or control character")
                            .hint("requests with it are refused, so nothing would match"));
                    }
                    _ => push(&mut text, escaped),
                }
            }
            b'#' => {
                return Err(
                    Refusal::new("a `#`").hint("a fragment never reaches a server; write `%23` for a `#`")
                );
            }
            b'\\' => return Err(Refusal::new("a backslash").hint("segments are divided by `/`")),
            0..=0x20 | 0x7f => {
                return Err(Refusal::new("a blank or control character").hint("write `%20` for a blank"));
            }
            b'*' | b'?' => text.push(char::from(byte)),
            _ => push(&mut text, byte),
        }
    }
    Ok(text)
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

/// Appends a byte of a path, escaped if RFC 3986 does not let it stand in a segment; `*` and `?` would mean
/// something else here, so they are escaped too.
fn push(text: &mut String, byte: u8) {
    let plain = byte.is_ascii_alphanumeric() || b"-._~!$&'()+,;=:@".contains(&byte);
    if plain {
        text.push(char::from(byte));
    } else {
        text.push_str(&format!("%{byte:02X}"));
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

text_type!(PathPattern, "PathPattern", {
    "pattern": r"^/\S*$",
    "description": "a path by segments: /users/**, /users/{id}, /files/{path:**}, /img-*.png",
    "examples": ["/users/**", "/users/{id}", "/img-*.png"]
});

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(text: &str) -> Vec<Segment> {
        text.parse::<PathPattern>().unwrap().segments().to_vec()
    }

    fn refusal(text: &str) -> String {
        text.parse::<PathPattern>().unwrap_err().message
    }

    #[test]
    fn each_kind_of_segment_is_known() {
        assert_eq!(
            segments("/a/{id}/img-*.png/**"),
            [
                Segment::Literal("a".into()),
                Segment::Param("id".into()),
                Segment::Glob("img-*.png".into()),
                Segment::Rest(None)
            ]
        );
        assert_eq!(segments("/files/{path:**}")[1], Segment::Rest(Some("path".into())));
        assert_eq!(segments("/v?/*"), [Segment::Glob("v?".into()), Segment::Glob("*".into())]);
        assert_eq!(segments("/"), [Segment::Literal("".into())]);
        assert_eq!(segments("/a/"), [Segment::Literal("a".into()), Segment::Literal("".into())]);
    }

    #[test]
    fn escapes_are_made_canonical() {
        assert_eq!(
            segments("/caf\u{e9}/%41%7e/%c3%a9/%2a"),
            [
                Segment::Literal("caf%C3%A9".into()),
                Segment::Literal("A~".into()),
                Segment::Literal("%C3%A9".into()),
                Segment::Literal("%2A".into())
            ]
        );
    }

    #[test]
    fn patterns_that_nothing_can_match_are_refused() {
        assert_eq!(refusal("users"), "the path `users` does not start with `/`");
        assert_eq!(refusal("/a//b"), "`//` in the path `/a//b`");
        assert_eq!(refusal("/a/../b"), "the segment `..` in the path `/a/../b`");
        assert_eq!(refusal("/a/%2e%2e"), "the segment `%2e%2e` in the path `/a/%2e%2e`");
        assert_eq!(refusal("/a%2"), "a `%` without two hexadecimal digits in the path `/a%2`");
        assert_eq!(
            refusal("/a%2fb"),
            "an escaped slash, backslash or control character in the path `/a%2fb`"
        );
    }

    #[test]
    fn misplaced_wildcards_are_refused() {
        assert_eq!(refusal("/**/a"), "`**` is not at the end of `/**/a`");
        assert_eq!(refusal("/a/b**"), "`b**` in the path `/a/b**`");
        assert_eq!(refusal("/a/x{id}"), "`x{id}` in the path `/a/x{id}`");
        assert_eq!(refusal("/{id}/{id}"), "`{id}` twice in `/{id}/{id}`");
        assert_eq!(refusal("/{}"), "the name `{}` in the path `/{}`");
    }
}
