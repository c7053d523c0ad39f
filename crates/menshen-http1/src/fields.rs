//! The fields of a message: one text buffer and a short list of places in it.

use crate::{FieldName, NameSet};

/// A place in the text of a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    at: u32,
    len: u32,
}

impl Span {
    pub(crate) fn new(at: usize, len: usize) -> Self {
        // Heads are bounded far below 4 GiB; a value that is not cannot be represented and reads as empty.
        match (u32::try_from(at), u32::try_from(len)) {
            (Ok(at), Ok(len)) => Self { at, len },
            _ => Self::default(),
        }
    }

    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        let at = self.at as usize;
        text.get(at..at + self.len as usize).unwrap_or(&[])
    }
}

#[derive(Clone, Copy, Debug)]
struct Place {
    id: FieldName,
    name: Span,
    value: Span,
}

/// One field as seen by a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The id, for well-known names.
    pub id: FieldName,
    /// The name as it was written.
    pub name: &'a [u8],
    /// The value without surrounding whitespace.
    pub value: &'a [u8],
}

/// The fields of a message, in the order and case in which they came.
///
/// Lookups scan the list: heads are short, and a scan over ids beats a hash map at this size.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    text: Vec<u8>,
    list: Vec<Place>,
    /// The well-known names that are or were in the list: most questions are about fields that are not there.
    seen: NameSet,
}

