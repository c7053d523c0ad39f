//! Second tries.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::ATTEMPTS;
use crate::decode::error::Error;
use crate::decode::value::Decoder;

/// So many wrong values are noted in one entry before the rest of it is skipped.
pub(super) const MAX_ATTEMPTS: usize = 50;

/// A value that is decoded again and again, each time without what was wrong before; `None` if in the end nothing
/// could be made of it. All that was wrong has been noted.
#[derive(Clone, Debug)]
pub struct Recovered<T>(pub Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Recovered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple_struct(ATTEMPTS, 1, RecoveredVisitor(PhantomData))
    }
}

struct RecoveredVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for RecoveredVisitor<T> {
    type Value = Recovered<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut attempts: A) -> Result<Recovered<T>, A::Error> {
        loop {
            // A failed attempt has been noted, and the next one leaves out what was wrong.
            if let Ok(outcome) = attempts.next_element() {
                return Ok(Recovered(outcome));
            }
        }
    }
}

/// The same value over and over, each time without what was wrong before.
pub(super) struct Attempts<'n, 's, 'p> {
    pub(super) decoder: Decoder<'n, 's, 'p>,
    pub(super) left: usize,
}

impl<'n> SeqAccess<'n> for Attempts<'n, '_, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let Decoder { node, session } = self.decoder;
        seed.deserialize(self.decoder).map(Some).map_err(|error| {
            if session.note(error, node).is_break() {
                self.left = 0;
            }
            Error::new("noted", None)
        })
    }
}
