//! The request target in its one canonical form: routing, filters, limits, logs and the service all see the same.
//!
//! Unreserved escapes are decoded (`%61` is `a`, RFC 3986 §6.2.2.2), literal dot segments removed, empty segments
//! merged; every other legal escape passes as it came. What services could read in two ways is refused.

use std::borrow::Cow;
use std::ops::Range;

use menshen_http1::{Authority, Method};

/// Why a target was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetError {
    /// Neither `/path`, an absolute `http` URL, nor `*` with OPTIONS (RFC 9112 §3.2).
    Form,
    /// A `%` that two hexadecimal digits do not follow.
    Escape,
    /// An escaped control byte.
    ControlByte,
    /// `%2F`: a slash to some, a name to others. A route may allow it.
    EncodedSlash,
    /// A backslash, plain or escaped: a slash to some.
    Backslash,
    /// A dot segment hidden behind escapes or parameters.
    HiddenDots,
    /// A segment of parameters only, as in `/;x/admin`: services that strip parameters and merge slashes read `/admin`.
    NamelessSegment,
    /// Escapes that are not UTF-8.
    NotUtf8,
    /// The authority of an absolute target differs from Host.
    AuthorityDiffers,
}

impl TargetError {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Form => "bad-target-form",
            Self::Escape => "bad-escape",
            Self::ControlByte => "escaped-control-byte",
            Self::EncodedSlash => "encoded-slash",
            Self::Backslash => "backslash",
            Self::HiddenDots => "hidden-dot-segment",
            Self::NamelessSegment => "nameless-segment",
            Self::NotUtf8 => "path-not-utf8",
            Self::AuthorityDiffers => "authority-differs",
        }
    }

    /// One sentence for a person.
    pub fn text(self) -> &'static str {
        match self {
            Self::Form => "The request target is not a path.",
            Self::Escape => "The path has a percent sign without two hexadecimal digits behind it.",
            Self::ControlByte => "The path has an escaped control byte.",
            Self::EncodedSlash => "The path has an escaped slash, which this route does not allow.",
            Self::Backslash => "The path has a backslash.",
            Self::HiddenDots => "The path hides a dot segment behind escapes or parameters.",
            Self::NamelessSegment => "The path has a segment with parameters but without a name.",
            Self::NotUtf8 => "The escapes of the path are not UTF-8.",
            Self::AuthorityDiffers => "The host of the target differs from the Host field.",
        }
    }
}

/// A canonical target. Reused from request to request.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Path, then `?query` as received.
    text: Vec<u8>,
    path_len: usize,
    /// The path with all escapes decoded, when it has any.
    decoded: Vec<u8>,
    has_encoded_slash: bool,
    is_asterisk: bool,
}

impl Target {
    /// Reads the target of a request.
    ///
    /// # Errors
    /// See [`TargetError`]; the request must be answered with 400.
    pub fn read(&mut self, raw: &[u8], method: Method, host: Option<&[u8]>) -> Result<(), TargetError> {
        self.is_asterisk = raw == b"*";
        let raw = match raw {
            [b'/', ..] => raw,
            b"*" if method == Method::Options => b"/*",
            _ => origin_form(raw, host)?,
        };
        let (path, query) = split_query(raw);
        self.clear();
        if is_plain(path) {
            self.text.extend_from_slice(path);
        } else if let Err(error) = self.canonicalise(path) {
            self.clear();
            return Err(error);
        }
        self.path_len = self.text.len();
        self.text.extend_from_slice(query);
        Ok(())
    }

