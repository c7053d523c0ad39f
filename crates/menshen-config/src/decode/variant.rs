//! One of several: a bare name, or a map of one entry.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, VariantAccess, Visitor};

use crate::node::{Key, Node};

use super::error::Error;
use super::session::{Session, Step};
use super::value::Decoder;

/// The variant that was written.
pub(super) struct Choice<'n, 's, 'p> {
    name: &'n str,
    node: &'n Node,
    /// The name as a key; a bare name has no value of its own.
    key: Option<&'n Key>,
    session: &'s Session<'n, 'p>,
}

impl<'n, 's, 'p> Choice<'n, 's, 'p> {
    pub(super) fn alone(name: &'n str, node: &'n Node, session: &'s Session<'n, 'p>) -> Self {
        Self { name, node, key: None, session }
    }

    pub(super) fn with_value(key: &'n Key, node: &'n Node, session: &'s Session<'n, 'p>) -> Self {
        Self { name: &key.name, node, key: Some(key), session }
    }

    fn value<T>(&self, read: impl FnOnce(Decoder<'n, 's, 'p>) -> Result<T, Error>) -> Result<T, Error> {
        let Self { name, node, key, session } = *self;
        let Some(key) = key else {
            return Err(Error::new(format!("`{name}` needs a value"), Some(format!("write `{name}: …`"))));
        };
        // The value was refused before; a choice without its value is none.
        if session.is_dropped(node) {
            return Err(Error::known());
        }
        session.enter(Step::Key(key), node.span, node, || read(Decoder::new(node, session)))
    }
}

impl<'n> EnumAccess<'n> for Choice<'n, '_, '_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'n>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let value = seed.deserialize(BorrowedStrDeserializer::new(self.name))?;
        Ok((value, self))
    }
}

impl<'n> VariantAccess<'n> for Choice<'n, '_, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        if self.key.is_none() || self.node.is_null() {
            return Ok(());
        }
        Err(Error::new(
            format!("`{}` takes no value", self.name),
            Some(format!("write just `{}`", self.name)),
        ))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, seed: T) -> Result<T::Value, Error> {
        self.value(|decoder| seed.deserialize(decoder))
    }

    fn tuple_variant<V: Visitor<'n>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.value(|decoder| decoder.deserialize_tuple(len, visitor))
    }

    fn struct_variant<V: Visitor<'n>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.value(|decoder| decoder.deserialize_struct("", fields, visitor))
    }
}
