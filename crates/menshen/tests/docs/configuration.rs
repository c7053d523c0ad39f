//! The reference of the configuration.

use std::fmt::Write;

use menshen_config::schema::{FilterSchema, document};
use menshen_filters::Spec;
use serde_json::Value;

use crate::page::page;
use crate::types::Types;
use crate::words::{sentence, title};

fn schema() -> Value {
    let of = |s: &Spec| FilterSchema { name: s.name, schema: (s.schema)(), short: s.short };
    document(&menshen_filters::ALL.iter().map(of).collect::<Vec<_>>())
}

#[test]
fn the_reference_of_the_configuration_is_up_to_date() {
    let schema = schema();
    let mut types = Types::of(&schema);
    let mut text = "## The sections\n\n".to_owned();
    text.push_str(&types.table(&schema));
    let mut at = 0;
    while let Some(name) = types.met.get(at).cloned() {
        at += 1;
        let schema = &types.definitions[&name];
        let keys = Types::keys(schema).unwrap();
        let about = schema["description"].as_str().or(keys["description"].as_str()).unwrap_or_default();
        let table = types.table(schema);
        write!(text, "\n## {}\n\n{}\n\n{table}", title(&name), sentence(about)).unwrap();
    }
    page("config.md", "Configuration", &text);
}
