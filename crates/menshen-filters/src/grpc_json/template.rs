//! Path templates of google/api/http.proto: `/v1/{name=shelves/*}/books:list`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use menshen_proxy::http1::is_token_byte;

/// The most segments of a template.
const MAX_SEGMENTS: usize = 64;

/// A path template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    segments: Box<[Segment]>,
    verb: Option<Box<str>>,
    variables: Box<[Variable]>,
}

/// What one segment of a path must be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// This text.
    Literal(Box<str>),
    /// Any, but not empty.
    One,
    /// All that follow; may be none.
    Rest,
}

/// A field of the request message, and the segments that its value stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Variable {
    field: Box<str>,
    segments: Range<usize>,
}

impl PathTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text, segments: Vec::new(), variables: Vec::new() };
        parser.take('/').ok_or("it does not start with `/`")?;
        parser.segments(Place::Top)?;
        let verb = match parser.take(':') {
            Some(()) => Some(parser.literal()?),
            None => None,
        };
        if let Some(c) = parser.rest.chars().next() {
            return Err(format!("`{c}` is not expected at `{}`", parser.rest));
        }
        let rest = parser.segments.iter().position(|s| *s == Segment::Rest);
        if rest.is_some_and(|at| at + 1 < parser.segments.len()) {
            return Err("`**` is not the last segment".to_owned());
        }
        let Parser { segments, variables, .. } = parser;
        let fields = variables.iter().map(|v| &v.field);
        if let Some((_, twice)) =
            fields.clone().enumerate().find(|(i, field)| fields.clone().take(*i).any(|f| f == *field))
        {
            return Err(format!("`{twice}` stands in it twice"));
        }
        Ok(Self { segments: segments.into(), verb, variables: variables.into() })
    }

    /// A template that only this path matches.
    pub(super) fn exact(path: &str) -> Self {
        let segments = path.trim_start_matches('/').split('/').map(|s| Segment::Literal(s.into()));
        Self { segments: segments.collect(), verb: None, variables: Box::default() }
    }

    /// The fields that its variables name, in order.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|v| &*v.field)
    }

    /// The values of the variables in a path without its query; nothing if the path does not match. Escapes in them are
    /// undone, but for `%2F` in a value of several segments. A slash at the end of the path does not count.
    pub fn matches<'p>(&self, path: &'p [u8]) -> Option<Vec<Cow<'p, str>>> {
        let path = path.strip_prefix(b"/")?;
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let path = match &self.verb {
            Some(verb) => path.strip_suffix(verb.as_bytes())?.strip_suffix(b":")?,
            None => path,
        };
        // Most templates do not match: for those nothing is allocated.
        if !self.walk(path, |_| {}) {
            return None;
        }
        let mut places = Vec::with_capacity(self.segments.len());
        self.walk(path, |place| places.push(place));
        let value = |variable: &Variable| {
            let (start, _) = places.get(variable.segments.start)?;
            let (_, end) = places.get(variable.segments.end.checked_sub(1)?)?;
            let pattern = self.segments.get(variable.segments.clone())?;
            let slashes = if matches!(pattern, [Segment::Literal(_) | Segment::One]) {
                Slashes::Decoded
            } else {
                Slashes::Kept
            };
            decoded(path.get(*start..*end)?, slashes)
        };
        self.variables.iter().map(value).collect()
    }

    /// Tells where the segments stand. True when all of the path is theirs.
    fn walk(&self, path: &[u8], mut tell: impl FnMut((usize, usize))) -> bool {
        let mut at = 0;
        for segment in &self.segments {
            if *segment == Segment::Rest {
                tell((at.min(path.len()), path.len()));
                return true;
            }
            let Some(rest) = path.get(at..) else { return false };
            let text = rest.split(|b| *b == b'/').next().unwrap_or_default();
            let end = at + text.len();
            let fits = match segment {
                Segment::Literal(literal) => {
                    text == literal.as_bytes()
                        || text.contains(&b'%')
                            && decoded(text, Slashes::Decoded).is_some_and(|t| t == **literal)
                }
                Segment::One | Segment::Rest => !text.is_empty(),
            };
            if !fits {
                return false;
            }
            tell((at, end));
            at = end + 1;
        }
        at > path.len()
    }

    /// Which of two templates is tried first: the one that says more about a path.
    pub(super) fn precedence(&self, other: &Self) -> Ordering {
        let rank = |s: Option<&Segment>| match s {
            Some(Segment::Literal(_)) => 0,
            Some(Segment::One) => 1,
            None => 2,
            Some(Segment::Rest) => 3,
        };
        let verbs = self.verb.is_none().cmp(&other.verb.is_none());
        let longest = self.segments.len().max(other.segments.len());
        let segments = (0..longest).map(|i| rank(self.segments.get(i)).cmp(&rank(other.segments.get(i))));
        verbs.then(segments.fold(Ordering::Equal, Ordering::then))
    }

    /// True when both match the same paths.
    pub(super) fn is_same_pattern(&self, other: &Self) -> bool {
        self.segments == other.segments && self.verb == other.verb
    }
}