impl Fields {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything but keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.list.clear();
        self.seen = NameSet::default();
    }

    /// Writes the fields for which `keep` holds, one line each.
    pub(crate) fn write_lines(&self, out: &mut Vec<u8>, skip: NameSet) {
        // Neighbouring lines that stand in the text exactly as they would be written are copied together.
        let mut run = 0..0;
        for place in self.list.iter().filter(|p| !skip.contains(p.id)) {
            match self.whole_line(*place) {
                Some(line) if line.start == run.end => run.end = line.end,
                Some(line) => {
                    out.extend_from_slice(self.text.get(run).unwrap_or_default());
                    run = line;
                }
                None => {
                    out.extend_from_slice(self.text.get(run).unwrap_or_default());
                    run = 0..0;
                    crate::write::field(out, place.name.of(&self.text), place.value.of(&self.text));
                }
            }
        }
        out.extend_from_slice(self.text.get(run).unwrap_or_default());
    }

    /// Where the line of a field stands, if the text holds it exactly as it would be written.
    fn whole_line(&self, place: Place) -> Option<std::ops::Range<usize>> {
        let (name, value) = (place.name, place.value);
        let name_end = name.at as usize + name.len as usize;
        let value_at = value.at as usize;
        let end = value_at + value.len as usize + 2;
        if name_end + 2 != value_at || self.text.get(name_end..value_at)? != b": " {
            return None;
        }
        self.text.get(name.at as usize..end)?.ends_with(b"\r\n").then_some(name.at as usize..end)
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// True when there is no field.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Bytes of memory held for text and list.
    pub fn memory(&self) -> usize {
        self.text.capacity() + self.list.capacity() * size_of::<Place>()
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.list.iter().map(|p| self.read(*p))
    }

    /// The first value of a well-known field.
    pub fn get(&self, id: FieldName) -> Option<&[u8]> {
        self.places(id).iter().find(|p| p.id.is(id)).map(|p| p.value.of(&self.text))
    }

    /// All values of a well-known field.
    pub fn all(&self, id: FieldName) -> impl Iterator<Item = &[u8]> {
        self.places(id).iter().filter(move |p| p.id.is(id)).map(|p| p.value.of(&self.text))
    }

    /// True when the well-known field is there.
    pub fn has(&self, id: FieldName) -> bool {
        self.places(id).iter().any(|p| p.id.is(id))
    }

    /// The first value of a field by name, whatever its case.
    pub fn get_named(&self, name: &[u8]) -> Option<&[u8]> {
        let id = FieldName::of(name);
        self.list.iter().find(|p| self.is_named(p, id, name)).map(|p| p.value.of(&self.text))
    }

    /// All values of a field by name, whatever its case.
    pub fn all_named<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let id = FieldName::of(name);
        self.list.iter().filter(move |p| self.is_named(p, id, name)).map(|p| p.value.of(&self.text))
    }

    /// Adds a well-known field at the end. The value must be a valid field value; see [`valid_value`].
    pub fn append(&mut self, id: FieldName, value: &[u8]) {
        self.append_named(id.as_str().as_bytes(), value);
    }

    /// Adds a field at the end. Name and value must be valid; see [`valid_name`] and [`valid_value`].
    /// Without a name, which is also that of [`FieldName::OTHER`], nothing is added.
    pub fn append_named(&mut self, name: &[u8], value: &[u8]) {
        if name.is_empty() {
            return;
        }
        let name_at = self.push_text(name);
        let value_at = self.push_text(value);
        self.push_place(FieldName::of(name), name_at, value_at);
    }

    /// Sets a well-known field: one value, at the place of the first old one.
    pub fn set(&mut self, id: FieldName, value: &[u8]) {
        self.set_named(id.as_str().as_bytes(), value);
    }

    /// Sets a field: one value, at the place of the first old one.
    pub fn set_named(&mut self, name: &[u8], value: &[u8]) {
        let id = FieldName::of(name);
        let Some(first) = self.list.iter().position(|p| self.is_named(p, id, name)) else {
            return self.append_named(name, value);
        };
        let value_at = self.push_text(value);
        if let Some(place) = self.list.get_mut(first) {
            place.value = value_at;
        }
        let mut seen = 0;
        let text = &self.text;
        self.list.retain(|p| {
            let named = p.id == id && (id != FieldName::OTHER || p.name.of(text).eq_ignore_ascii_case(name));
            seen += usize::from(named);
            !named || seen == 1
        });
    }

    /// Adds to the end of the last value of a list field (`a, b`), or adds the field.
    pub fn extend_list(&mut self, id: FieldName, value: &[u8]) {
        let Some(at) = self.places(id).iter().rposition(|p| p.id.is(id)) else {
            return self.append(id, value);
        };
        let Some(old) = self.list.get(at).map(|p| p.value) else { return };
        let from = self.text.len();
        let old_at = old.at as usize;
        self.text.extend_from_within(old_at..old_at + old.len as usize);
        if old.len > 0 {
            self.text.extend_from_slice(b", ");
        }
        self.text.extend_from_slice(value);
        let joined = Span::new(from, self.text.len() - from);
        if let Some(place) = self.list.get_mut(at) {
            place.value = joined;
        }
    }

    /// Removes all fields of a well-known name; true when there was one.
    pub fn remove(&mut self, id: FieldName) -> bool {
        let before = self.list.len();
        if self.seen.contains(id) {
            self.list.retain(|p| !p.id.is(id));
        }
        self.list.len() != before
    }

    /// Removes all fields of a name; true when there was one.
    pub fn remove_named(&mut self, name: &[u8]) -> bool {
        let id = FieldName::of(name);
        if id != FieldName::OTHER {
            return self.remove(id);
        }
        self.retain(|f| f.id != FieldName::OTHER || !f.name.eq_ignore_ascii_case(name))
    }

    /// Keeps the fields for which `keep` holds; true when one was removed.
    pub fn retain(&mut self, mut keep: impl FnMut(Field<'_>) -> bool) -> bool {
        let before = self.list.len();
        let text = &self.text;
        self.list.retain(|p| keep(Field { id: p.id, name: p.name.of(text), value: p.value.of(text) }));
        self.list.len() != before
    }

    /// The comma-separated members of all values of a well-known field, trimmed, empty ones left out (RFC 9110 §5.6.1).
    pub fn members(&self, id: FieldName) -> impl Iterator<Item = &[u8]> {
        self.all(id).flat_map(|v| v.split(|b| *b == b',')).map(<[u8]>::trim_ascii).filter(|m| !m.is_empty())
    }

    /// Starts anew with the bytes of a whole received head, to which [`Fields::push_place`] then points.
    pub(crate) fn start(&mut self, head: &[u8]) {
        self.clear();
        self.text.extend_from_slice(head);
    }

    pub(crate) fn push_place(&mut self, id: FieldName, name: Span, value: Span) {
        self.seen.insert(id);
        self.list.push(Place { id, name, value });
    }

    pub(crate) fn text(&self, span: Span) -> &[u8] {
        span.of(&self.text)
    }

    /// Puts text that belongs to the head, but to no field, into the buffer.
    pub(crate) fn push_text(&mut self, text: &[u8]) -> Span {
        let at = self.text.len();
        self.text.extend_from_slice(text);
        Span::new(at, text.len())
    }

    /// True when a field of one of these names may be here; false when surely none is.
    pub fn may_have(&self, names: NameSet) -> bool {
        self.seen.meets(names)
    }

    /// Removes every value of these names. True when there were any.
    pub fn remove_all(&mut self, names: NameSet) -> bool {
        let before = self.list.len();
        if self.seen.meets(names) {
            self.list.retain(|p| !names.contains(p.id));
        }
        self.list.len() != before
    }

    /// Where a field of this name can be.
    fn places(&self, id: FieldName) -> &[Place] {
        if self.seen.contains(id) { &self.list } else { &[] }
    }

    fn read(&self, p: Place) -> Field<'_> {
        Field { id: p.id, name: p.name.of(&self.text), value: p.value.of(&self.text) }
    }

    fn is_named(&self, p: &Place, id: FieldName, name: &[u8]) -> bool {
        p.id == id && (id != FieldName::OTHER || p.name.of(&self.text).eq_ignore_ascii_case(name))
    }
}

