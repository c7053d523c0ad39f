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
                let end = text.iter().position(|b| *b == b':').unwrap_or(text.len());
                let host = text.get(..end)?;
                if host.is_empty() || host.len() > 255 || !host.iter().all(|b| is_host_byte(*b)) {
                    return None;
                }
                (host, text.get(end..)?)
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
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

fn parse_port(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    digits
        .iter()
        .try_fold(0u32, |n, d| Some(n * 10 + u32::from(d - b'0')))
        .and_then(|n| u16::try_from(n).ok())
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
