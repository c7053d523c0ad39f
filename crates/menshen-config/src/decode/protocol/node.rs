//! A node as a value, with all places in it.

use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, U8Deserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};

use super::NODE;
use super::place::numbers;
use crate::decode::collection::KeyDecoder;
use crate::decode::error::Error;
use crate::decode::value::Decoder;
use crate::node::{Key, Node, Scalar, Style, Value};
use crate::span::Spanned;

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple_struct(NODE, 3, NodeVisitor)
    }
}

const SCALAR: u8 = 0;
const LIST: u8 = 1;
const MAP: u8 = 2;

const STYLES: [Style; 5] = [Style::Plain, Style::Single, Style::Double, Style::Literal, Style::Folded];

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Node, A::Error> {
        let lost = || A::Error::custom("a part of a value is lost");
        let span = parts.next_element()?.ok_or_else(lost)?;
        let kind: u8 = parts.next_element()?.ok_or_else(lost)?;
        let value = match kind {
            SCALAR => {
                let style = STYLES.get(usize::from(parts.next_element::<u8>()?.ok_or_else(lost)?)).copied();
                let text: Box<str> = parts.next_element()?.ok_or_else(lost)?;
                Value::Scalar(Scalar::new(text, style.ok_or_else(lost)?))
            }
            LIST => {
                let mut items = Vec::new();
                while let Some(item) = parts.next_element()? {
                    items.push(item);
                }
                Value::List(items)
            }
            _ => {
                let mut entries = Vec::new();
                while let Some(Spanned { span, value: name }) = parts.next_element::<Spanned<Box<str>>>()? {
                    entries.push((Key { span, name }, parts.next_element()?.ok_or_else(lost)?));
                }
                Value::Map(entries)
            }
        };
        Ok(Node { span, value })
    }
}

/// Span, kind, and then the style and text, the items, or the names and values.
pub(super) struct NodeParts<'n, 's, 'p> {
    pub(super) decoder: Decoder<'n, 's, 'p>,
    pub(super) next: usize,
}

impl<'n> SeqAccess<'n> for NodeParts<'n, '_, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Decoder { node, session } = self.decoder;
        let at = self.next;
        self.next += 1;
        match (&node.value, at) {
            (_, 0) => seed.deserialize(numbers(node.span)).map(Some),
            (value, 1) => seed.deserialize(U8Deserializer::new(kind_of(value))).map(Some),
            (Value::Scalar(scalar), 2) => {
                let style = STYLES.iter().position(|style| *style == scalar.style).unwrap_or_default();
                seed.deserialize(U8Deserializer::new(style as u8)).map(Some)
            }
            (Value::Scalar(scalar), 3) => {
                seed.deserialize(BorrowedStrDeserializer::new(&scalar.text)).map(Some)
            }
            (Value::Scalar(_), _) => Ok(None),
            (Value::List(items), _) => match items.get(at - 2) {
                Some(item) => seed.deserialize(Decoder::new(item, session)).map(Some),
                None => Ok(None),
            },
            (Value::Map(entries), _) => match entries.get((at - 2) / 2) {
                Some((key, _)) if at.is_multiple_of(2) => seed.deserialize(KeyDecoder(key)).map(Some),
                Some((_, value)) => seed.deserialize(Decoder::new(value, session)).map(Some),
                None => Ok(None),
            },
        }
    }
}

fn kind_of(value: &Value) -> u8 {
    match value {
        Value::Scalar(_) => SCALAR,
        Value::List(_) => LIST,
        Value::Map(_) => MAP,
    }
}
