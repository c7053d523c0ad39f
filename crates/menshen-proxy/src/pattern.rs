//! Path patterns by segment: `/users/**`, `/users/*`, `/users/{id}`, `/img-?.png`.

use crate::target::Target;

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// This text.
    Literal(Box<[u8]>),
    /// Text with `*` (any run of bytes) and `?` (one byte) in it.
    Glob(Box<[u8]>),
    /// Any one segment: `*` or `{name}`.
    One,
    /// Any number of segments, also none: `**`. Only at the end.
    Rest,
}

/// A compiled path pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The segments in order.
    pub segments: Box<[Segment]>,
}

impl Pattern {
    /// True when the path of the target matches.
    pub fn matches(&self, target: &Target) -> bool {
        let path = target.decoded_path();
        let mut parts = target.segments();
        for segment in &self.segments {
            if *segment == Segment::Rest {
                return true;
            }
            let Some(part) = parts.next().and_then(|r| path.get(r)) else { return false };
            if !segment.matches(part) {
                return false;
            }
        }
        parts.next().is_none()
    }
}

impl Segment {
    /// True when one segment of a path matches.
    pub fn matches(&self, part: &[u8]) -> bool {
        match self {
            Self::Literal(text) => &**text == part,
            Self::Glob(glob) => glob_matches(glob, part),
            Self::One | Self::Rest => true,
        }
    }
}

/// Matches `*` and `?` in time linear in the text for each star, without recursion.
pub fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(t) {
        match glob.get(g) {
            Some(b'*') => {
                retry = Some((g + 1, t));
                g += 1;
            }
            Some(&wanted) if wanted == b'?' || wanted == byte => {
                g += 1;
                t += 1;
            }
            _ => {
                let Some((after_star, from)) = retry else { return false };
                retry = Some((after_star, from + 1));
                g = after_star;
                t = from + 1;
            }
        }
    }
    glob.get(g..).unwrap_or_default().iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_runs_and_single_bytes() {
        for (glob, text, matches) in [
            ("img-*.png", "img-1.png", true),
            ("img-*.png", "img-.png", true),
            ("img-*.png", "img-1.jpg", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xxaxxb", true),
            ("*a*b", "xxaxxbc", false),
            ("a*", "a", true),
        ] {
            assert_eq!(glob_matches(glob.as_bytes(), text.as_bytes()), matches, "{glob} {text}");
        }
    }
}