    /// Forgets what was read; the path is empty then.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.path_len = 0;
        self.decoded.clear();
        self.has_encoded_slash = false;
    }

    /// The canonical path, always starting with `/`; empty when none was read.
    pub fn path(&self) -> &[u8] {
        self.text.get(..self.path_len).unwrap_or_default()
    }

    /// The query without its `?`, as received or last set.
    pub fn query(&self) -> Option<&[u8]> {
        self.text.get(self.path_len + 1..)
    }

    /// Path and query, as they are sent on.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// The path as routes match it: decoded, except for bytes that would change its segments.
    pub fn decoded_path(&self) -> &[u8] {
        if self.decoded.is_empty() { self.path() } else { &self.decoded }
    }

    /// The places of the segments in [`Target::decoded_path`], without their `;parameters`, which
    /// frameworks strip before they match.
    pub fn segments(&self) -> Segments<'_> {
        let path = self.decoded_path();
        Segments { path, at: 1.min(path.len()) }
    }

    /// True when a segment holds `%2F`.
    pub fn has_encoded_slash(&self) -> bool {
        self.has_encoded_slash
    }

    /// True for `OPTIONS *`, which is about the server and not about a path. Routes see it as `/*`.
    pub fn is_asterisk(&self) -> bool {
        self.is_asterisk
    }

    /// Replaces the query; `None` removes it.
    pub fn set_query(&mut self, query: Option<&[u8]>) {
        self.text.truncate(self.path_len);
        if let Some(query) = query {
            self.text.push(b'?');
            self.text.extend_from_slice(query);
        }
    }

    /// The value of a query parameter, still escaped.
    pub fn query_value(&self, name: &[u8]) -> Option<&[u8]> {
        query_pairs(self.query()?).find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    fn canonicalise(&mut self, path: &[u8]) -> Result<(), TargetError> {
        let mut rest = path.get(1..).unwrap_or_default();
        let mut has_escapes = false;
        loop {
            let end = memchr::memchr(b'/', rest).unwrap_or(rest.len());
            let (raw, last) = (rest.get(..end).unwrap_or_default(), end == rest.len());
            has_escapes |= memchr::memchr(b'%', raw).is_some();
            self.push_segment(raw, last)?;
            if last {
                break;
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        if self.text.is_empty() {
            self.text.push(b'/');
        }
        if has_escapes {
            decode_for_matching(&self.text, &mut self.decoded);
            std::str::from_utf8(&self.decoded).map_err(|_| TargetError::NotUtf8)?;
        }
        Ok(())
    }

    /// Adds `/segment`, or takes one away for `..`.
    fn push_segment(&mut self, raw: &[u8], last: bool) -> Result<(), TargetError> {
        match raw {
            b"" if !last => return Ok(()),
            b"." | b".." => {
                if raw == b".." {
                    let parent = memchr::memrchr(b'/', &self.text).unwrap_or(0);
                    self.text.truncate(parent);
                }
                if last {
                    self.text.push(b'/');
                }
                return Ok(());
            }
            _ => {}
        }
        self.text.push(b'/');
        let from = self.text.len();
        let mut i = 0;
        while let Some(&b) = raw.get(i) {
            if b == b'\\' {
                return Err(TargetError::Backslash);
            }
            if b != b'%' {
                self.text.push(b);
                i += 1;
                continue;
            }
            let byte = escaped_byte(raw, i).ok_or(TargetError::Escape)?;
            match byte {
                b'\\' => return Err(TargetError::Backslash),
                0..=0x1f | 0x7f => return Err(TargetError::ControlByte),
                b if is_unreserved(b) => self.text.push(b),
                _ => {
                    self.has_encoded_slash |= byte == b'/';
                    self.text.extend_from_slice(raw.get(i..i + 3).unwrap_or_default());
                }
            }
            i += 3;
        }
        let segment = self.text.get(from..).unwrap_or_default();
        match without_parameters(segment) {
            b"." | b".." => Err(TargetError::HiddenDots),
            // At the end it is how some frameworks write a session: `/;jsessionid=1`.
            b"" if !last => Err(TargetError::NamelessSegment),
            _ => Ok(()),
        }
    }
}

/// The segments of a path, as ranges into it. A trailing slash makes no segment of its own.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    path: &'a [u8],
    at: usize,
}

impl Iterator for Segments<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let rest = self.path.get(self.at..)?;
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'/', rest).unwrap_or(rest.len());
        let name = without_parameters(rest.get(..end)?);
        let range = self.at..self.at + name.len();
        self.at += end + 1;
        Some(range)
    }
}

/// The pairs of a query, still escaped, in order.
pub fn query_pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|b| *b == b'&').filter(|p| !p.is_empty()).map(|pair| match memchr::memchr(b'=', pair) {
        Some(i) => (pair.get(..i).unwrap_or_default(), pair.get(i + 1..).unwrap_or_default()),
        None => (pair, &b""[..]),
    })
}

/// A name or value of a query without its escapes (`+` is a space); what is no escape stays as it is.
pub fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut i = 0;
    while let Some(&b) = text.get(i) {
        let byte = escaped_byte(text, i);
        out.push(byte.unwrap_or(if b == b'+' { b' ' } else { b }));
        i += if byte.is_some() { 3 } else { 1 };
    }
    Cow::Owned(out)
}

fn split_query(raw: &[u8]) -> (&[u8], &[u8]) {
    raw.split_at(memchr::memchr(b'?', raw).unwrap_or(raw.len()))
}

/// The path and query of an absolute target, whose authority must be that of Host.
fn origin_form<'a>(raw: &'a [u8], host: Option<&[u8]>) -> Result<&'a [u8], TargetError> {
    let scheme_end = memchr::memmem::find(raw, b"://").ok_or(TargetError::Form)?;
    let (scheme, rest) = raw.split_at(scheme_end);
    let rest = rest.get(3..).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return Err(TargetError::Form);
    }
    let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = Authority::parse(authority).ok_or(TargetError::Form)?;
    let same = host
        .and_then(Authority::parse)
        .is_some_and(|h| h.host.eq_ignore_ascii_case(authority.host) && h.port == authority.port);
    match (same, path) {
        (false, _) => Err(TargetError::AuthorityDiffers),
        (true, [b'/', ..]) => Ok(path),
        (true, []) => Ok(b"/"),
        // `http://host?query` has an empty path; nothing but `/` can be meant, but then the text would need a copy.
        (true, _) => Err(TargetError::Form),
    }
}

/// True when the path is canonical as it stands.
fn is_plain(path: &[u8]) -> bool {
    let mut previous = 0u8;
    for &b in path {
        let suspicious = matches!(b, b'%' | b'\\') || (previous == b'/' && matches!(b, b'/' | b'.' | b';'));
        if suspicious {
            return false;
        }
        previous = b;
    }
    true
}

