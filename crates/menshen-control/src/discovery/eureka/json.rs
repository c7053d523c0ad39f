//! What a Eureka server says, read liberally: servers of many versions are about, and some are not of Netflix.
//!
//! Numbers may be texts and texts numbers; a list of one may stand there without its brackets; members that nobody knows
//! are skipped. An instance that cannot be understood costs itself, not the others.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use menshen_config::document::EurekaStatus as Status;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::instance::{Action, Info};

/// `{"applications": {…}}`
#[derive(Debug, Default, Deserialize)]
pub struct Answer {
    /// Its one member.
    pub applications: Applications,
}

/// All applications, or those that have changed.
#[derive(Debug, Default)]
pub struct Applications {
    /// `apps__hashcode`: how many instances there are in each state.
    pub hash: Option<Box<str>>,
    /// `versions__delta`; -1 where the server cannot say what has changed.
    pub version: Option<Box<str>>,
    /// The instances in the order in which they came, with what happened to them.
    pub instances: Vec<(Action, Info)>,
}

impl<'de> Deserialize<'de> for Applications {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ApplicationsVisitor;

        impl<'de> Visitor<'de> for ApplicationsVisitor {
            type Value = Applications;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the applications of a registry")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Applications, A::Error> {
                let mut all = Applications::default();
                while let Some(name) = map.next_key::<String>()? {
                    match &*name {
                        // How underscores are escaped is a setting of the server.
                        _ if name.starts_with("versions") => all.version = text(&map.next_value()?),
                        _ if name.starts_with("apps") => all.hash = text(&map.next_value()?),
                        "application" => {
                            let applications: OneOrMany<Application> = map.next_value()?;
                            all.instances.extend(applications.0.into_iter().flat_map(Application::instances));
                        }
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(all)
            }
        }

        deserializer.deserialize_map(ApplicationsVisitor)
    }
}

/// One application. What is not an object counts as one without instances.
#[derive(Debug, Default)]
struct Application {
    name: Option<Box<str>>,
    instances: Vec<(Action, Info)>,
}

impl Application {
    fn instances(self) -> impl Iterator<Item = (Action, Info)> {
        let name = self.name.unwrap_or_default();
        self.instances.into_iter().map(move |(action, mut info)| {
            if info.app.is_empty() {
                info.app = name.to_uppercase().into();
            }
            (action, info)
        })
    }
}

impl<'de> Deserialize<'de> for Application {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Raw {
            #[serde(default)]
            name: Value,
            #[serde(default)]
            instance: OneOrMany<Entry>,
        }

        let raw = Raw::deserialize(deserializer)?;
        let instances = raw.instance.0.into_iter().filter_map(|entry| entry.0).collect();
        Ok(Self { name: text(&raw.name), instances })
    }
}

/// An instance, if it can be understood.
struct Entry(Option<(Action, Info)>);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self(value.as_object().and_then(instance)))
    }
}

/// A list, or the only thing in it; nothing where there is none.
struct OneOrMany<T>(Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);

        impl<'de, T: DeserializeOwned> Visitor<'de> for ListVisitor<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E>(self) -> Result<Vec<T>, E> {
                Ok(Vec::new())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = list.next_element()? {
                    all.push(one);
                }
                Ok(all)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
                let map = serde::de::value::MapAccessDeserializer::new(map);
                T::deserialize(map).map(|one| vec![one])
            }
        }

        deserializer.deserialize_any(ListVisitor(PhantomData)).map(Self)
    }
}

/// One instance; without a name it is none.
fn instance(raw: &Map<String, Value>) -> Option<(Action, Info)> {
    let get = |name: &str| raw.get(name).and_then(text);
    let host = get("hostName").unwrap_or_default();
    let center = raw.get("dataCenterInfo").and_then(Value::as_object).and_then(|c| c.get("metadata"));
    let center = center.map(metadata).unwrap_or_default();
    // Names are younger than Eureka: before, it was that of the machine.
    let id = get("instanceId").or_else(|| center.get("instance-id").cloned()).unwrap_or_else(|| host.clone());
    if id.is_empty() {
        return None;
    }
    let metadata = raw.get("metadata").map(metadata).unwrap_or_default();
    let zone = metadata.get("zone").or_else(|| center.get("availability-zone")).cloned();
    let status = |name: &str| get(name).map_or(Status::Unknown, |text| Status::of(&text));
    let info = Info {
        id,
        app: get("app").unwrap_or_default().to_uppercase().into(),
        host,
        ip: get("ipAddr").unwrap_or_default(),
        status: status("status"),
        overridden: match raw.contains_key("overriddenStatus") {
            true => status("overriddenStatus"),
            false => status("overriddenstatus"),
        },
        port: raw.get("port").and_then(port),
        secure_port: raw.get("securePort").and_then(port),
        vip: get("vipAddress").unwrap_or_default(),
        secure_vip: get("secureVipAddress").unwrap_or_default(),
        zone,
        metadata,
    };
    let action = match get("actionType").as_deref() {
        Some("DELETED") => Action::Deleted,
        _ => Action::Added,
    };
    Some((action, info))
}

/// `{"$": 8080, "@enabled": "true"}`, or a bare number. `None` where it is switched off or no port.
fn port(value: &Value) -> Option<u16> {
    let (number, is_on) = match value {
        Value::Object(port) => (port.get("$")?, port.get("@enabled").is_none_or(is_true)),
        bare => (bare, true),
    };
    let number = text(number)?.parse().ok().filter(|port| *port > 0)?;
    is_on.then_some(number)
}

fn is_true(value: &Value) -> bool {
    text(value).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

/// Names and texts. Names that start with `@` are of the Java type that they were in.
fn metadata(value: &Value) -> BTreeMap<Box<str>, Box<str>> {
    let members = value.as_object().into_iter().flatten();
    let named = members.filter(|(name, _)| !name.starts_with('@'));
    named.filter_map(|(name, value)| Some((name.as_str().into(), text(value)?))).collect()
}

/// A text, or a number or truth value as text.
fn text(value: &Value) -> Option<Box<str>> {
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(truth) => Some(truth.to_string().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
