//! Messages as a test sees them.

use std::fmt;

/// Header fields in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// The value of the only field of this name.
    ///
    /// # Panics
    /// When there are several.
    pub fn get(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} is repeated: {self}");
        all.first().copied()
    }

    /// The values of all fields of this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// True when there is a field of this name.
    pub fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }

    /// True when the field's comma-separated list has this member.
    pub fn lists(&self, name: &str, member: &str) -> bool {
        self.all(name).iter().flat_map(|v| v.split(',')).any(|m| m.trim().eq_ignore_ascii_case(member))
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))
    }
}

/// A request as an origin got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The target, exactly.
    pub target: String,
    /// The fields.
    pub fields: Fields,
    /// The content, with its framing taken off.
    pub body: Vec<u8>,
    /// The number of the connection on which it came, from 0.
    pub connection: usize,
}

impl Request {
    /// The content as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A response as a client got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The fields.
    pub fields: Fields,
    /// The content, with its framing taken off.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Fields,
    /// The interim responses before it.
    pub interim: Vec<(u16, Fields)>,
}

impl Response {
    /// The content as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The stable code of a failure that the gateway answered; empty if it is none.
    pub fn code(&self) -> String {
        let text = self.text();
        let code = text.split_once("\"code\":\"").and_then(|(_, rest)| rest.split_once('"'));
        code.map(|(code, _)| code.to_owned()).unwrap_or_default()
    }

    /// Status and code in one, for tables.
    pub fn outcome(&self) -> String {
        format!("{} {}", self.status, self.code())
    }

    /// True when the response says that the connection ends.
    pub fn says_close(&self) -> bool {
        self.fields.lists("connection", "close")
    }
}
