//! Well-known field names, so that hot code compares one byte instead of a string.

use crate::NameSet;

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
    "x-client-ip",
    "content-type",
    "x-request-id",
    "accept-ranges",
    "authorization",
    "cache-control",
    "content-range",
    "if-none-match",
    "last-modified",
    "server-timing",
    "x-rewrite-url",
    "x-http-method",
    "content-length",
    "http2-settings",
    "true-client-ip",
    "x-original-url",
    "accept-encoding",
    "x-forwarded-for",
    "x-original-host",
    "x-forwarded-uri",
    "x-menshen-group",
    "content-encoding",
    "proxy-connection",
    "www-authenticate",
    "x-forwarded-host",
    "x-forwarded-port",
    "cf-connecting-ip",
    "x-menshen-mirror",
    "if-modified-since",
    "transfer-encoding",
    "x-forwarded-proto",
    "x-method-override",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "proxy-authenticate",
    "x-forwarded-method",
    "if-unmodified-since",
    "proxy-authorization",
    "x-cluster-client-ip",
    "x-envoy-original-path",
    "access-control-max-age",
    "x-http-method-override",
    "x-forwarded-client-cert",
    "proxy-authentication-info",
    "access-control-allow-origin",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-expose-headers",
    "access-control-request-method",
    "access-control-request-headers",
    "access-control-allow-credentials",
];

const COUNT: usize = 81;

/// A perfect hash of the names: the id whose name alone can be in a slot, or [`COUNT`] for none.
const SLOTS: [u8; 1 << SLOT_BITS] = slots();
const SLOT_BITS: u32 = 9;
/// Found by trying: with it no two names share a slot, which compiling proves. A new name may need another.
const MULTIPLIER: u32 = 0xa648_a7dd;

#[expect(clippy::indexing_slicing, reason = "runs while compiling only")]
const fn slots() -> [u8; 1 << SLOT_BITS] {
    let mut out = [COUNT as u8; 1 << SLOT_BITS];
    let mut i = 0;
    while i < COUNT {
        let slot = slot(NAMES[i].as_bytes());
        assert!(out[slot] == COUNT as u8, "two names share a slot: choose another MULTIPLIER");
        out[slot] = i as u8;
        i += 1;
    }
    out
}

/// The slot of a name, whatever its case: made of its length and four of its bytes.
#[expect(clippy::indexing_slicing, reason = "every index is below the length, which is not 0")]
const fn slot(name: &[u8]) -> usize {
    let n = name.len();
    if n == 0 {
        return 0;
    }
    let bytes = u32::from_le_bytes([name[0], name[n / 2], name[n * 3 / 4], name[n - 1]]);
    let key = (bytes | 0x2020_2020).wrapping_add(n as u32);
    (key.wrapping_mul(MULTIPLIER) >> (u32::BITS - SLOT_BITS)) as usize
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
    pub const CF_CONNECTING_IP: Self = id("cf-connecting-ip");
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
    pub const TRUE_CLIENT_IP: Self = id("true-client-ip");
    pub const UPGRADE: Self = id("upgrade");
    pub const USER_AGENT: Self = id("user-agent");
    pub const VARY: Self = id("vary");
    pub const VIA: Self = id("via");
    pub const X_CLIENT_IP: Self = id("x-client-ip");
    pub const X_CLUSTER_CLIENT_IP: Self = id("x-cluster-client-ip");
    pub const X_ENVOY_ORIGINAL_PATH: Self = id("x-envoy-original-path");
    pub const X_FORWARDED_CLIENT_CERT: Self = id("x-forwarded-client-cert");
    pub const X_FORWARDED_FOR: Self = id("x-forwarded-for");
    pub const X_FORWARDED_HOST: Self = id("x-forwarded-host");
    pub const X_FORWARDED_METHOD: Self = id("x-forwarded-method");
    pub const X_FORWARDED_PORT: Self = id("x-forwarded-port");
    pub const X_FORWARDED_PREFIX: Self = id("x-forwarded-prefix");
    pub const X_FORWARDED_PROTO: Self = id("x-forwarded-proto");
    pub const X_FORWARDED_SERVER: Self = id("x-forwarded-server");
    pub const X_FORWARDED_URI: Self = id("x-forwarded-uri");
    pub const X_HTTP_METHOD: Self = id("x-http-method");
    pub const X_HTTP_METHOD_OVERRIDE: Self = id("x-http-method-override");
    pub const X_MENSHEN_MIRROR: Self = id("x-menshen-mirror");
    pub const X_MENSHEN_GROUP: Self = id("x-menshen-group");
    pub const X_METHOD_OVERRIDE: Self = id("x-method-override");
    pub const X_ORIGINAL_HOST: Self = id("x-original-host");
    pub const X_ORIGINAL_URL: Self = id("x-original-url");
    pub const X_REAL_IP: Self = id("x-real-ip");
    pub const X_REQUEST_ID: Self = id("x-request-id");
    pub const X_REWRITE_URL: Self = id("x-rewrite-url");
}

