//! What Consul says of the instances of a service: `/v1/health/service/:name`.

use std::collections::BTreeMap;

use menshen_config::document::Place;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::discovery::Instance;
use crate::discovery::eureka::instance::address;

/// The name of a tag in metadata: `tag:v2`.
const TAG: &str = "tag:";

/// An instance as Consul sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As a service sees it, with the weight for good health.
    pub instance: Instance,
    /// Its weight while a check warns.
    pub warning_weight: u32,
    /// The worst of its checks.
    pub worst: Check,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// All is well.
    Passing,
    /// Something is not.
    Warning,
    /// It does not work, or is being repaired.
    Critical,
}

/// All entries of an answer. One that cannot be understood costs itself, not the others.
#[derive(Debug)]
pub struct Entries(Vec<Map<String, Value>>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all = Vec::<Value>::deserialize(deserializer)?;
        let maps = all.into_iter().filter_map(|value| match value {
            Value::Object(map) => Some(map),
            _ => None,
        });
        Ok(Self(maps.collect()))
    }
}

impl Entries {
    /// With the zone under this name in metadata.
    pub fn read<'a>(&'a self, zone_key: &'a str) -> impl Iterator<Item = Entry> + 'a {
        self.0.iter().filter_map(move |raw| entry(raw, zone_key))
    }
}

fn entry(raw: &Map<String, Value>, zone_key: &str) -> Option<Entry> {
    let empty = Map::new();
    let service = raw.get("Service")?.as_object()?;
    let node = raw.get("Node").and_then(Value::as_object).unwrap_or(&empty);
    let said = |of: &Map<String, Value>, name: &str| of.get(name).and_then(text).filter(|t| !t.is_empty());
    // A service without an address is where its node is.
    let host = said(service, "Address").or_else(|| said(node, "Address"))?;
    let port: u16 = said(service, "Port")?.parse().ok().filter(|port| *port > 0)?;
    let node_name = said(node, "Node").unwrap_or_default();
    let id = said(service, "ID").or_else(|| said(service, "Service"))?;

    let mut metadata = map(service.get("Meta"));
    let node_metadata = map(node.get("Meta"));
    let zone = metadata.get(zone_key).or_else(|| node_metadata.get(zone_key)).cloned();
    let tags = service.get("Tags").and_then(Value::as_array).into_iter().flatten().filter_map(text);
    metadata.extend(tags.map(|tag| (format!("{TAG}{tag}").into(), Box::default())));
    let weight = |name: &str| {
        let weights = service.get("Weights").and_then(Value::as_object);
        weights.and_then(|w| w.get(name)).and_then(text).and_then(|w| w.parse().ok()).unwrap_or(1)
    };
    Some(Entry {
        instance: Instance {
            // Ids of services are unique on their node only.
            id: format!("{node_name}/{id}").into(),
            address: Place::Net(address(&host, port)?),
            host: None,
            protocol: None,
            weight: weight("Passing"),
            zone,
            metadata,
        },
        warning_weight: weight("Warning"),
        worst: worst(raw.get("Checks")),
    })
}

fn worst(checks: Option<&Value>) -> Check {
    let checks = checks.and_then(Value::as_array).into_iter().flatten();
    let status = checks.map(|check| match check.get("Status").and_then(Value::as_str) {
        Some("passing") => Check::Passing,
        Some("warning") => Check::Warning,
        _ => Check::Critical,
    });
    status.max().unwrap_or(Check::Passing)
}

fn map(value: Option<&Value>) -> BTreeMap<Box<str>, Box<str>> {
    let members = value.and_then(Value::as_object).into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.as_str().into(), text(value)?))).collect()
}

/// A text, or a number as text.
fn text(value: &Value) -> Option<Box<str>> {
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(number) => Some(number.to_string().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
