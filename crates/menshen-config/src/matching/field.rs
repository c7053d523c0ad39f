use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::span::Spanned;

/// A test of a header field, query parameter or cookie. Short form: `present`, `absent`, or the value it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldTest {
    /// It is there, with whatever value.
    Present,
    /// It is not there.
    Absent,
    /// It has exactly this value.
    Is(String),
    /// Its value starts with this.
    Prefix(String),
    /// Its value matches this regular expression from start to end.
    Regex(String),
}

/// Tests by name, in the order in which they were written. Most routes have none, and none takes no room.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldTests(Option<Box<IndexMap<String, Spanned<FieldTest>>>>);

impl FieldTests {
    /// All names with their tests.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Spanned<FieldTest>)> {
        self.0.iter().flat_map(|tests| tests.iter()).map(|(name, test)| (name.as_str(), test))
    }

    /// All names.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }
}

impl From<IndexMap<String, Spanned<FieldTest>>> for FieldTests {
    fn from(tests: IndexMap<String, Spanned<FieldTest>>) -> Self {
        Self((!tests.is_empty()).then(|| Box::new(tests)))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Long {
    /// It has exactly this value, even if that is `present` or `absent`.
    Is(String),
    /// Its value starts with this.
    Prefix(String),
    /// Its value matches this regular expression from start to end.
    Regex(String),
}

impl<'de> Deserialize<'de> for FieldTest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TestVisitor;

        impl<'de> Visitor<'de> for TestVisitor {
            type Value = FieldTest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, `present`, `absent`, or `{ regex: … }`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<FieldTest, E> {
                Ok(match text {
                    "present" => FieldTest::Present,
                    "absent" => FieldTest::Absent,
                    _ => FieldTest::Is(text.into()),
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FieldTest, A::Error> {
                Ok(match Long::deserialize(MapAccessDeserializer::new(map))? {
                    Long::Is(text) => FieldTest::Is(text),
                    Long::Prefix(text) => FieldTest::Prefix(text),
                    Long::Regex(text) => FieldTest::Regex(text),
                })
            }
        }

        // As text, because a number or `true` is a value like any other.
        deserializer.deserialize_str(TestVisitor)
    }
}

impl JsonSchema for FieldTest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FieldTest".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = Long::json_schema(generator);
        json_schema!({
            "description": "a test of a field: `present`, `absent`, the value it must have, or a longer test",
            "anyOf": [{ "type": ["string", "number", "boolean"], "examples": ["present", "absent"] }, long]
        })
    }
}
