//! Well-known field names, so that hot code compares one byte instead of a string.

/// A field name: one of the well-known ones, or [`FieldName::OTHER`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldName(u8);

/// Well-known names ordered by length; the position is the id.
const NAMES: [&str; COUNT] = [
    "te",
    "age",
    "via",
    "date",
    "etag",
    "from",
    "host",
    "vary",
    "allow",
    "range",
    "accept",
    "cookie",
    "expect",
    "origin",
    "server",
    "alt-svc",
    "expires",
    "referer",
    "trailer",
    "upgrade",
    "if-match",
    "if-range",
    "location",
    "forwarded",
    "x-real-ip",
    "connection",
    "keep-alive",
    "set-cookie",
    "user-agent",
    "retry-after",
    "content-type",
    "x-request-id",
    "accept-ranges",
    "authorization",
    "cache-control",
    "content-range",
    "if-none-match",
    "last-modified",
    "server-timing",
    "content-length",
    "http2-settings",
    "accept-encoding",
    "x-forwarded-for",
    "content-encoding",
    "proxy-connection",
    "www-authenticate",
    "x-forwarded-host",
    "x-forwarded-port",
    "if-modified-since",
    "transfer-encoding",
    "x-forwarded-proto",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "proxy-authenticate",
    "if-unmodified-since",
    "proxy-authorization",
    "proxy-authentication-info",
    "access-control-max-age",
    "access-control-allow-origin",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-expose-headers",
    "access-control-request-method",
    "access-control-request-headers",
    "access-control-allow-credentials",
];

const COUNT: usize = 65;
const LONGEST: usize = 32;

/// `RANGES[len]` is the part of [`ORDER`] with names of that length.
const RANGES: [(u8, u8); LONGEST + 1] = ranges();
/// Ids sorted by length of the name, so that the list above may be in any order.
const ORDER: [u8; COUNT] = order();

#[expect(clippy::indexing_slicing, reason = "runs while compiling only")]
const fn order() -> [u8; COUNT] {
    let mut out = [0u8; COUNT];
    let (mut n, mut len) = (0, 0);
    while len <= LONGEST {
        let mut i = 0;
        while i < COUNT {
            if NAMES[i].len() == len {
                out[n] = i as u8;
                n += 1;
            }
            i += 1;
        }
        len += 1;
    }
    assert!(n == COUNT, "a well-known name is longer than LONGEST");
    out
}

#[expect(clippy::indexing_slicing, reason = "runs while compiling only")]
const fn ranges() -> [(u8, u8); LONGEST + 1] {
    let order = order();
    let mut out = [(0u8, 0u8); LONGEST + 1];
    let mut i = 0;
    while i < COUNT {
        let len = NAMES[order[i] as usize].len();
        if out[len].1 == 0 {
            out[len].0 = i as u8;
        }
        out[len].1 = i as u8 + 1;
        i += 1;
    }
    out
}

#[expect(clippy::indexing_slicing, clippy::panic, reason = "runs while compiling only")]
const fn id(name: &str) -> FieldName {
    let mut i = 0;
    while i < COUNT {
        if same(NAMES[i].as_bytes(), name.as_bytes()) {
            return FieldName(i as u8);
        }
        i += 1;
    }
    panic!("not in NAMES")
}

