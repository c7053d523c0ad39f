use std::fmt;
use std::net::SocketAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::address::socket_path;
use crate::text::{FromText, Refusal, text_type};

/// Where a listener is: `127.0.0.1:8001`, `0.0.0.0:80`, `[::]:80`, where port 0 takes any free port; or
/// `unix:/run/menshen.sock`, or a map that says who may connect to such a socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Bind {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// A Unix socket.
    Unix(UnixBind),
}

/// A Unix socket to listen at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnixBind {
    /// Its path; a relative one counts from the folder of the configuration.
    pub path: Box<str>,
    /// The permissions of its file.
    pub mode: Option<FileMode>,
    /// The group that owns its file: a name or a number.
    pub group: Option<Box<str>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Long {
    /// The path of a Unix socket to listen at; a relative one counts from the folder of the configuration.
    unix: SocketPath,
    /// The permissions of its file: who may write to it may connect. Default: what the umask of the process leaves.
    #[serde(default)]
    mode: Option<FileMode>,
    /// The group that owns its file, a name or a number. Default: that of the process.
    #[serde(default)]
    group: Option<Group>,
}

/// An IP address and a port.
pub(super) fn ip_and_port(text: &str) -> Result<SocketAddr, Refusal> {
    let refused = || Refusal::new(format!("`{text}` is not an address to listen at"));
    text.parse().map_err(|_| match text.rsplit_once(':') {
        Some(("", port)) | Some(("*", port)) => refused()
            .hint(format!("write `0.0.0.0:{port}` for all addresses, `127.0.0.1:{port}` for this machine")),
        Some(("localhost", port)) => refused().hint(format!("write `127.0.0.1:{port}`")),
        Some(_) => refused().hint("write an IP address and a port, as in `127.0.0.1:8001` or `[::]:8001`"),
        None if text.parse::<std::net::IpAddr>().is_ok() => {
            refused().hint(format!("add a port: `{text}:8001`"))
        }
        None if text.contains('/') => refused().hint(format!("write `unix:{text}` for a Unix socket")),
        None => refused().hint("write an IP address and a port, as in `127.0.0.1:8001`"),
    })
}

impl Bind {
    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text.strip_prefix("unix:") {
            None => ip_and_port(text).map(Self::Ip),
            Some(path) => Ok(Self::Unix(UnixBind { path: socket_path(path)?, mode: None, group: None })),
        }
    }
}

impl std::str::FromStr for Bind {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        Self::from_text(text)
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(socket) => write!(f, "unix:{}", socket.path),
        }
    }
}

impl<'de> Deserialize<'de> for Bind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BindVisitor;

        impl BindVisitor {
            fn refuse_number<E: Error>(number: impl fmt::Display) -> E {
                let hint = format!("write `127.0.0.1:{number}` or `0.0.0.0:{number}`");
                E::custom(Refusal::new("an address needs a host").hint(hint))
            }
        }

        impl<'de> Visitor<'de> for BindVisitor {
            type Value = Bind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address such as `127.0.0.1:8001` or `unix:/run/menshen.sock`, or a map")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Bind, E> {
                Bind::from_text(text).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Bind, E> {
                Err(Self::refuse_number(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Bind, E> {
                Err(Self::refuse_number(number))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Bind, A::Error> {
                let Long { unix, mode, group } = Long::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Bind::Unix(UnixBind { path: unix.0, mode, group: group.map(|g| g.0) }))
            }
        }

        deserializer.deserialize_any(BindVisitor)
    }
}

impl JsonSchema for Bind {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Bind".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = Long::json_schema(generator);
        json_schema!({
            "description": "an IP address and a port to listen at, or a Unix socket",
            "anyOf": [
                { "type": "string", "pattern": "^(unix:.+|.+:[0-9]+)$",
                  "description": "an IP address and a port, or `unix:` and a path",
                  "examples": ["127.0.0.1:8001", "0.0.0.0:80", "[::]:80", "unix:/run/menshen.sock"] },
                long
            ]
        })
    }
}

/// The path of a Unix socket.
struct SocketPath(Box<str>);

impl FromText for SocketPath {
    const WHAT: &'static str = "a path such as `/run/menshen.sock`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text.strip_prefix("unix:") {
            Some(path) => Err(Refusal::new("the path of a socket").hint(format!("write `{path}`"))),
            None => socket_path(text).map(Self),
        }
    }
}

impl fmt::Display for SocketPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(SocketPath, "SocketPath", {
    "description": "the path of a Unix socket",
    "examples": ["/run/menshen.sock"]
});

/// Permissions of a file in octal digits, such as `"0660"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileMode(pub u32);

impl FromText for FileMode {
    const WHAT: &'static str = "permissions such as `\"0660\"`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let is_octal = matches!(text.len(), 3..=4) && text.bytes().all(|b| matches!(b, b'0'..=b'7'));
        let mode = u32::from_str_radix(text, 8).ok().filter(|m| is_octal && *m <= 0o777);
        mode.map(Self).ok_or_else(|| {
            Refusal::new(format!("`{text}` are no permissions of a file"))
                .hint("write `\"0660\"`: read and write for the owner, for the group, and for others")
        })
    }

    fn from_number(_: &str) -> Result<Self, Refusal> {
        Err(Refusal::new("permissions without quotes are another number")
            .hint("write them in quotes, as in `mode: \"0660\"`"))
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

text_type!(FileMode, "FileMode", {
    "pattern": "^0?[0-7]{3}$",
    "description": "permissions of a file in octal digits, in quotes",
    "examples": ["0660"]
});

/// A group of the system.
struct Group(Box<str>);

impl FromText for Group {
    const WHAT: &'static str = "a group such as `www-data`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text.is_empty() || text.contains([':', ' ', '/']) {
            true => Err(Refusal::new(format!("`{text}` is not a group"))),
            false => Ok(Self(text.into())),
        }
    }

    fn from_number(number: &str) -> Result<Self, Refusal> {
        Self::from_text(number)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(Group, "Group", {
    "description": "a group of the system: its name or its number",
    "examples": ["www-data"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_is_an_address_or_a_socket() {
        for text in ["127.0.0.1:8001", "[::]:80", "unix:/run/menshen.sock", "unix:menshen.sock"] {
            assert_eq!(text.parse::<Bind>().unwrap().to_string(), text);
        }
        let hint = |text: &str| text.parse::<Bind>().unwrap_err().hint.unwrap();
        assert_eq!(hint("/run/menshen.sock"), "write `unix:/run/menshen.sock` for a Unix socket");
        assert_eq!(hint("unix:"), "write `unix:/run/app.sock`");
        assert_eq!(hint("localhost:80"), "write `127.0.0.1:80`");
    }

    #[test]
    fn permissions_are_octal() {
        assert_eq!("0660".parse::<FileMode>().unwrap(), FileMode(0o660));
        assert_eq!("600".parse::<FileMode>().unwrap().to_string(), "0600");
        for text in ["", "66", "0880", "1777", "rw-rw----", "00660"] {
            assert!(text.parse::<FileMode>().is_err(), "{text}");
        }
    }
}
