//! What was written, before it means anything: a YAML tree in which every value knows its place.

mod json;

use crate::span::Span;

/// A value and its place. Equality ignores places and the style of scalars, not their text.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it was written.
    pub span: Span,
    /// What was written.
    pub value: Value,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// A single value.
    Scalar(Scalar),
    /// Items in order.
    List(Vec<Node>),
    /// Entries in the order of the document; no name occurs twice.
    Map(Vec<(Key, Node)>),
}

/// The name of a map entry.
#[derive(Clone, Debug)]
pub struct Key {
    /// Where it was written.
    pub span: Span,
    /// The name.
    pub name: Box<str>,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes; only such a scalar can be something else than text.
    Plain,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// What a scalar is by the YAML 1.2 core schema: `no`, `on` and `yes` are text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    String,
}

/// A single value with the text it was written as (for quoted text: without the quotes, escapes resolved).
#[derive(Clone, Debug)]
pub struct Scalar {
    /// What it is.
    pub kind: Kind,
    /// How it was written.
    pub style: Style,
    /// The text.
    pub text: Box<str>,
}

impl Scalar {
    /// A scalar whose kind follows from text and style.
    pub fn new(text: impl Into<Box<str>>, style: Style) -> Self {
        let text = text.into();
        let kind = match style {
            Style::Plain => crate::yaml::kind_of(&text),
            _ => Kind::String,
        };
        Self { kind, style, text }
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        // `~` and nothing are the same; `1` and `"1"` are not, because a reader may want to know.
        self.kind == other.kind && (self.kind == Kind::Null || self.text == other.text)
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Scalar(a), Value::Scalar(b)) => a == b,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0.name == b.0.name && a.1 == b.1)
            }
            _ => false,
        }
    }
}

impl Node {
    /// A map without entries.
    pub fn empty_map(span: Span) -> Self {
        Self { span, value: Value::Map(Vec::new()) }
    }

    /// Text, as if it had been written in quotes.
    pub fn text(span: Span, text: impl Into<Box<str>>) -> Self {
        Self { span, value: Value::Scalar(Scalar::new(text, Style::Double)) }
    }

    /// A map of one entry.
    pub fn entry(key: Key, value: Node) -> Self {
        Self { span: key.span.to(value.span), value: Value::Map(vec![(key, value)]) }
    }

    /// Whether nothing was written here.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(Scalar { kind: Kind::Null, .. }))
    }

    /// The scalar, if it is one.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a scalar other than null; numbers count as what was written.
    pub fn as_str(&self) -> Option<&str> {
        self.as_scalar().filter(|scalar| scalar.kind != Kind::Null).map(|scalar| &*scalar.text)
    }

    /// The entries, if it is a map.
    pub fn as_map(&self) -> Option<&[(Key, Node)]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value under `name`, if it is a map that has one.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.as_map()?.iter().find(|(key, _)| &*key.name == name).map(|(_, value)| value)
    }

    /// What it is, as people say it: "a list", "the number 5".
    pub fn described(&self) -> String {
        match &self.value {
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
            Value::Scalar(scalar) => match scalar.kind {
                Kind::Null => "nothing".into(),
                Kind::Bool(value) => format!("`{value}`"),
                Kind::Int(_) | Kind::Float(_) => format!("the number {}", scalar.text),
                Kind::String => format!("the text `{}`", shortened(&scalar.text)),
            },
        }
    }
}

/// At most the first forty characters of the first line.
pub(crate) fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(40).collect();
    if short.len() < text.trim_end().len() { format!("{short}…") } else { short }
}
