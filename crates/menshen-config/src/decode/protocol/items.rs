//! One value where a list is welcome too.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::ITEMS;
use crate::decode::error::Error;
use crate::decode::value::Decoder;
use crate::one_or_many::OneOrMany;

/// One value where a list is welcome too.
pub(super) struct Single<'n, 's, 'p> {
    pub(super) item: Option<Decoder<'n, 's, 'p>>,
}

impl<'n> SeqAccess<'n> for Single<'n, '_, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.item.take().map(|decoder| seed.deserialize(decoder)).transpose()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for All<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one or a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMany<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(OneOrMany(all))
            }
        }

        deserializer.deserialize_tuple_struct(ITEMS, 1, All(PhantomData))
    }
}
