use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Address, ConsulQuery, EurekaQuery, FilePath};
use crate::quantity::{Duration, Percent};
use crate::suggest;
use crate::text::{FromText, Refusal};

/// Where the endpoints of a service are asked for. Short form: `dns:users.internal:8080`.
#[derive(Clone, Debug, PartialEq)]
pub struct Discover {
    /// Who is asked.
    pub from: DiscoverFrom,
    /// How often is asked at least.
    pub refresh: Option<Duration>,
    /// What is done about sets that shrink suddenly.
    pub hold: Hold,
}

/// Who is asked for endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DiscoverFrom {
    /// DNS, for the addresses of a name (A and AAAA); the port is as written.
    Dns(Address),
    /// DNS, for the places of a service (SRV, RFC 2782).
    Srv(Box<str>),
    /// A file with a list of endpoints.
    File(FilePath),
    /// Eureka.
    Eureka(EurekaQuery),
    /// Consul.
    Consul(ConsulQuery),
}

/// The words in front of the colon.
const SCHEMES: [&str; 5] = ["dns", "srv", "file", "eureka", "consul"];

const SHORT_FORMS: &str = "write `dns:host:port`, `srv:_http._tcp.name`, `file:endpoints.yaml`, `eureka:APP` or `consul:name?tag=v2`";

impl FromText for DiscoverFrom {
    const WHAT: &'static str = "where endpoints are asked for, such as `dns:users.internal:8080`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(Refusal::new(format!("`{text}` does not say who is asked")).hint(SHORT_FORMS));
        };
        match scheme {
            "dns" => Address::from_text(rest).map(Self::Dns),
            "srv" => srv_name(rest).map(Self::Srv),
            "file" => FilePath::from_text(rest).map(Self::File),
            "eureka" => EurekaQuery::from_text(rest).map(Self::Eureka),
            "consul" => ConsulQuery::from_text(rest).map(Self::Consul),
            _ => {
                let hint = suggest::hint(scheme, SCHEMES).unwrap_or_else(|| SHORT_FORMS.to_owned());
                Err(Refusal::new(format!("nobody is known who could be asked by `{scheme}:`")).hint(hint))
            }
        }
    }
}

impl fmt::Display for DiscoverFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(address) => write!(f, "dns:{address}"),
            Self::Srv(name) => write!(f, "srv:{name}"),
            Self::File(FilePath(path)) => write!(f, "file:{path}"),
            Self::Eureka(query) => write!(f, "eureka:{query}"),
            Self::Consul(query) => write!(f, "consul:{query}"),
        }
    }
}

fn srv_name(text: &str) -> Result<Box<str>, Refusal> {
    let is_label = |label: &str| {
        let is_good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(is_good)
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    match name.len() <= 253 && name.split('.').count() > 1 && name.split('.').all(is_label) {
        true => Ok(text.into()),
        false => Err(Refusal::new(format!("`{text}` is not the name of a service in DNS"))
            .hint("write for example `srv:_http._tcp.users.internal`; its port is in the record")),
    }
}

/// What is done about a set that shrinks suddenly: it is held, and the endpoints that are missing in it stay, until nobody
/// answers there or the source has said the same for long enough.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Hold {
    /// A set is held if more than this share of the endpoints is missing, and always if it is empty. Default: `50%`.
    pub share: Option<Percent>,
    /// How many answers must agree. Default: 3.
    pub polls: Option<u32>,
    /// How long they must agree. Default: `2m`.
    #[serde(rename = "for")]
    pub time: Option<Duration>,
}

/// The long form of [`Discover`].
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Long {
    /// Asks DNS for the addresses of a name (A and AAAA): the name and the port.
    #[serde(default)]
    dns: Option<Address>,
    /// Asks DNS for the places of a service (SRV, RFC 2782).
    #[serde(default)]
    srv: Option<SrvName>,
    /// Reads a list of endpoints from a file, YAML or JSON, and watches it.
    #[serde(default)]
    file: Option<FilePath>,
    /// Asks the registry `eureka` for the instances of an app.
    #[serde(default)]
    eureka: Option<EurekaQuery>,
    /// Asks the registry `consul` for the healthy instances of a service.
    #[serde(default)]
    consul: Option<ConsulQuery>,
    /// How often is asked at least. Default: DNS when the TTL is over, a file each `30s`, a registry as it has it.
    #[serde(default)]
    refresh: Option<Duration>,
    /// What is done about a set that shrinks suddenly.
    #[serde(default)]
    hold: Hold,
}

