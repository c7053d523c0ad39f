//! Weights in Accept fields (RFC 9110 §12.4.2).

/// `gzip;q=0.5` as a name and a weight in thousandths. A weight that cannot be read is none.
pub(crate) fn member(text: &[u8]) -> (&[u8], u16) {
    let mut parts = text.split(|b| *b == b';').map(<[u8]>::trim_ascii);
    let name = parts.next().unwrap_or_default();
    let weight = parts.find_map(|p| p.strip_prefix(b"q=").or_else(|| p.strip_prefix(b"Q=")));
    (name, weight.map_or(1000, thousandths))
}

/// `0.5` is 500: a digit and up to three decimals.
fn thousandths(text: &[u8]) -> u16 {
    let (whole, decimals) = match text {
        [whole] => (*whole, &[][..]),
        [whole, b'.', decimals @ ..] => (*whole, decimals),
        _ => return 0,
    };
    if !matches!(whole, b'0' | b'1') || decimals.len() > 3 || !decimals.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    let mut value = u16::from(whole - b'0');
    for place in 0..3 {
        value = value * 10 + decimals.get(place).map_or(0, |d| u16::from(*d - b'0'));
    }
    value.min(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_and_what_is_no_weight_is_none() {
        for (text, weight) in [
            ("a", 1000),
            ("a;q=0.5", 500),
            ("a; x=1; Q=0.125", 125),
            ("a;q=1.0", 1000),
            ("a;q=0", 0),
            ("a;q=1.5", 1000),
        ] {
            assert_eq!(member(text.as_bytes()), (&b"a"[..], weight), "{text}");
        }
        for text in ["a;q=", "a;q=2", "a;q=-1", "a;q=0.1234", "a;q=.5", "a;q=0,5"] {
            assert_eq!(member(text.as_bytes()).1, 0, "{text}");
        }
    }
}
