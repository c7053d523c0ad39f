//! One `$defs` for schemas that were made apart.

use serde_json::{Map, Value};

const PREFIX: &str = "#/$defs/";

/// The definitions of the root schema, growing by those of the filters.
pub(super) struct Definitions(Map<String, Value>);

impl Definitions {
    /// Takes the definitions out of the root schema.
    pub(super) fn of(root: &mut Value) -> Self {
        Self(take(root))
    }

    pub(super) fn put_back(self, root: &mut Value) {
        if let Some(root) = root.as_object_mut() {
            root.insert("$defs".into(), Value::Object(self.0));
        }
    }

    pub(super) fn replace(&mut self, name: &str, schema: Value) {
        self.0.insert(name.into(), schema);
    }

    /// Takes over the definitions of a filter's schema and returns the schema without them. A definition that is the
    /// same here keeps its name, another of the same name gets the filter's in front of it.
    pub(super) fn adopt(&mut self, filter: &str, mut schema: Value) -> Value {
        let mine = take(&mut schema);
        let renamed: Vec<(String, String)> = mine
            .iter()
            .filter(|(name, schema)| self.0.get(*name).is_some_and(|there| there != *schema))
            .map(|(name, _)| (format!("{PREFIX}{name}"), format!("{PREFIX}{filter}.{name}")))
            .collect();
        for (name, mut definition) in mine {
            let clash = self.0.get(&name).is_some_and(|there| *there != definition);
            let name = if clash { format!("{filter}.{name}") } else { name };
            rename(&mut definition, &renamed);
            self.0.entry(name).or_insert(definition);
        }
        rename(&mut schema, &renamed);
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("$schema");
        }
        schema
    }
}

fn take(schema: &mut Value) -> Map<String, Value> {
    match schema.as_object_mut().and_then(|schema| schema.remove("$defs")) {
        Some(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    }
}

/// Follows the new names in all references.
fn rename(schema: &mut Value, renamed: &[(String, String)]) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(reference) if key == "$ref" => {
                        if let Some((_, new)) = renamed.iter().find(|(old, _)| old == reference) {
                            *reference = new.clone();
                        }
                    }
                    _ => rename(value, renamed),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, renamed)),
        _ => {}
    }
}
