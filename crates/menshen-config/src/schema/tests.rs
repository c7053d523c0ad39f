use schemars::schema_for;

use super::*;
use crate::quantity::Duration;

/// Lets browsers of other origins in.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code)]
struct Cors {
    /// Who may.
    #[serde(default)]
    origins: Vec<String>,
    #[serde(default)]
    max_age: Option<Duration>,
}

mod other {
    /// A clash with the document's own route.
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code)]
    pub(super) struct Route {
        pub(super) a: u8,
    }
}

#[derive(JsonSchema)]
#[expect(dead_code)]
struct Strange {
    route: other::Route,
}

fn schema() -> Value {
    document(&[
        FilterSchema { name: "cors", schema: schema_for!(Cors), short: Some("origins") },
        FilterSchema { name: "strange", schema: schema_for!(Strange), short: None },
    ])
}

#[test]
fn the_schema_has_all_sections_and_no_others() {
    let schema = schema();
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(
        properties.keys().collect::<Vec<_>>(),
        ["gateway", "registries", "listeners", "services", "schemes", "routes"]
    );
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn doc_comments_are_descriptions() {
    let schema = schema();
    let strip = &schema["$defs"]["Route"]["properties"]["strip"]["description"];
    assert!(strip.as_str().unwrap().starts_with("What is taken away from the start of the path"), "{strip}");
}

#[test]
fn filter_items_have_the_shapes_of_the_known_filters() {
    let schema = schema();
    let shapes = schema["$defs"]["FilterItem"]["anyOf"].as_array().unwrap();
    assert_eq!(shapes[0], json!({ "enum": ["cors"] }));
    assert_eq!(shapes[1]["title"], "cors");
    assert_eq!(shapes[1]["description"], "Lets browsers of other origins in.");
    let forms = shapes[1]["properties"]["cors"]["anyOf"].as_array().unwrap();
    assert_eq!(forms[0]["type"], "array");
    assert_eq!(forms[1]["type"], "null");
    assert_eq!(forms[2]["properties"]["max-age"]["anyOf"][0]["$ref"], "#/$defs/Duration");
    assert_eq!(shapes[1]["properties"]["when"]["$ref"], "#/$defs/Match");
    assert_eq!(shapes[3]["required"][0], "any");
}

#[test]
fn a_redirect_may_be_a_text_or_a_map() {
    let schema = schema();
    let target = schema["$defs"]["Target"]["anyOf"].as_array().unwrap();
    let redirect = target[1]["oneOf"][0]["properties"]["redirect"]["anyOf"].as_array().unwrap();
    assert_eq!(redirect[0]["type"], "string");
    assert_eq!(redirect[1]["$ref"], "#/$defs/Redirect");
    assert_eq!(schema["$defs"]["Redirect"]["required"], json!(["to"]));
}

#[test]
fn definitions_that_clash_get_another_name() {
    let schema = schema();
    let strange = &schema["$defs"]["FilterItem"]["anyOf"][2]["properties"]["strange"]["anyOf"][0];
    assert_eq!(strange["properties"]["route"]["$ref"], "#/$defs/strange.Route");
    assert_eq!(schema["$defs"]["strange.Route"]["properties"]["a"]["type"], "integer");
}

#[test]
fn every_reference_leads_somewhere() {
    fn check(value: &Value, definitions: &Value) {
        match value {
            Value::Object(map) => {
                if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                    let name = reference.strip_prefix("#/$defs/").unwrap();
                    assert!(definitions.get(name).is_some(), "{reference}");
                }
                map.values().for_each(|value| check(value, definitions));
            }
            Value::Array(items) => items.iter().for_each(|value| check(value, definitions)),
            _ => {}
        }
    }
    let schema = schema();
    check(&schema, &schema["$defs"]);
}
