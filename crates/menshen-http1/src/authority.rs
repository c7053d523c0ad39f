//! `host [":" port]` as in Host and absolute targets (RFC 3986 §3.2, RFC 9110 §4.2).

use std::net::Ipv6Addr;

/// A host and an optional port, borrowed from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// A name, an IPv4 address or a bracketed IPv6 address, in the case in which it came.
    pub host: &'a [u8],
    /// The port, when written.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads an authority without user information. `None` when it is empty or malformed.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let (host, port) = match text {
            [b'[', ..] => {
                let end = text.iter().position(|b| *b == b']')?;
                let address = std::str::from_utf8(text.get(1..end)?).ok()?;
                address.parse::<Ipv6Addr>().ok()?;
                (text.get(..=end)?, text.get(end + 1..)?)
            }
            _ => {
                let end = text.iter().position(|b| !is_host_byte(*b)).unwrap_or(text.len());
                if end == 0 || end > 255 {
                    return None;
                }
                // What is neither a host byte nor the colon before a port is refused below.
                text.split_at_checked(end)?
            }
        };
        let port = match port {
            [] => None,
            [b':', digits @ ..] => Some(parse_port(digits)?),
            _ => return None,
        };
        Some(Self { host, port })
    }
}

fn is_host_byte(b: u8) -> bool {
    /// A table, because every request asks for every byte of its host.
    #[expect(clippy::indexing_slicing, reason = "runs while compiling only")]
    const LEGAL: [bool; 256] = {
        let mut table = [false; 256];
        let mut b = 0u8;
        loop {
            table[b as usize] = b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
            if b == u8::MAX {
                break table;
            }
            b += 1;
        }
    };
    LEGAL.get(usize::from(b)).copied().unwrap_or(false)
}

fn parse_port(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 5 {
        return None;
    }
    let digit = |b: &u8| b.is_ascii_digit().then(|| u32::from(b - b'0'));
    let port = digits.iter().try_fold(0u32, |n, b| Some(n * 10 + digit(b)?))?;
    u16::try_from(port).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_port_are_read() {
        let a = |t: &'static str| Authority::parse(t.as_bytes()).map(|a| (a.host, a.port));
        assert_eq!(a("example.com"), Some((&b"example.com"[..], None)));
        assert_eq!(a("example.com.:80"), Some((&b"example.com."[..], Some(80))));
        assert_eq!(a("[::1]:8080"), Some((&b"[::1]"[..], Some(8080))));
        assert_eq!(a("127.0.0.1"), Some((&b"127.0.0.1"[..], None)));
    }

    #[test]
    fn what_is_not_a_host_is_refused() {
        for bad in [
            "", ":80", "a@b", "a/b", "a, b", "a b", "a:99999", "a:", "a:8a", "a:+1", "[::1", "[::1]x",
            "[zz]", "a%41", "a,b", "a\t", "a#b", "a?b", "a\\b", "::1",
        ] {
            assert_eq!(Authority::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