/// True for a token: a legal field name (RFC 9110 §5.6.2).
pub fn valid_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|b| is_token_byte(*b))
}

/// True for a legal field value: no control bytes but HTAB, no surrounding whitespace (RFC 9110 §5.5).
pub fn valid_value(value: &[u8]) -> bool {
    let legal = |b: &u8| *b == b'\t' || (*b >= 0x20 && *b != 0x7f);
    value.iter().all(legal) && value.trim_ascii().len() == value.len()
}

/// True for the bytes of a token (RFC 9110 §5.6.2).
pub fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Fields {
        let mut f = Fields::new();
        f.append_named(b"Host", b"a");
        f.append_named(b"X-One", b"1");
        f.append_named(b"Set-Cookie", b"a=1");
        f.append_named(b"x-one", b"2");
        f.append_named(b"Set-Cookie", b"b=2");
        f
    }

    fn text(f: &Fields) -> Vec<(String, String)> {
        let s = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        f.iter().map(|x| (s(x.name), s(x.value))).collect()
    }

    #[test]
    fn names_are_found_in_any_case_and_order_is_kept() {
        let f = sample();
        assert_eq!(f.get(FieldName::HOST), Some(&b"a"[..]));
        assert_eq!(f.all_named(b"X-ONE").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(f.all(FieldName::SET_COOKIE).collect::<Vec<_>>(), [b"a=1", b"b=2"]);
        assert_eq!(text(&f)[1], ("X-One".into(), "1".into()));
    }

    #[test]
    fn set_leaves_one_value_at_the_first_place() {
        let mut f = sample();
        f.set_named(b"X-ONE", b"3");
        assert_eq!(text(&f)[1], ("X-One".into(), "3".into()));
        assert_eq!(f.len(), 4);
        f.set(FieldName::SET_COOKIE, b"c=3");
        assert_eq!(f.all(FieldName::SET_COOKIE).count(), 1);
        f.set_named(b"X-New", b"n");
        assert_eq!(text(&f).last().unwrap().0, "X-New");
    }

    #[test]
    fn remove_takes_every_value_and_nothing_else() {
        let mut f = sample();
        assert!(f.remove_named(b"x-ONE"));
        assert!(!f.remove_named(b"x-one"));
        assert!(f.remove(FieldName::SET_COOKIE));
        assert_eq!(text(&f), [("Host".into(), "a".into())]);
    }

    #[test]
    fn a_list_field_is_extended_at_its_end() {
        let mut f = sample();
        f.extend_list(FieldName::X_FORWARDED_FOR, b"1.1.1.1");
        f.extend_list(FieldName::X_FORWARDED_FOR, b"2.2.2.2");
        assert_eq!(f.get(FieldName::X_FORWARDED_FOR), Some(&b"1.1.1.1, 2.2.2.2"[..]));
    }

    #[test]
    fn members_are_split_trimmed_and_never_empty() {
        let mut f = Fields::new();
        f.append(FieldName::CONNECTION, b" close ,, x-a");
        f.append(FieldName::CONNECTION, b"te");
        assert_eq!(f.members(FieldName::CONNECTION).collect::<Vec<_>>(), [&b"close"[..], b"x-a", b"te"]);
    }
}