fn without_parameters(segment: &[u8]) -> &[u8] {
    match memchr::memchr(b';', segment) {
        Some(i) => segment.get(..i).unwrap_or_default(),
        None => segment,
    }
}

/// The byte that the escape at `at` stands for.
fn escaped_byte(text: &[u8], at: usize) -> Option<u8> {
    let [b'%', high, low] = *text.get(at..at + 3)? else { return None };
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

/// Decodes a canonical path, but keeps escapes whose bytes would make or cut segments.
fn decode_for_matching(path: &[u8], out: &mut Vec<u8>) {
    let mut i = 0;
    while let Some(&b) = path.get(i) {
        match escaped_byte(path, i) {
            Some(byte) if !matches!(byte, b'/' | b';' | b'%') => {
                out.push(byte);
                i += 3;
            }
            Some(_) => {
                out.extend(path.get(i..i + 3).unwrap_or_default().iter().map(u8::to_ascii_uppercase));
                i += 3;
            }
            None => {
                out.push(b);
                i += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Result<String, TargetError> {
        let mut t = Target::default();
        t.read(raw.as_bytes(), Method::Get, Some(b"pub:80"))
            .map(|()| String::from_utf8_lossy(t.as_bytes()).into_owned())
    }

    #[test]
    fn one_canonical_form_is_made() {
        for (raw, canonical) in [
            ("/", "/"),
            ("/a/b?x=1&y=%zz", "/a/b?x=1&y=%zz"),
            ("/pub/../admin", "/admin"),
            ("/../../x", "/x"),
            ("/a/./b/.", "/a/b/"),
            ("/a/b/..", "/a/"),
            ("//admin", "/admin"),
            ("/pub//../admin", "/admin"),
            ("/%61dmin", "/admin"),
            ("/a%20b%c3%a9", "/a%20b%c3%a9"),
            ("/pub%252e%252e/x", "/pub%252e%252e/x"),
            ("/admin;x=1", "/admin;x=1"),
            ("http://PUB:80/a?b", "/a?b"),
            ("http://pub:80", "/"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a//", "/a/"),
        ] {
            assert_eq!(read(raw).as_deref(), Ok(canonical), "{raw}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        use TargetError as E;
        for (raw, error) in [
            ("/pub/%2e%2e/admin", E::HiddenDots),
            ("/pub/%2E./admin", E::HiddenDots),
            ("/pub/..;/admin", E::HiddenDots),
            ("/pub/.;/x", E::HiddenDots),
            ("/pub/..%5cadmin", E::Backslash),
            ("/pub/..\\admin", E::Backslash),
            ("/;/admin", E::NamelessSegment),
            ("/pub/;x=1/admin", E::NamelessSegment),
            ("/admin%00", E::ControlByte),
            ("/admin%09", E::ControlByte),
            ("/a/%zz", E::Escape),
            ("/a/%2", E::Escape),
            ("/%c0%ae%c0%ae/admin", E::NotUtf8),
            ("/%ff", E::NotUtf8),
            ("http://other/admin", E::AuthorityDiffers),
            ("ftp://pub:80/", E::Form),
            ("*", E::Form),
            ("admin", E::Form),
            ("pub:443", E::Form),
        ] {
            assert_eq!(read(raw), Err(error), "{raw}");
        }
    }

    #[test]
    fn an_escaped_slash_is_kept_and_reported() {
        let mut t = Target::default();
        t.read(b"/a/..%2fb", Method::Get, None).unwrap();
        assert!(t.has_encoded_slash());
        assert_eq!(t.decoded_path(), b"/a/..%2Fb");
    }

    #[test]
    fn segments_come_decoded_and_without_parameters() {
        let mut t = Target::default();
        t.read(b"/a;v=1/b%20c/", Method::Get, None).unwrap();
        let parts: Vec<_> =
            t.segments().map(|r| String::from_utf8_lossy(&t.decoded_path()[r]).into_owned()).collect();
        assert_eq!(parts, ["a", "b c"]);
        t.read(b"/", Method::Get, None).unwrap();
        assert_eq!(t.segments().count(), 0);
    }

    #[test]
    fn the_query_can_be_read_and_replaced() {
        let mut t = Target::default();
        t.read(b"/a?x=1&y&x=2", Method::Get, None).unwrap();
        assert_eq!(t.query_value(b"x"), Some(&b"1"[..]));
        assert_eq!(t.query_value(b"y"), Some(&b""[..]));
        t.set_query(Some(b"z=3"));
        assert_eq!(t.as_bytes(), b"/a?z=3");
        t.set_query(None);
        assert_eq!((t.as_bytes(), t.query()), (&b"/a"[..], None));
    }

    proptest::proptest! {
        #[test]
        fn a_canonical_target_is_its_own_canonical_form(raw in "/[a-c./%;25eEfF\\\\]{0,24}") {
            if let Ok(once) = read(&raw) {
                proptest::prop_assert_eq!(read(&once), Ok(once));
            }
        }
    }
}
