//! Lists and maps, step by step.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::node::{Key, Node};

use super::error::Error;
use super::protocol;
use super::session::{Session, Step};
use super::value::Decoder;

/// The items of a list, without those that were left out.
pub(super) struct Items<'n, 's, 'p> {
    items: std::iter::Enumerate<std::slice::Iter<'n, Node>>,
    session: &'s Session<'n, 'p>,
}

impl<'n, 's, 'p> Items<'n, 's, 'p> {
    pub(super) fn new(items: &'n [Node], session: &'s Session<'n, 'p>) -> Self {
        Self { items: items.iter().enumerate(), session }
    }
}

impl<'n> SeqAccess<'n> for Items<'n, '_, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let session = self.session;
        match self.items.find(|(_, node)| !session.is_dropped(node)) {
            None => Ok(None),
            Some((index, node)) => session
                .enter(Step::Index(index), node.span, node, || seed.deserialize(Decoder::new(node, session)))
                .map(Some),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// The entries of a map, without those that were left out.
pub(super) struct Entries<'n, 's, 'p> {
    entries: std::slice::Iter<'n, (Key, Node)>,
    current: Option<&'n (Key, Node)>,
    known: Option<&'static [&'static str]>,
    session: &'s Session<'n, 'p>,
}

impl<'n, 's, 'p> Entries<'n, 's, 'p> {
    pub(super) fn new(
        entries: &'n [(Key, Node)],
        known: Option<&'static [&'static str]>,
        session: &'s Session<'n, 'p>,
    ) -> Self {
        Self { entries: entries.iter(), current: None, known, session }
    }

    /// The next entry that is not left out and, for a struct, has a known key.
    fn advance(&mut self) -> Option<&'n (Key, Node)> {
        let session = self.session;
        for entry in self.entries.by_ref() {
            let (key, node) = entry;
            if session.is_dropped(node) {
                continue;
            }
            match self.known {
                Some(known) if !known.contains(&&*key.name) => {
                    session.unknown_key(key.span, &key.name, node, known)
                }
                _ => return Some(entry),
            }
        }
        None
    }
}

impl<'n> MapAccess<'n> for Entries<'n, '_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.current = self.advance();
        match self.current {
            None => Ok(None),
            Some((key, node)) => {
                let session = self.session;
                // What is wrong with a name belongs to the map, and its value goes with it.
                let name = seed.deserialize(KeyDecoder(key));
                name.map(Some).map_err(|error| session.located(error, key.span, node))
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some((key, node)) = self.current.take() else {
            return Err(Error::new("a value was asked for before its key", None));
        };
        let session = self.session;
        session.enter(Step::Key(key), node.span, node, || seed.deserialize(Decoder::new(node, session)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// The name of an entry.
pub(super) struct KeyDecoder<'n>(pub(super) &'n Key);

impl<'n> Deserializer<'n> for KeyDecoder<'n> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(&self.0.name)
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple_struct<V: Visitor<'n>>(
        self,
        name: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match protocol::asked(name) {
            Some(_) => visitor.visit_seq(protocol::SpannedKey::new(self.0)),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(BorrowedStrDeserializer::new(&self.0.name))
    }

    forward_to_deserialize_any! {
        <V: Visitor<'n>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple map struct identifier ignored_any
    }
}
