//! Trees as JSON, for the admin API and the console.

use serde_json::Value as Json;

use super::{Kind, Node, Value};

impl Node {
    /// The same data as JSON. Numbers that JSON cannot say (`.nan`) become text.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(entries) => Json::Object(
                entries.iter().map(|(key, value)| (key.name.to_string(), value.to_json())).collect(),
            ),
            Value::Scalar(scalar) => match scalar.kind {
                Kind::Null => Json::Null,
                Kind::Bool(value) => Json::Bool(value),
                Kind::Int(value) => value.into(),
                Kind::Float(value) => match serde_json::Number::from_f64(value) {
                    Some(number) => Json::Number(number),
                    None => Json::String(scalar.text.to_string()),
                },
                Kind::String => Json::String(scalar.text.to_string()),
            },
        }
    }
}
