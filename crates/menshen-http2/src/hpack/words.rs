//! Texts compared and hashed eight bytes at a time.

/// True when `name` in lower case is `lower`.
#[inline]
pub(super) fn is_lower_of(lower: &[u8], name: &[u8]) -> bool {
    lower.len() == name.len()
        && lower.as_chunks().0.iter().zip(name.as_chunks().0).all(|(l, n)| word(*l) == lower_word(word(*n)))
        && last_word(lower) == lower_word(last_word(name))
}

/// The hash of a name, whatever its case.
#[inline]
pub(super) fn name_hash(name: &[u8]) -> u32 {
    hash(name.len() as u64, name, 0x2020_2020_2020_2020)
}

/// The hash of a field whose name has this one.
#[inline]
pub(super) fn field_hash(name_hash: u32, value: &[u8]) -> u32 {
    hash(u64::from(name_hash) << 16 | value.len() as u64, value, 0)
}

/// A quick hash; `fold` are bits that do not matter. Whoever finds texts with the same one gains the comparing of at
/// most a table of texts.
#[inline]
fn hash(seed: u64, text: &[u8], fold: u64) -> u32 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(29) ^ (word | fold)).wrapping_mul(MULTIPLIER);
    let hash = text.as_chunks().0.iter().fold(seed, |h, w| mix(h, word(*w)));
    (mix(hash, last_word(text)) >> 32) as u32
}

#[inline]
fn word(bytes: [u8; 8]) -> u64 {
    u64::from_le_bytes(bytes)
}

/// The last eight bytes; of shorter texts every byte, some of them twice.
#[inline]
fn last_word(text: &[u8]) -> u64 {
    if let Some(last) = text.last_chunk() {
        return word(*last);
    }
    if let (Some(&[a, b, c, d]), Some(&[e, f, g, h])) = (text.first_chunk(), text.last_chunk()) {
        return word([a, b, c, d, e, f, g, h]);
    }
    let (a, b, c) = match *text {
        [a] => (a, a, a),
        [a, b] => (a, b, b),
        [a, b, c] => (a, b, c),
        _ => (0, 0, 0),
    };
    word([a, b, c, 0, 0, 0, 0, 0])
}

/// Eight ASCII bytes in lower case; bytes that are no capital letters stay.
#[inline]
fn lower_word(word: u64) -> u64 {
    const ALL: u64 = 0x0101_0101_0101_0101;
    let low = word & (0x7f * ALL);
    // The top bit of each byte tells whether it is at least 'A', and whether it is above 'Z'.
    let from_a = low + (0x80 - b'A' as u64) * ALL;
    let above_z = low + (0x7f - b'Z' as u64) * ALL;
    let capital = (from_a & !above_z & !word) & (0x80 * ALL);
    word | (capital >> 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_byte_at_every_place_counts() {
        for len in 1..30 {
            let lower = vec![b'q'; len];
            assert!(is_lower_of(&lower, &lower) && is_lower_of(&lower, &vec![b'Q'; len]));
            for at in 0..len {
                for byte in (0..=u8::MAX).filter(|b| !b.eq_ignore_ascii_case(&b'q')) {
                    let mut other = lower.clone();
                    other[at] = byte;
                    assert!(!is_lower_of(&lower, &other), "{byte:#x} at {at} of {len}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn names_are_compared_as_by_the_standard_library(a in "[@A-C\\[`a-c{é-]{0,12}", b in "[@A-C\\[`a-c{é-]{0,12}") {
            let lower = a.to_ascii_lowercase();
            for name in [&a, &b] {
                let same = lower == name.to_ascii_lowercase();
                prop_assert_eq!(is_lower_of(lower.as_bytes(), name.as_bytes()), same);
                if same {
                    prop_assert_eq!(name_hash(lower.as_bytes()), name_hash(name.as_bytes()));
                }
            }
        }
    }
}
