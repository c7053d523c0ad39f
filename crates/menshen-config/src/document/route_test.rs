use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::matching::{FieldTest, Method};
use crate::quantity::Caller;
use crate::span::Spanned;
use crate::text::{FromText, Refusal, text_type};

/// A request and what should happen to it. Short form: `GET /users/1: 200`.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteTest {
    /// Method and target.
    pub request: Spanned<RequestLine>,
    /// Header fields of the request.
    pub headers: IndexMap<String, String>,
    /// The address the request comes from. Default: `127.0.0.1`.
    pub client: Option<Caller>,
    /// The body of the request.
    pub body: Option<String>,
    /// What should happen.
    pub expect: Spanned<Expect>,
}

/// What should happen to a request; what is not given is not checked. Short form: the status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// The status of the reply; a service that would be called counts as 200.
    pub status: Option<u16>,
    /// The route that the request takes.
    pub route: Option<String>,
    /// The group that the request is in, if its route is split; `none` if it is in none or chance decides.
    pub group: Option<String>,
    /// The target that the service gets to see.
    pub target: Option<String>,
    /// Header fields of the reply.
    pub headers: IndexMap<String, FieldTest>,
}

/// Method and target, as in `GET /users/1?full=1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestLine {
    /// The method.
    pub method: Method,
    /// The target: a path and perhaps a query.
    pub target: Box<str>,
}

impl FromText for RequestLine {
    const WHAT: &'static str = "a request such as `GET /users/1`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let refused =
            || Refusal::new(format!("`{text}` is not a request")).hint("write for example `GET /users/1`");
        let (method, target) = text.split_once(' ').ok_or_else(refused)?;
        let blank = |c: char| c.is_whitespace() || c.is_control();
        match target.starts_with('/') && !target.contains(blank) {
            true => Ok(Self { method: Method::from_text(method)?, target: target.into() }),
            false => Err(refused()),
        }
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)
    }
}

text_type!(RequestLine, "RequestLine", {
    "pattern": r"^[A-Z-]+ /\S*$",
    "description": "method and target",
    "examples": ["GET /users/1?full=1"]
});

#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "the reader is written by hand, only the schema is derived")]
struct LongTest {
    /// Method and target: `GET /users/1`.
    request: Spanned<RequestLine>,
    /// Header fields of the request.
    #[serde(default)]
    headers: IndexMap<String, String>,
    /// The address the request comes from. Default: `127.0.0.1`.
    #[serde(default)]
    client: Option<Caller>,
    /// The body of the request.
    #[serde(default)]
    body: Option<String>,
    /// What should happen.
    expect: Spanned<Expect>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[derive(Default)]
struct LongExpect {
    /// The status of the reply; a service that would be called counts as 200.
    #[schemars(range(min = 100, max = 599))]
    status: Option<u16>,
    /// The route that the request takes.
    route: Option<String>,
    /// The group that the request is in, if its route is split; `none` if it is in none or chance decides.
    group: Option<String>,
    /// The target that the service gets to see.
    target: Option<String>,
    /// Header fields of the reply.
    headers: IndexMap<String, FieldTest>,
}

const KEYS: &[&str] = &["request", "headers", "client", "body", "expect"];

impl<'de> Deserialize<'de> for RouteTest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TestVisitor)
    }
}

struct TestVisitor;

impl<'de> Visitor<'de> for TestVisitor {
    type Value = RouteTest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a test such as `GET /users/1: 200`, or a map with `request` and `expect`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RouteTest, A::Error> {
        let (mut request, mut expect, mut headers, mut client, mut body) =
            (None, None, IndexMap::new(), None, None);
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            match &**key {
                "request" => request = Some(map.next_value()?),
                "headers" => headers = map.next_value()?,
                "client" => client = map.next_value()?,
                "body" => body = map.next_value()?,
                "expect" => expect = Some(map.next_value()?),
                line if line.contains(' ') && request.is_none() => {
                    let line = RequestLine::from_text(line).map_err(A::Error::custom)?;
                    request = Some(Spanned::new(key.span, line));
                    expect = Some(map.next_value()?);
                }
                unknown => return Err(A::Error::unknown_field(unknown, KEYS)),
            }
        }
        Ok(RouteTest {
            request: request.ok_or_else(|| A::Error::missing_field("request"))?,
            expect: expect.ok_or_else(|| A::Error::missing_field("expect"))?,
            headers,
            client,
            body,
        })
    }
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExpectVisitor)
    }
}

struct ExpectVisitor;

impl<'de> Visitor<'de> for ExpectVisitor {
    type Value = Expect;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status, or a map with `status`, `route`, `group`, `target` or `headers`")
    }

    fn visit_i64<E: Error>(self, status: i64) -> Result<Expect, E> {
        let status = u16::try_from(status).ok().filter(|status| (100..=599).contains(status));
        match status {
            Some(status) => Ok(Expect { status: Some(status), ..Expect::default() }),
            None => Err(E::custom("no such status\nwrite a number from 100 to 599")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Expect, A::Error> {
        let LongExpect { status, route, group, target, headers } =
            LongExpect::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Expect { status, route, group, target, headers })
    }
}

impl JsonSchema for RouteTest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RouteTest".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let expect = generator.subschema_for::<Expect>();
        let long = LongTest::json_schema(generator);
        json_schema!({
            "description": "a request and what should happen to it",
            "anyOf": [
                {
                    "type": "object",
                    "description": "a request line and what should happen",
                    "patternProperties": { r"^[A-Z-]+ /\S*$": expect },
                    "additionalProperties": false,
                    "minProperties": 1,
                    "maxProperties": 1
                },
                long
            ]
        })
    }
}

impl JsonSchema for Expect {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expect".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = LongExpect::json_schema(generator);
        json_schema!({
            "description": "what should happen to a request: a status, or more",
            "anyOf": [{ "type": "integer", "minimum": 100, "maximum": 599 }, long]
        })
    }
}
