//! Values with their places.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{BorrowedStrDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};

use super::PLACED;
use crate::decode::error::Error;
use crate::decode::value::Decoder;
use crate::node::Key;
use crate::path::Path;
use crate::span::{Span, Spanned};

/// A value with its place in the file and in the document.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    /// Where in the file.
    pub span: Span,
    /// Where in the document.
    pub path: Path,
    /// What.
    pub value: T,
}

struct PlacedVisitor<T, const WITH_PATH: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const WITH_PATH: usize> Visitor<'de> for PlacedVisitor<T, WITH_PATH> {
    type Value = Placed<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Placed<T>, A::Error> {
        let lost = || A::Error::custom("the place of a value is lost");
        let span = parts.next_element()?.ok_or_else(lost)?;
        // Paths cost an allocation: who does not want one skips it.
        let path = match WITH_PATH {
            0 => parts.next_element::<IgnoredAny>()?.map(|_| Path::root()),
            _ => parts.next_element()?,
        };
        Ok(Placed { span, path: path.ok_or_else(lost)?, value: parts.next_element()?.ok_or_else(lost)? })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple_struct(PLACED, 3, PlacedVisitor::<T, 1>(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let placed = deserializer.deserialize_tuple_struct(PLACED, 3, PlacedVisitor::<T, 0>(PhantomData))?;
        Ok(Spanned { span: placed.span, value: placed.value })
    }
}

/// Span, path, value.
pub(super) struct PlacedParts<'n, 's, 'p> {
    pub(super) decoder: Decoder<'n, 's, 'p>,
    pub(super) next: usize,
}

impl<'n> SeqAccess<'n> for PlacedParts<'n, '_, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.next += 1;
        match self.next {
            1 => seed.deserialize(numbers(self.decoder.node.span)).map(Some),
            2 => seed.deserialize(PathDecoder { decoder: self.decoder }).map(Some),
            3 => seed.deserialize(self.decoder).map(Some),
            _ => Ok(None),
        }
    }
}

/// Makes the path only if it is wanted.
struct PathDecoder<'n, 's, 'p> {
    decoder: Decoder<'n, 's, 'p>,
}

impl<'n> Deserializer<'n> for PathDecoder<'n, '_, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        let path = self.decoder.session.path();
        StrDeserializer::new(path.as_str()).deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'n>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        seq tuple tuple_struct map struct enum identifier
    }
}

/// Span, (no) path, name.
pub(in crate::decode) struct SpannedKey<'n> {
    key: &'n Key,
    pub(super) next: usize,
}

impl<'n> SpannedKey<'n> {
    pub(in crate::decode) fn new(key: &'n Key) -> Self {
        Self { key, next: 0 }
    }
}

impl<'n> SeqAccess<'n> for SpannedKey<'n> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.next += 1;
        match self.next {
            1 => seed.deserialize(numbers(self.key.span)).map(Some),
            2 => seed.deserialize(StrDeserializer::new("")).map(Some),
            3 => seed.deserialize(BorrowedStrDeserializer::new(&self.key.name)).map(Some),
            _ => Ok(None),
        }
    }
}

pub(super) fn numbers(span: Span) -> SeqDeserializer<std::array::IntoIter<u32, 5>, Error> {
    SeqDeserializer::new([span.file.0, span.line, span.column, span.end_line, span.end_column].into_iter())
}
