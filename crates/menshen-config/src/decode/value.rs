//! serde's `Deserializer` over a node.

use serde::de::{self, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::node::{Key, Kind, Node, Scalar, Value};

use super::collection::{Entries, Items};
use super::error::Error;
use super::protocol;
use super::session::Session;
use super::variant::Choice;

/// Decodes one node.
#[derive(Clone, Copy)]
pub(super) struct Decoder<'n, 's, 'p> {
    pub(super) node: &'n Node,
    pub(super) session: &'s Session<'n, 'p>,
}

impl<'n, 's, 'p> Decoder<'n, 's, 'p> {
    pub(super) fn new(node: &'n Node, session: &'s Session<'n, 'p>) -> Self {
        Self { node, session }
    }

    fn entries<V: Visitor<'n>>(
        self,
        known: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let entries = self.node.as_map().unwrap_or_default();
        let result = visitor.visit_map(Entries::new(entries, known, self.session));
        result.map_err(|error| {
            if error.site.is_some() { error } else { self.explained(error, entries, known.is_some()) }
        })
    }

    /// What an error of a whole map is really about.
    fn explained(self, mut error: Error, entries: &'n [(Key, Node)], is_struct: bool) -> Error {
        let entry = |name: &str| entries.iter().find(|(key, _)| &*key.name == name);
        if let Some((key, node)) = error.unknown.as_deref().and_then(entry) {
            return self.session.located(error, key.span, node);
        }
        // A field that was refused before must not be called missing, and of a map whose every entry was refused
        // nothing new can be said.
        let refused = error.missing.and_then(entry).is_some();
        let emptied = !entries.is_empty() && entries.iter().all(|(_, node)| self.session.is_dropped(node));
        error.known |= refused || (emptied && !is_struct);
        error
    }
}

/// Numbers: what was written must be a number; the visitor checks the range.
macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
            match &self.node.value {
                Value::Scalar(Scalar { kind: Kind::Float(_), text, .. }) if is_whole(text) => {
                    Err(Error::new(format!("{text} is too large"), None))
                }
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

fn is_whole(text: &str) -> bool {
    text.trim_start_matches(['+', '-']).bytes().all(|byte| byte.is_ascii_digit())
}

impl<'n> Deserializer<'n> for Decoder<'n, '_, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::List(items) => visitor.visit_seq(Items::new(items, self.session)),
            Value::Map(_) => self.entries(None, visitor),
            Value::Scalar(scalar) => match scalar.kind {
                Kind::Null => visitor.visit_unit(),
                Kind::Bool(value) => visitor.visit_bool(value),
                Kind::Int(value) => visitor.visit_i64(value),
                Kind::Float(value) => visitor.visit_f64(value),
                Kind::String => visitor.visit_borrowed_str(&scalar.text),
            },
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    /// Where text is wanted, a number or `true` is taken as it was written: `x-version: 1.10`.
    fn deserialize_str<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.as_str() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// Nothing written where a list belongs is an empty list: `remove:` with all its items commented out.
    fn deserialize_seq<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            _ if self.node.is_null() => visitor.visit_seq(Items::new(&[], self.session)),
            Value::Map(_) => Err(Error::expected("a list", "a map")),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'n>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'n>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match protocol::asked(name) {
            Some(question) => question.answer(self, visitor),
            None => self.deserialize_tuple(len, visitor),
        }
    }

    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() { self.entries(None, visitor) } else { self.deserialize_any(visitor) }
    }

    /// A struct says which keys it knows; the others are noted and left out. Nothing written is a map without keys.
    fn deserialize_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Map(_) => self.entries(Some(fields), visitor),
            Value::List(_) => Err(Error::expected("a map", "a list")),
            Value::Scalar(_) if self.node.is_null() => self.entries(Some(fields), visitor),
            Value::Scalar(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Map(entries) => match entries.as_slice() {
                [(key, value)] => visitor.visit_enum(Choice::with_value(key, value, self.session)),
                _ => Err(Error::expected("a map of one entry", &format!("{} entries", entries.len()))),
            },
            Value::Scalar(scalar) if scalar.kind != Kind::Null => {
                visitor.visit_enum(Choice::alone(&scalar.text, self.node, self.session))
            }
            _ => {
                let hint = super::session::listed("known values are", variants);
                Err(Error::expected("a name", &self.node.described()).with_hint(hint))
            }
        }
    }

    /// Nobody wants this value: whoever visits a map and ignores a key must not let a typing error pass.
    fn deserialize_ignored_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.session.last_key() {
            Some(name) => Err(Error::new(format!("unknown key `{name}`"), None)),
            None => visitor.visit_unit(),
        }
    }

    fn deserialize_unit<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! { <V: Visitor<'n>> bool f32 f64 bytes byte_buf unit_struct }
}

impl<'n> de::IntoDeserializer<'n, Error> for Decoder<'n, '_, '_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
