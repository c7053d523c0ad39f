//! Types of a JSON Schema in words.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::words::{cell, lower, quoted, title};

/// Describes types; what has keys of its own is noted to be described too.
pub(crate) struct Types<'a> {
    pub(crate) definitions: &'a Map<String, Value>,
    /// Names with keys, in the order in which they were met.
    pub(crate) met: Vec<String>,
}

impl<'a> Types<'a> {
    pub(crate) fn of(schema: &'a Value) -> Self {
        static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        Self { definitions: schema["$defs"].as_object().unwrap_or(&NONE), met: Vec::new() }
    }

    /// The variant of a schema that has keys.
    pub(crate) fn keys(schema: &Value) -> Option<&Value> {
        if schema["properties"].is_object() {
            return Some(schema);
        }
        schema["anyOf"].as_array()?.iter().find_map(Self::keys)
    }

    /// What may be written, in a few words.
    fn shape(&mut self, schema: &Value) -> String {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.named(reference.trim_start_matches("#/$defs/"));
        }
        if let Some(values) = schema["enum"].as_array() {
            let values = values.iter().filter(|v| !v.is_null() && !v.is_boolean());
            return values.map(quoted).collect::<Vec<_>>().join(" or ");
        }
        if !schema["const"].is_null() {
            return quoted(&schema["const"]);
        }
        if let Some(variants) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
            let mut shapes: Vec<String> = Vec::new();
            for shape in variants.iter().map(|v| self.shape(v)).filter(|s| !s.is_empty()) {
                let is_list_of_before = shapes.last().is_some_and(|l| shape == format!("list of {l}"));
                let shape = if is_list_of_before { "a list".to_owned() } else { shape };
                if !shapes.contains(&shape) {
                    shapes.push(shape);
                }
            }
            return shapes.join(" or ");
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().find_map(Value::as_str),
            kind => kind.as_str(),
        };
        match kind.unwrap_or("any") {
            "null" => String::new(),
            "array" => format!("list of {}", self.shape(&schema["items"])),
            "object" if schema["properties"].is_object() => {
                let keys = schema["properties"].as_object().unwrap();
                let keys = keys.iter().map(|(k, v)| format!("`{k}:` {}", self.shape(v)));
                keys.collect::<Vec<_>>().join(", ")
            }
            "object" => format!("map of names to {}", self.shape(&schema["additionalProperties"])),
            "integer" | "number" => "number".to_owned(),
            "boolean" => "`true` or `false`".to_owned(),
            "string" => match schema["examples"][0].as_str() {
                Some(example) => format!("text such as `{example}`"),
                None => "text".to_owned(),
            },
            _ => "anything".to_owned(),
        }
    }

    fn named(&mut self, name: &str) -> String {
        if name == "FilterItem" {
            return "[filter](filters/README.md)".to_owned();
        }
        let Some(schema) = self.definitions.get(name) else { return name.to_owned() };
        if Self::keys(schema).is_none() {
            return self.shape(schema);
        }
        let title = title(name);
        if !self.met.iter().any(|m| m == name) {
            self.met.push(name.to_owned());
        }
        let link = format!("[{title}](#{})", title.replace(' ', "-"));
        let short = schema["anyOf"].as_array().and_then(|v| v.iter().find(|v| Self::keys(v).is_none()));
        match short.map(|s| self.shape(s)).filter(|s| !s.is_empty()) {
            Some(short) => format!("{short} or {link}"),
            None => link,
        }
    }

    /// What the words of an enumeration mean.
    fn words(&self, schema: &Value) -> String {
        let mut schema = schema;
        if let Some(variants) = schema["anyOf"].as_array() {
            schema = variants.iter().find(|v| v["type"] != "null").unwrap_or(schema);
        }
        let name = schema["$ref"].as_str().map(|r| r.trim_start_matches("#/$defs/"));
        let schema = name.and_then(|n| self.definitions.get(n)).unwrap_or(schema);
        let words = schema["oneOf"].as_array().into_iter().flatten();
        let words = words.filter_map(|w| {
            Some(format!(" {}: {}", quoted(w.get("const")?), lower(w["description"].as_str()?)))
        });
        words.collect()
    }

    /// A table of the keys.
    pub(crate) fn table(&mut self, schema: &Value) -> String {
        let keys = Self::keys(schema).unwrap();
        let required: Vec<&str> =
            keys["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut table = "| key | value | meaning |\n|---|---|---|\n".to_owned();
        for (key, value) in keys["properties"].as_object().unwrap() {
            let about = value["description"].as_str().unwrap_or_default().replace('\n', " ");
            let must = if required.contains(&key.as_str()) { " **Required.**" } else { "" };
            let words = self.words(value);
            writeln!(
                table,
                "| `{key}` | {} | {} |",
                cell(&self.shape(value)),
                cell(&format!("{about}{words}{must}"))
            )
            .unwrap();
        }
        table
    }
}