impl FieldName {
    /// Any name that is not well-known; compare its text. As an argument it stands for no field at all.
    pub const OTHER: Self = Self(u8::MAX);

    /// The id of a name, whatever its case.
    pub fn of(name: &[u8]) -> Self {
        let id = SLOTS.get(slot(name)).copied().unwrap_or(COUNT as u8);
        match NAMES.get(usize::from(id)) {
            Some(known) if is_lower_of(known.as_bytes(), name) => Self(id),
            _ => Self::OTHER,
        }
    }

    /// True when both are the same well-known name.
    pub(crate) fn is(self, other: Self) -> bool {
        self == other && self != Self::OTHER
    }

    /// The bit of this name in a set of names; none for [`FieldName::OTHER`].
    pub(crate) const fn bit(self) -> u128 {
        if self.0 < COUNT as u8 { 1 << self.0 } else { 0 }
    }

    /// The name in lower case; empty for [`FieldName::OTHER`].
    pub fn as_str(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or("")
    }

    /// Fields that end at this hop whatever `Connection` says (RFC 9110 §7.6.1).
    pub const HOP_BY_HOP: NameSet = NameSet::of(&[
        Self::CONNECTION,
        Self::KEEP_ALIVE,
        Self::PROXY_CONNECTION,
        Self::PROXY_AUTHENTICATE,
        Self::PROXY_AUTHORIZATION,
        Self::TE,
        Self::TRAILER,
        Self::TRANSFER_ENCODING,
        Self::UPGRADE,
        Self::HTTP2_SETTINGS,
    ]);
}

/// True when `name` in lower case is `known`. Eight bytes at a time; where the length is no multiple of eight, some of
/// them twice.
fn is_lower_of(known: &[u8], name: &[u8]) -> bool {
    let same = |k: [u8; 8], n: [u8; 8]| u64::from_ne_bytes(k) == lower_word(u64::from_ne_bytes(n));
    if known.len() != name.len() {
        return false;
    }
    if let (Some(k), Some(n)) = (known.last_chunk(), name.last_chunk()) {
        return same(*k, *n) && known.as_chunks().0.iter().zip(name.as_chunks().0).all(|(k, n)| same(*k, *n));
    }
    match (both_ends(known), both_ends(name)) {
        (Some(k), Some(n)) => same(k, n),
        _ => known.eq_ignore_ascii_case(name),
    }
}

/// The first four bytes and the last four: all there is to texts of four to eight.
fn both_ends(text: &[u8]) -> Option<[u8; 8]> {
    let (&[a, b, c, d], &[e, f, g, h]) = (text.first_chunk()?, text.last_chunk()?);
    Some([a, b, c, d, e, f, g, h])
}

/// Eight ASCII bytes in lower case; bytes that are no capital letters stay.
fn lower_word(word: u64) -> u64 {
    const ALL: u64 = 0x0101_0101_0101_0101;
    let low = word & (0x7f * ALL);
    // The top bit of each byte tells whether it is at least 'A', and whether it is above 'Z'.
    let from_a = low + (0x80 - b'A' as u64) * ALL;
    let above_z = low + (0x7f - b'Z' as u64) * ALL;
    let capital = (from_a & !above_z & !word) & (0x80 * ALL);
    word | (capital >> 2)
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
    fn lower_words_are_those_of_the_standard_library() {
        for b in 0..=u8::MAX {
            for at in 0..8 {
                let mut word = *b"aZ-\xff_9@[";
                word[at] = b;
                let lower = lower_word(u64::from_ne_bytes(word)).to_ne_bytes();
                assert_eq!(lower, word.map(|b| b.to_ascii_lowercase()), "{b:#x} at {at}");
            }
        }
    }

    #[test]
    fn unknown_names_are_other() {
        for name in ["", "x", "x-forwarded-fox", "a-name-that-is-longer-than-every-well-known-one"] {
            assert_eq!(FieldName::of(name.as_bytes()), FieldName::OTHER);
        }
    }
}
