use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{F64Deserializer, I64Deserializer, StrDeserializer};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A bound, or the word `none` for no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bounded<T> {
    /// `none`
    Unbounded,
    /// At most this.
    At(T),
}

impl<T> Bounded<T> {
    /// The bound, if there is one.
    pub fn bound(self) -> Option<T> {
        match self {
            Bounded::Unbounded => None,
            Bounded::At(bound) => Some(bound),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Bounded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bounded::Unbounded => f.write_str("none"),
            Bounded::At(bound) => bound.fmt(f),
        }
    }
}

impl<T: Serialize> Serialize for Bounded<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Bounded::Unbounded => serializer.serialize_str("none"),
            Bounded::At(bound) => bound.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BoundedVisitor(PhantomData))
    }
}

struct BoundedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for BoundedVisitor<T> {
    type Value = Bounded<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bound or `none`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Bounded<T>, E> {
        match text {
            "none" => Ok(Bounded::Unbounded),
            _ => T::deserialize(StrDeserializer::new(text)).map(Bounded::At),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Bounded<T>, E> {
        T::deserialize(I64Deserializer::new(number)).map(Bounded::At)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Bounded<T>, E> {
        T::deserialize(F64Deserializer::new(number)).map(Bounded::At)
    }
}

impl<T: JsonSchema> JsonSchema for Bounded<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Bounded_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let bound = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [bound, { "const": "none", "description": "no bound" }] })
    }
}