#[expect(clippy::indexing_slicing, reason = "runs while compiling only")]
const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[allow(missing_docs)] // the constant is the name
impl FieldName {
    pub const ACCEPT_ENCODING: Self = id("accept-encoding");
    pub const ACCEPT_RANGES: Self = id("accept-ranges");
    pub const ACCESS_CONTROL_ALLOW_CREDENTIALS: Self = id("access-control-allow-credentials");
    pub const ACCESS_CONTROL_ALLOW_HEADERS: Self = id("access-control-allow-headers");
    pub const ACCESS_CONTROL_ALLOW_METHODS: Self = id("access-control-allow-methods");
    pub const ACCESS_CONTROL_ALLOW_ORIGIN: Self = id("access-control-allow-origin");
    pub const ACCESS_CONTROL_EXPOSE_HEADERS: Self = id("access-control-expose-headers");
    pub const ACCESS_CONTROL_MAX_AGE: Self = id("access-control-max-age");
    pub const ACCESS_CONTROL_REQUEST_HEADERS: Self = id("access-control-request-headers");
    pub const ACCESS_CONTROL_REQUEST_METHOD: Self = id("access-control-request-method");
    pub const ALLOW: Self = id("allow");
    pub const AUTHORIZATION: Self = id("authorization");
    pub const CACHE_CONTROL: Self = id("cache-control");
    pub const CONNECTION: Self = id("connection");
    pub const CONTENT_ENCODING: Self = id("content-encoding");
    pub const CONTENT_LENGTH: Self = id("content-length");
    pub const CONTENT_RANGE: Self = id("content-range");
    pub const CONTENT_TYPE: Self = id("content-type");
    pub const COOKIE: Self = id("cookie");
    pub const DATE: Self = id("date");
    pub const ETAG: Self = id("etag");
    pub const EXPECT: Self = id("expect");
    pub const FORWARDED: Self = id("forwarded");
    pub const HOST: Self = id("host");
    pub const HTTP2_SETTINGS: Self = id("http2-settings");
    pub const KEEP_ALIVE: Self = id("keep-alive");
    pub const LOCATION: Self = id("location");
    pub const ORIGIN: Self = id("origin");
    pub const PROXY_AUTHENTICATE: Self = id("proxy-authenticate");
    pub const PROXY_AUTHORIZATION: Self = id("proxy-authorization");
    pub const PROXY_CONNECTION: Self = id("proxy-connection");
    pub const RANGE: Self = id("range");
    pub const RETRY_AFTER: Self = id("retry-after");
    pub const SERVER: Self = id("server");
    pub const SERVER_TIMING: Self = id("server-timing");
    pub const SET_COOKIE: Self = id("set-cookie");
    pub const TE: Self = id("te");
    pub const TRAILER: Self = id("trailer");
    pub const TRANSFER_ENCODING: Self = id("transfer-encoding");
    pub const UPGRADE: Self = id("upgrade");
    pub const USER_AGENT: Self = id("user-agent");
    pub const VARY: Self = id("vary");
    pub const VIA: Self = id("via");
    pub const X_FORWARDED_FOR: Self = id("x-forwarded-for");
    pub const X_FORWARDED_HOST: Self = id("x-forwarded-host");
    pub const X_FORWARDED_PORT: Self = id("x-forwarded-port");
    pub const X_FORWARDED_PREFIX: Self = id("x-forwarded-prefix");
    pub const X_FORWARDED_PROTO: Self = id("x-forwarded-proto");
    pub const X_FORWARDED_SERVER: Self = id("x-forwarded-server");
    pub const X_REAL_IP: Self = id("x-real-ip");
    pub const X_REQUEST_ID: Self = id("x-request-id");
}

impl FieldName {
    /// Any name that is not well-known; compare its text. As an argument it stands for no field at all.
    pub const OTHER: Self = Self(u8::MAX);

    /// The id of a name, whatever its case.
    pub fn of(name: &[u8]) -> Self {
        let Some(&(from, to)) = RANGES.get(name.len()) else { return Self::OTHER };
        let Some(candidates) = ORDER.get(usize::from(from)..usize::from(to)) else { return Self::OTHER };
        for &id in candidates {
            if NAMES.get(usize::from(id)).is_some_and(|known| known.as_bytes().eq_ignore_ascii_case(name)) {
                return Self(id);
            }
        }
        Self::OTHER
    }

    /// True when both are the same well-known name.
    pub(crate) fn is(self, other: Self) -> bool {
        self == other && self != Self::OTHER
    }

    /// The name in lower case; empty for [`FieldName::OTHER`].
    pub fn as_str(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or("")
    }

    /// Fields that end at this hop whatever `Connection` says (RFC 9110 §7.6.1).
    pub fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Self::CONNECTION
                | Self::KEEP_ALIVE
                | Self::PROXY_CONNECTION
                | Self::PROXY_AUTHENTICATE
                | Self::PROXY_AUTHORIZATION
                | Self::TE
                | Self::TRAILER
                | Self::TRANSFER_ENCODING
                | Self::UPGRADE
                | Self::HTTP2_SETTINGS
        )
    }
}

impl std::fmt::Debug for FieldName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Self::OTHER { "(other)" } else { self.as_str() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_well_known_name_is_found_in_any_case() {
        for (i, name) in NAMES.iter().enumerate() {
            assert_eq!(FieldName::of(name.as_bytes()), FieldName(i as u8), "{name}");
            assert_eq!(FieldName::of(name.to_ascii_uppercase().as_bytes()), FieldName(i as u8), "{name}");
        }
    }

    #[test]
    fn unknown_names_are_other() {
        for name in ["", "x", "x-forwarded-fox", "a-name-that-is-longer-than-every-well-known-one"] {
            assert_eq!(FieldName::of(name.as_bytes()), FieldName::OTHER);
        }
    }
}
