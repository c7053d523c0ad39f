//! How an item of a filter list is written.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{ANY, FilterItem, Mode, OnError};
use crate::decode::Placed;
use crate::matching::Match;
use crate::node::{Node, Scalar, Style, Value};
use crate::span::{Span, Spanned};

impl<'de> Deserialize<'de> for FilterItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Placed { span, path, value } = Placed::<Written>::deserialize(deserializer)?;
        let Written { name, config, when, on_error, mode, id, any } = value;
        let (name_at, name) = match name {
            Name::Bare(name) => (span, name),
            Name::Key(Spanned { span, value }) => (span, value),
        };
        let config = config.unwrap_or_else(|| nothing(name_at));
        Ok(FilterItem { at: span, path, name, name_at, config, when, on_error, mode, id, any })
    }
}

fn nothing(span: Span) -> Node {
    Node { span, value: Value::Scalar(Scalar::new("", Style::Plain)) }
}

enum Name {
    Bare(String),
    Key(Spanned<String>),
}

struct Written {
    name: Name,
    config: Option<Node>,
    when: Option<Match>,
    on_error: OnError,
    mode: Mode,
    id: Option<String>,
    any: Option<Vec<FilterItem>>,
}

impl Written {
    fn new(name: Name) -> Self {
        Self {
            name,
            config: None,
            when: None,
            on_error: OnError::default(),
            mode: Mode::default(),
            id: None,
            any: None,
        }
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a filter, or a map of its name and its config")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Written, E> {
        if name == ANY {
            return Err(E::custom("`any` needs a list of filters\nwrite `any: [first, second]`"));
        }
        Ok(Written::new(Name::Bare(name.into())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        let mut item = Written::new(Name::Bare(String::new()));
        let mut named: Option<String> = None;
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            match key.as_str() {
                "when" => item.when = map.next_value()?,
                "on-error" => item.on_error = map.next_value()?,
                "mode" => item.mode = map.next_value()?,
                "id" => item.id = map.next_value()?,
                name => {
                    if let Some(first) = &named {
                        map.next_value_seed(SecondName { first, second: name })?;
                        continue;
                    }
                    named = Some(name.into());
                    if name == ANY {
                        item.any = Some(map.next_value()?);
                    } else {
                        item.config = Some(map.next_value()?);
                    }
                    item.name = Name::Key(key);
                }
            }
        }
        match named {
            Some(_) => Ok(item),
            None => {
                Err(A::Error::custom("an item without a filter\nwrite its name, as in `cors` or `cors: …`"))
            }
        }
    }
}

/// Refuses the value of a second filter in the same item, so that the rest of the item is read.
struct SecondName<'a> {
    first: &'a str,
    second: &'a str,
}

impl<'de> DeserializeSeed<'de> for SecondName<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, _: D) -> Result<(), D::Error> {
        let Self { first, second } = self;
        Err(D::Error::custom(format!(
            "both `{first}` and `{second}` in one item\nwrite each filter as a list item of its own, starting with `- `"
        )))
    }
}

impl JsonSchema for FilterItem {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FilterItem".into()
    }

    /// Any filter; [`crate::schema::document`] replaces it by the exact shapes of the known ones.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "object"] })
    }
}
