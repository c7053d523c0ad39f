//! Types that are written as one word or phrase, such as `10s` or `GET /users/**`.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, Visitor};

/// Why a text is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Refusal {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// The message and, after a line break, the hint: the form in which [`crate::decode()`] takes custom errors.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n{hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

/// A type that is made from text.
pub(crate) trait FromText: Sized {
    /// What it is, with an example: "a duration such as `10s`".
    const WHAT: &'static str;

    /// Reads the text.
    fn from_text(text: &str) -> Result<Self, Refusal>;

    /// What to say to a bare number.
    fn from_number(number: &str) -> Result<Self, Refusal> {
        Err(Refusal::new(format!("expected {}, found the number {number}", Self::WHAT)))
    }
}

/// The visitor of all such types.
pub(crate) struct TextVisitor<T>(pub(crate) PhantomData<T>);

impl<T: FromText> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        T::from_number(&number.to_string()).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::from_number(&number.to_string()).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        T::from_number(&number.to_string()).map_err(E::custom)
    }
}

/// Gives a [`FromText`] type what goes with it: `FromStr`, serde by its text, and a schema of a string.
macro_rules! text_type {
    ($type:ty, $name:literal, { $($schema:tt)* }) => {
        impl std::str::FromStr for $type {
            type Err = $crate::text::Refusal;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                <$type as $crate::text::FromText>::from_text(text)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($crate::text::TextVisitor(std::marker::PhantomData))
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", $($schema)* })
            }
        }
    };
}

pub(crate) use text_type;