/// Where a list of segments stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Variable,
}

struct Parser<'a> {
    rest: &'a str,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
}

impl Parser<'_> {
    fn take(&mut self, c: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(c)?;
        Some(())
    }

    fn segments(&mut self, place: Place) -> Result<(), String> {
        loop {
            self.segment(place)?;
            if self.segments.len() > MAX_SEGMENTS {
                return Err(format!("it has more than {MAX_SEGMENTS} segments"));
            }
            if self.take('/').is_none() {
                return Ok(());
            }
        }
    }

    fn segment(&mut self, place: Place) -> Result<(), String> {
        if self.take('{').is_some() {
            return match place {
                Place::Top => self.variable(),
                Place::Variable => Err("a variable stands in a variable".to_owned()),
            };
        }
        let segment = if self.take('*').is_none() {
            Segment::Literal(self.literal()?)
        } else if self.take('*').is_some() {
            Segment::Rest
        } else {
            Segment::One
        };
        self.segments.push(segment);
        Ok(())
    }

    fn variable(&mut self) -> Result<(), String> {
        let end = self.rest.find(['=', '}']).ok_or("a `{` has no `}`")?;
        let (field, rest) = self.rest.split_at(end);
        let is_name = |name: &str| {
            let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !field.split('.').all(is_name) {
            return Err(format!("`{field}` is not the name of a field"));
        }
        self.rest = rest;
        let start = self.segments.len();
        match self.take('=') {
            Some(()) => self.segments(Place::Variable)?,
            None => self.segments.push(Segment::One),
        }
        self.take('}').ok_or_else(|| format!("the variable `{field}` has no `}}`"))?;
        self.variables.push(Variable { field: field.into(), segments: start..self.segments.len() });
        Ok(())
    }

    fn literal(&mut self) -> Result<Box<str>, String> {
        let is_literal = |c: char| {
            u8::try_from(c).is_ok_and(|b| is_token_byte(b) && !matches!(b, b'*' | b'%' | b'{' | b'}'))
                || matches!(c, '@' | ',' | ';' | '(' | ')')
        };
        let end = self.rest.find(|c| !is_literal(c)).unwrap_or(self.rest.len());
        let (literal, rest) = self.rest.split_at(end);
        if literal.is_empty() {
            return Err("a segment is empty".to_owned());
        }
        self.rest = rest;
        Ok(literal.into())
    }
}

/// What becomes of `%2F`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slashes {
    Decoded,
    Kept,
}

/// Text without its escapes; nothing if it is not UTF-8 then.
fn decoded(text: &[u8], slashes: Slashes) -> Option<Cow<'_, str>> {
    if !text.contains(&b'%') {
        return std::str::from_utf8(text).ok().map(Cow::Borrowed);
    }
    let digit = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16));
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(byte) = text.get(at) {
        let escaped = match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => u8::try_from(high << 4 | low).ok(),
            _ => None,
        };
        let escaped = escaped.filter(|b| slashes == Slashes::Decoded || *b != b'/');
        out.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests;
