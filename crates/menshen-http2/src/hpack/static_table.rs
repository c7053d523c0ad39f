//! The static table (RFC 7541 Appendix A).

use super::words::is_lower_of;

/// Number of entries. Indices begin with 1; those of the dynamic table follow.
pub(super) const LEN: u32 = ENTRIES.len() as u32;

/// Names and values by index, less one.
const ENTRIES: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// The entry at an index, or `None` for 0 and indices of the dynamic table.
#[inline]
pub(super) fn get(index: u32) -> Option<(&'static [u8], &'static [u8])> {
    let (name, value) = ENTRIES.get((index as usize).wrapping_sub(1))?;
    Some((name.as_bytes(), value.as_bytes()))
}

/// The lowest index with the same name as this entry.
#[inline]
pub(super) const fn index_of_name(index: u8) -> u8 {
    match index {
        3 => 2,
        5 => 4,
        7 => 6,
        9..=14 => 8,
        index => index,
    }
}

/// The last index with the same name as the entry that [`index_of_name`] gave.
const fn last_with_name(first: u8) -> u8 {
    match first {
        2 | 4 | 6 => first + 1,
        8 => 14,
        index => index,
    }
}

/// The lowest index of a name in lower case, or 0. For constants to compare
/// [`Field::static_index`](super::Field::static_index) with.
#[expect(clippy::indexing_slicing, reason = "every index is below the length of what is indexed")]
pub const fn static_index(name: &str) -> u8 {
    let name = name.as_bytes();
    let mut i = 0;
    while i < ENTRIES.len() {
        let known = ENTRIES[i].0.as_bytes();
        let mut same = 0;
        while same < known.len() && known.len() == name.len() && known[same] == name[same] {
            same += 1;
        }
        if same == known.len() {
            return i as u8 + 1;
        }
        i += 1;
    }
    0
}

/// Where a field stands in the static table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The lowest index with this name, or 0.
    pub name: u8,
    /// The index with this name and value, or 0.
    pub field: u8,
}

/// Looks up a field; the name may be in any case.
#[inline]
pub(super) fn find(name: &[u8], value: &[u8]) -> Found {
    let first = SLOTS.get(slot(name)).copied().unwrap_or(0);
    match get(u32::from(first)) {
        Some((known, _)) if is_lower_of(known, name) => {
            let is_it = |i: &u8| get(u32::from(*i)).is_some_and(|(_, v)| v == value);
            let field = (first..=last_with_name(first)).find(is_it).unwrap_or(0);
            Found { name: first, field }
        }
        _ => Found { name: 0, field: 0 },
    }
}

/// A perfect hash of the names: the index whose name alone can be in a slot, or 0.
const SLOTS: [u8; 1 << SLOT_BITS] = slots();
const SLOT_BITS: u32 = 7;
/// Found by trying: with it no two names share a slot, which compiling proves.
const MULTIPLIER: u32 = 0x202f_0115;

#[expect(clippy::indexing_slicing, reason = "runs while compiling only")]
const fn slots() -> [u8; 1 << SLOT_BITS] {
    let mut out = [0; 1 << SLOT_BITS];
    let mut i = 0;
    while i < ENTRIES.len() {
        let index = i as u8 + 1;
        if index_of_name(index) == index {
            let slot = slot(ENTRIES[i].0.as_bytes());
            assert!(out[slot] == 0, "two names share a slot: choose another MULTIPLIER");
            out[slot] = index;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_found_in_any_case() {
        for (i, (name, value)) in ENTRIES.iter().enumerate() {
            let first = ENTRIES.iter().position(|(n, _)| n == name).unwrap() as u8 + 1;
            let expected = Found { name: first, field: i as u8 + 1 };
            assert_eq!(find(name.as_bytes(), value.as_bytes()), expected);
            assert_eq!(find(name.to_ascii_uppercase().as_bytes(), value.as_bytes()), expected);
            assert_eq!(find(name.as_bytes(), b"other"), Found { name: first, field: 0 });
            assert_eq!(index_of_name(i as u8 + 1), first);
            assert_eq!(static_index(name), first);
        }
    }

    #[test]
    fn other_names_are_not_found() {
        for name in
            ["", "x", "x-request-id", "status", "ag", "agee", "a-name-longer-than-every-one-of-the-table"]
        {
            assert_eq!(find(name.as_bytes(), b""), Found { name: 0, field: 0 });
            assert_eq!(static_index(name), 0);
        }
    }

    #[test]
    fn indices_begin_with_one() {
        assert_eq!(get(0), None);
        assert_eq!(get(1), Some((&b":authority"[..], &b""[..])));
        assert_eq!(get(LEN), Some((&b"www-authenticate"[..], &b""[..])));
        assert_eq!(get(LEN + 1), None);
    }
}