struct SrvName(Box<str>);

impl FromText for SrvName {
    const WHAT: &'static str = "the name of a service in DNS such as `_http._tcp.users.internal`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        srv_name(text).map(Self)
    }
}

impl fmt::Display for SrvName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::text::text_type!(SrvName, "SrvName", {
    "description": "the name of a service in DNS",
    "examples": ["_http._tcp.users.internal"]
});

impl Long {
    fn read<E: Error>(self) -> Result<Discover, E> {
        let Self { dns, srv, file, eureka, consul, refresh, hold } = self;
        let all = [
            dns.map(DiscoverFrom::Dns),
            srv.map(|name| DiscoverFrom::Srv(name.0)),
            file.map(DiscoverFrom::File),
            eureka.map(DiscoverFrom::Eureka),
            consul.map(DiscoverFrom::Consul),
        ];
        let mut named = all.into_iter().flatten();
        match (named.next(), named.next()) {
            (Some(from), None) => Ok(Discover { from, refresh, hold }),
            (None, _) => Err(E::custom(
                "nobody is named who is asked\nadd one of `dns`, `srv`, `file`, `eureka` and `consul`",
            )),
            (Some(_), Some(_)) => Err(E::custom(
                "several are named who are asked\nkeep one of `dns`, `srv`, `file`, `eureka` and `consul`",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Discover {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DiscoverVisitor;

        impl<'de> Visitor<'de> for DiscoverVisitor {
            type Value = Discover;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}, or a map", DiscoverFrom::WHAT)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Discover, E> {
                let from = DiscoverFrom::from_text(text).map_err(E::custom)?;
                Ok(Discover { from, refresh: None, hold: Hold::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Discover, A::Error> {
                Long::deserialize(MapAccessDeserializer::new(map))?.read()
            }
        }

        deserializer.deserialize_any(DiscoverVisitor)
    }
}

impl JsonSchema for Discover {
    fn schema_name() -> Cow<'static, str> {
        "Discover".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = Long::json_schema(generator);
        let short = json_schema!({
            "type": "string",
            "pattern": "^(dns|srv|file|eureka|consul):.+$",
            "examples": ["dns:users.internal:8080", "eureka:USER-SERVICE", "consul:users?tag=v2"]
        });
        json_schema!({ "description": "where the endpoints of a service are asked for", "anyOf": [short, long] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_names_who_is_asked() {
        for text in [
            "dns:users.internal:8080",
            "dns:[::1]:80",
            "srv:_http._tcp.users",
            "file:a/b.yaml",
            "eureka:USER-SERVICE",
            "consul:users?tag=v2&dc=x",
        ] {
            assert_eq!(DiscoverFrom::from_text(text).unwrap().to_string(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_reads_the_same_again(scheme in "dns|srv|file|eureka|consul", rest in "[-_a-z.:?=&0-9]{0,30}") {
            if let Ok(from) = DiscoverFrom::from_text(&format!("{scheme}:{rest}")) {
                proptest::prop_assert_eq!(DiscoverFrom::from_text(&from.to_string()), Ok(from));
            }
        }
    }

    #[test]
    fn a_slip_in_the_scheme_is_told() {
        let refusal = DiscoverFrom::from_text("eurka:USERS").unwrap_err();
        assert_eq!(refusal.hint.unwrap(), "did you mean `eureka`?");
        for bad in [
            "users",
            "",
            "dns:users",
            "dns:users:0",
            "srv:users",
            "srv:_http._tcp.us ers",
            "file:",
            "zk:users",
        ] {
            assert!(DiscoverFrom::from_text(bad).unwrap_err().hint.is_some() || bad == "file:", "{bad}");
        }
    }
}
