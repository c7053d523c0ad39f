//! How a target changes on its way to the service: strip, pattern, prefix, in this order.

use crate::Failure;
use crate::target::Target;

/// The changes of a route.
#[derive(Clone, Debug, Default)]
pub struct Rewrite {
    /// Segments taken from the front.
    pub strip: usize,
    /// A linear-time pattern on the path and what takes its place (`$1`).
    pub pattern: Option<(regex::bytes::Regex, Box<str>)>,
    /// Put in front; without trailing slash.
    pub prefix: Box<str>,
}

impl Rewrite {
    /// True when targets pass unchanged.
    pub fn is_identity(&self) -> bool {
        self.strip == 0 && self.pattern.is_none() && self.prefix.is_empty()
    }

    /// The target for the service, made in `scratch` where it is not the client's.
    ///
    /// # Errors
    /// As [`Rewrite::apply`].
    pub(crate) fn target<'a>(
        &self,
        target: &'a Target,
        base: &str,
        scratch: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], Failure> {
        if self.is_identity() && base.is_empty() && !target.is_asterisk() {
            return Ok(target.as_bytes());
        }
        self.apply(target, base, scratch)?;
        Ok(scratch)
    }

    /// Writes the target for the service: `base`, then the changed path, then the query.
    ///
    /// # Errors
    /// [`Failure::BadRewrite`] when what a pattern made is not canonical.
    pub fn apply(&self, target: &Target, base: &str, out: &mut Vec<u8>) -> Result<(), Failure> {
        if target.is_asterisk() {
            out.push(b'*');
            return Ok(());
        }
        if self.is_identity() && base.is_empty() {
            out.extend_from_slice(target.as_bytes());
            return Ok(());
        }
        out.extend_from_slice(base.as_bytes());
        out.extend_from_slice(self.prefix.as_bytes());
        let stripped = strip_segments(target.path(), self.strip);
        match &self.pattern {
            Some((pattern, to)) => {
                let path = pattern.replace(stripped, to.as_bytes());
                check(&path)?;
                out.extend_from_slice(&path);
            }
            None if stripped == b"/" && out.len() > 1 => {
                // `/users` stripped to nothing below a base is the base itself, as the client named it.
                if target.path().ends_with(b"/") {
                    out.push(b'/');
                }
            }
            None => out.extend_from_slice(stripped),
        }
        if let Some(query) = target.query() {
            out.push(b'?');
            out.extend_from_slice(query);
        }
        Ok(())
    }
}

/// The path without its first segments; at least `/`.
fn strip_segments(path: &[u8], count: usize) -> &[u8] {
    let mut rest = path;
    for _ in 0..count {
        let after = rest.get(1..).unwrap_or_default();
        match memchr::memchr(b'/', after) {
            Some(next) => rest = after.get(next..).unwrap_or_default(),
            None => return b"/",
        }
    }
    rest
}

/// What a pattern made must be a canonical path as it stands.
fn check(path: &[u8]) -> Result<(), Failure> {
    let legal = path.iter().all(|b| (0x21..=0x7e).contains(b) && !matches!(b, b'#' | b'?'));
    let mut target = Target::default();
    let canonical = target.read(path, menshen_http1::Method::Get, None).is_ok() && target.path() == path;
    if legal && canonical { Ok(()) } else { Err(Failure::BadRewrite) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(rewrite: &Rewrite, base: &str, raw: &str) -> Result<String, Failure> {
        let mut target = Target::default();
        target.read(raw.as_bytes(), menshen_http1::Method::Get, None).unwrap();
        let mut out = Vec::new();
        rewrite.apply(&target, base, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn segments_are_stripped_and_prefixes_put_in_front() {
        let strip = |n, prefix: &str| Rewrite { strip: n, prefix: prefix.into(), pattern: None };
        for (rewrite, base, raw, expected) in [
            (strip(0, ""), "", "/a?x", "/a?x"),
            (strip(1, ""), "", "/users/1?x", "/1?x"),
            (strip(1, ""), "", "/users", "/"),
            (strip(1, ""), "", "/users/", "/"),
            (strip(1, "/v2"), "", "/users/1", "/v2/1"),
            (strip(1, ""), "/base", "/users", "/base"),
            (strip(1, ""), "/base", "/users/", "/base/"),
            (strip(0, ""), "/base", "/a", "/base/a"),
            (strip(3, ""), "", "/a/b", "/"),
        ] {
            assert_eq!(apply(&rewrite, base, raw).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn a_pattern_that_makes_a_path_that_is_not_canonical_fails() {
        let rewrite = |p: &str, to: &str| Rewrite {
            pattern: Some((regex::bytes::Regex::new(p).unwrap(), to.into())),
            ..Rewrite::default()
        };
        assert_eq!(apply(&rewrite("^/a/(.*)$", "/b/$1"), "", "/a/x?q").as_deref(), Ok("/b/x?q"));
        assert_eq!(
            apply(&rewrite("^/a/(.*)$", "/b/.$1./x"), "", "/a/."),
            Ok("/a/".replace("/a/", "/b/../x")).and(Err(Failure::BadRewrite))
        );
        assert_eq!(apply(&rewrite("^/a", "x"), "", "/a"), Err(Failure::BadRewrite));
        assert_eq!(apply(&rewrite("-", "/"), "", "/a-/b"), Err(Failure::BadRewrite));
    }
}
