use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::one_or_many::OneOrMany;
use crate::span::Spanned;
use crate::text::{FromText, Refusal, text_type};

/// Where lines are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum LogTo {
    /// Nowhere.
    Off,
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// The file at this absolute path.
    File(Box<str>),
}

impl FromText for LogTo {
    const WHAT: &'static str = "`stdout`, `stderr`, `off` or the path of a file";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text {
            "off" => Ok(Self::Off),
            "stdout" => Ok(Self::Stdout),
            "stderr" => Ok(Self::Stderr),
            path if path.starts_with('/') && !path.ends_with('/') => Ok(Self::File(path.into())),
            _ => Err(Refusal::new(format!("`{text}` is not a place for a log"))
                .hint("write `stdout`, `stderr`, `off` or the absolute path of a file")),
        }
    }
}

impl fmt::Display for LogTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogTo::Off => "off",
            LogTo::Stdout => "stdout",
            LogTo::Stderr => "stderr",
            LogTo::File(path) => path,
        })
    }
}

text_type!(LogTo, "LogTo", {
    "pattern": "^(stdout|stderr|off|/.*[^/])$",
    "description": "where lines are written: stdout, stderr, off, or the absolute path of a file"
});

/// Further fields of a line: a name and the template of its value.
pub type AccessLogFields = IndexMap<String, Spanned<String>>;

/// The access log: one line per exchange. Short form: where it is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccessLog {
    /// Where it is written. Default: `stdout`.
    pub to: LogTo,
    /// Further fields of each line: a name and the template of its value.
    pub fields: AccessLogFields,
    /// Names of usual fields that are left out.
    pub omit: OneOrMany<Spanned<String>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
struct Long {
    /// Where it is written. Default: `stdout`.
    to: LogTo,
    /// Further fields of each line: a name and the template of its value.
    fields: AccessLogFields,
    /// Names of usual fields that are left out.
    omit: OneOrMany<Spanned<String>>,
}

impl<'de> Deserialize<'de> for AccessLog {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LogVisitor;

        impl<'de> Visitor<'de> for LogVisitor {
            type Value = AccessLog;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`stdout`, `stderr`, `off`, the path of a file, or a map")
            }

            fn visit_bool<E: Error>(self, on: bool) -> Result<AccessLog, E> {
                Ok(AccessLog { to: if on { LogTo::Stdout } else { LogTo::Off }, ..AccessLog::default() })
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<AccessLog, E> {
                Ok(AccessLog { to: LogTo::from_text(text).map_err(E::custom)?, ..AccessLog::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AccessLog, A::Error> {
                let Long { to, fields, omit } = Long::deserialize(MapAccessDeserializer::new(map))?;
                Ok(AccessLog { to, fields, omit })
            }
        }

        deserializer.deserialize_any(LogVisitor)
    }
}

impl JsonSchema for AccessLog {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AccessLog".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let to = generator.subschema_for::<LogTo>();
        let long = Long::json_schema(generator);
        json_schema!({ "description": "one line per exchange", "anyOf": [to, long] })
    }
}
