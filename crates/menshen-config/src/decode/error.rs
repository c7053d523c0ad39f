//! serde's errors in people's words.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::de::{Expected, Unexpected};

use crate::node::shortened;
use crate::path::Path;
use crate::span::Span;
use crate::suggest;

use super::session::listed;

/// Where an error happened, and which node must be left out for the decoding to go on.
#[derive(Debug)]
pub(crate) struct Site {
    pub(super) at: Span,
    pub(super) culprit: usize,
    pub(super) path: Path,
}

/// Why a value was refused; one word wide, because every value that is not refused pays for its width.
#[derive(Debug)]
pub(crate) struct Error(Box<Cause>);

#[derive(Debug)]
pub(crate) struct Cause {
    pub(super) message: String,
    pub(super) hint: Option<String>,
    pub(super) site: Option<Site>,
    /// The field that is missing, if that is the reason.
    pub(super) missing: Option<&'static str>,
    /// The key that nobody asked for, if that is the reason.
    pub(super) unknown: Option<String>,
    /// The real reason has been noted before.
    pub(super) known: bool,
}

impl Error {
    pub(super) fn new(message: impl Into<String>, hint: Option<String>) -> Self {
        let message = message.into();
        Self(Box::new(Cause { message, hint, site: None, missing: None, unknown: None, known: false }))
    }

    pub(super) fn expected(what: &str, found: &str) -> Self {
        Self::new(format!("expected {what}, found {found}"), None)
    }

    /// An error of which the real reason has been noted before.
    pub(super) fn known() -> Self {
        let mut error = Self::new("refused before", None);
        error.known = true;
        error
    }

    pub(super) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    pub(super) fn into_cause(self) -> Cause {
        *self.0
    }
}

impl Deref for Error {
    type Target = Cause;

    fn deref(&self) -> &Cause {
        &self.0
    }
}

impl DerefMut for Error {
    fn deref_mut(&mut self) -> &mut Cause {
        &mut self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let text = message.to_string();
        match text.split_once('\n') {
            Some((message, hint)) => Self::new(message, Some(hint.into())),
            None => Self::new(text, None),
        }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let wanted = wanted(&expected.to_string());
        // The range is of interest only to who wrote a number.
        let wanted = if wanted.starts_with("a whole number") { "a whole number".into() } else { wanted };
        let hint = match unexpected {
            Unexpected::Str(text) if wanted == TRUE_OR_FALSE => truth(text),
            _ => None,
        };
        Self::expected(&wanted, &found(unexpected)).with_hint(hint)
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(&wanted(&expected.to_string()), &found(unexpected))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}, found {length} items", wanted(&expected.to_string())), None)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let hint =
            suggest::hint(variant, expected.iter().copied()).or_else(|| listed("known values are", expected));
        Self::new(format!("`{}` is not known here", shortened(variant)), hint)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let hint =
            suggest::hint(field, expected.iter().copied()).or_else(|| listed("known keys are", expected));
        let mut error = Self::new(format!("unknown key `{}`", shortened(field)), hint);
        error.unknown = Some(field.into());
        error
    }

    fn missing_field(field: &'static str) -> Self {
        let mut error = Self::new(format!("missing `{field}`"), None);
        error.missing = Some(field);
        error
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("`{field}` is given twice"), None)
    }
}

const TRUE_OR_FALSE: &str = "`true` or `false`";

fn truth(text: &str) -> Option<String> {
    match text {
        "yes" | "on" | "y" | "Yes" | "On" | "YES" | "ON" => Some("write `true`".into()),
        "no" | "off" | "n" | "No" | "Off" | "NO" | "OFF" => Some("write `false`".into()),
        _ => None,
    }
}

/// serde's and Rust's words for what is expected, as people say them.
fn wanted(serde: &str) -> String {
    let range =
        |low: &dyn fmt::Display, high: &dyn fmt::Display| format!("a whole number from {low} to {high}");
    match serde {
        "u8" => range(&u8::MIN, &u8::MAX),
        "u16" => range(&u16::MIN, &u16::MAX),
        "u32" => range(&u32::MIN, &u32::MAX),
        "i8" => range(&i8::MIN, &i8::MAX),
        "i16" => range(&i16::MIN, &i16::MAX),
        "i32" => range(&i32::MIN, &i32::MAX),
        "u64" | "usize" | "u128" => "a whole number of at least 0".into(),
        "i64" | "isize" | "i128" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => TRUE_OR_FALSE.into(),
        "a string" | "str" | "a borrowed string" | "a character" => "text".into(),
        "a sequence" => "a list".into(),
        "unit" => "nothing".into(),
        "variant identifier" | "field identifier" => "a name".into(),
        _ if serde.starts_with("struct ") || serde.starts_with("internally tagged enum") => "a map".into(),
        _ if serde.starts_with("tuple") || serde.starts_with("an array") => "a list".into(),
        _ if serde.starts_with("enum ") => "a name or a map of one entry".into(),
        _ if serde.starts_with("a nonzero ") => "a whole number of at least 1".into(),
        other => other.into(),
    }
}

fn found(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Char(value) => format!("the text `{value}`"),
        Unexpected::Str(text) => format!("the text `{}`", shortened(text)),
        Unexpected::Unit | Unexpected::Option => "nothing".into(),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a map".into(),
        other => other.to_string(),
    }
}
