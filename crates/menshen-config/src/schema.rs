//! The JSON Schema of a document, for editors, the admin API, the console's forms and the docs.

mod definitions;

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::decode::Recovered;
use crate::filter::{ANY, Mode, OnError};
use crate::matching::Match;
use crate::source::Sections;

use definitions::Definitions;

/// What the schema must know of a filter.
#[derive(Clone, Debug)]
pub struct FilterSchema {
    /// Its name in a document.
    pub name: &'static str,
    /// The schema of its config, as `schemars::schema_for!` makes it.
    pub schema: Schema,
    /// The field that a scalar or list stands for.
    pub short: Option<&'static str>,
}

/// The JSON Schema (2020-12) of a whole document in which only these filters may be used, each with exactly its config.
pub fn document(filters: &[FilterSchema]) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let reserved = json!({
        "when": generator.subschema_for::<Match>(),
        "on-error": generator.subschema_for::<OnError>(),
        "mode": generator.subschema_for::<Mode>(),
        "id": { "type": "string", "description": "a name for this step in logs and metrics" },
    });
    let mut root = generator.into_root_schema_for::<Sections>().to_value();
    let mut definitions = Definitions::of(&mut root);
    let item = filter_item(filters, &reserved, &mut definitions);
    definitions.replace("FilterItem", item);
    definitions.put_back(&mut root);
    if let Some(root) = root.as_object_mut() {
        root.insert("title".into(), "Menshen".into());
        root.insert("description".into(), "The configuration of a Menshen gateway.".into());
    }
    root
}

fn filter_item(filters: &[FilterSchema], reserved: &Value, definitions: &mut Definitions) -> Value {
    let mut bare: Vec<&str> = Vec::new();
    let mut shapes: Vec<Value> = Vec::new();
    for FilterSchema { name, schema, short } in filters {
        let config = definitions.adopt(name, schema.clone().to_value());
        let optional = config.get("required").and_then(Value::as_array).is_none_or(Vec::is_empty);
        let description = config.get("description").cloned();
        let mut forms = Vec::new();
        forms.extend(short.and_then(|short| config.get("properties")?.get(short).cloned()));
        if optional {
            bare.push(name);
            forms.push(json!({ "type": "null" }));
        }
        forms.push(config);
        shapes.push(shape(name, json!({ "anyOf": forms }), reserved, description));
    }
    let members = json!({ "type": "array", "items": { "$ref": "#/$defs/FilterItem" }, "minItems": 1 });
    let about = "a group of which the first filter that passes is enough";
    shapes.push(shape(ANY, members, reserved, Some(about.into())));
    if !bare.is_empty() {
        shapes.insert(0, json!({ "enum": bare }));
    }
    json!({ "description": "a filter: its name, or its name and config", "anyOf": shapes })
}

/// A map of the filter's name to its config, and what every filter takes.
fn shape(name: &str, config: Value, reserved: &Value, description: Option<Value>) -> Value {
    let mut properties = Map::new();
    properties.insert(name.into(), config);
    properties.extend(reserved.as_object().cloned().unwrap_or_default());
    let mut shape = json!({
        "type": "object",
        "title": name,
        "properties": properties,
        "required": [name],
        "additionalProperties": false
    });
    if let (Some(shape), Some(description)) = (shape.as_object_mut(), description) {
        shape.insert("description".into(), description);
    }
    shape
}

impl<T: JsonSchema> JsonSchema for Recovered<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests;
