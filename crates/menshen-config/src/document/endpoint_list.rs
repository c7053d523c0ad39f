use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Place, Protocol};
use crate::decode::{Recovered, decode};
use crate::path::Path;
use crate::problem::Problems;
use crate::source::Source;
use crate::span::FileId;
use crate::text::FromText;
use crate::yaml;

/// An endpoint as a file of endpoints names it. Short form: its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedEndpoint {
    /// Host and port, or a Unix socket.
    pub address: Place,
    /// Its part of the requests in proportion to the others'; 0 gets none.
    pub weight: u32,
    /// How it is spoken to, if not as the service says.
    pub protocol: Option<Protocol>,
    /// Its name. Default: its address.
    pub id: Option<Box<str>>,
    /// Where it runs.
    pub zone: Option<Box<str>>,
    /// What else is said of it.
    pub metadata: BTreeMap<Box<str>, Box<str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Long {
    address: Place,
    #[serde(default)]
    weight: Option<u32>,
    #[serde(default)]
    protocol: Option<Protocol>,
    #[serde(default)]
    id: Option<Box<str>>,
    #[serde(default)]
    zone: Option<Box<str>>,
    #[serde(default)]
    metadata: BTreeMap<Box<str>, Box<str>>,
}

/// Reads a file of endpoints: a list in YAML or JSON.
///
/// # Errors
/// All that is wrong with it, with places.
pub fn endpoint_list(source: &Source) -> Result<Vec<ListedEndpoint>, Problems> {
    let mut problems = Problems::new();
    problems.name_file(FileId(0), &*source.name, Some(source.text.as_str().into()));
    let list = yaml::parse(FileId(0), &source.text, &mut problems)
        .and_then(|node| decode::<Vec<Recovered<ListedEndpoint>>>(&node, &Path::root(), &mut problems));
    match list {
        Some(list) if !problems.has_errors() => Ok(list.into_iter().filter_map(|e| e.0).collect()),
        _ => Err(problems),
    }
}

impl<'de> Deserialize<'de> for ListedEndpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListedVisitor;

        impl<'de> Visitor<'de> for ListedVisitor {
            type Value = ListedEndpoint;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address such as `127.0.0.1:9001`, or a map with `address`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ListedEndpoint, E> {
                let address = Place::from_text(text).map_err(E::custom)?;
                let (weight, metadata) = (1, BTreeMap::new());
                Ok(ListedEndpoint { address, weight, protocol: None, id: None, zone: None, metadata })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ListedEndpoint, A::Error> {
                let Long { address, weight, protocol, id, zone, metadata } =
                    Long::deserialize(MapAccessDeserializer::new(map))?;
                let weight = weight.unwrap_or(1);
                Ok(ListedEndpoint { address, weight, protocol, id, zone, metadata })
            }
        }

        deserializer.deserialize_any(ListedVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<ListedEndpoint>, String> {
        endpoint_list(&Source::new("users.yaml", text)).map_err(|p| p.to_string())
    }

    #[test]
    fn a_list_is_yaml_or_json() {
        let yaml = read("- 127.0.0.1:9001\n- { address: 127.0.0.1:9002, weight: 3, zone: a }\n").unwrap();
        let json =
            read(r#"["127.0.0.1:9001", {"address": "127.0.0.1:9002", "weight": 3, "zone": "a"}]"#).unwrap();
        assert_eq!(yaml, json);
        assert_eq!((yaml.len(), yaml[1].weight, yaml[1].zone.as_deref()), (2, 3, Some("a")));
        assert_eq!(read("[]").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let problems =
            read("- 127.0.0.1:9001\n- 127.0.0.1\n- { address: 127.0.0.1:1, wieght: 3 }\n").unwrap_err();
        assert!(problems.contains("users.yaml:2:3: error"), "{problems}");
        assert!(problems.contains("did you mean `weight`?"), "{problems}");
        for bad in ["", "users", "{ a: 1 }", "- [", "\u{0}"] {
            assert!(read(bad).unwrap_err().contains("users.yaml:"), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_list_or_has_problems_with_places(text in "[-a-z0-9:,.{}\\[\\]\" \n]{0,60}") {
            if let Err(problems) = read(&text) {
                proptest::prop_assert!(problems.contains("users.yaml:"), "{}", problems);
            }
        }
    }
}
