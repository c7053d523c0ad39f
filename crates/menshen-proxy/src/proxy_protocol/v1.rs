//! Version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Addresses, Malformed, Parsed, v6};

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// The longest line, with its end.
const LONGEST: usize = 107;

pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let within = bytes.get(..LONGEST).unwrap_or(bytes);
    let Some(end) = memchr::memchr(b'\n', within) else {
        return if bytes.len() < LONGEST { Ok(Parsed::Partial) } else { Err(Malformed) };
    };
    let line = within.get(SIGNATURE.len()..end).and_then(|l| l.strip_suffix(b"\r")).ok_or(Malformed)?;
    let line = std::str::from_utf8(line).map_err(|_| Malformed)?;
    let addresses = match line.split_once(' ') {
        Some(("TCP4", rest)) => Some(read(rest, |text| text.parse::<Ipv4Addr>().ok().map(IpAddr::V4))?),
        Some(("TCP6", rest)) => Some(read(rest, |text| text.parse::<Ipv6Addr>().ok().map(IpAddr::V6))?),
        Some(("UNKNOWN", _)) => None,
        None if line == "UNKNOWN" => None,
        _ => return Err(Malformed),
    };
    Ok(Parsed::Complete { len: end + 1, addresses })
}

fn read(text: &str, ip: impl Fn(&str) -> Option<IpAddr>) -> Result<Addresses, Malformed> {
    let mut words = text.split(' ');
    let mut next = || words.next().ok_or(Malformed);
    let (client, server, from, to) = (next()?, next()?, next()?, next()?);
    if words.next().is_some() {
        return Err(Malformed);
    }
    let place = |address, port| Some(SocketAddr::new(ip(address)?, port_of(port)?));
    match (place(client, from), place(server, to)) {
        (Some(client), Some(server)) => Ok(Addresses { client, server }),
        _ => Err(Malformed),
    }
}

/// Decimal digits without leading zeros.
fn port_of(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

pub(super) fn write(out: &mut Vec<u8>, addresses: Option<Addresses>) {
    let Some(Addresses { client, server }) = addresses else {
        return out.extend_from_slice(b"PROXY UNKNOWN\r\n");
    };
    let line = match (client.ip(), server.ip()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => format!("TCP4 {a} {b} {} {}", client.port(), server.port()),
        (a, b) => format!("TCP6 {} {} {} {}", v6(a), v6(b), client.port(), server.port()),
    };
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_does_not_know_says_nothing_about_the_client() {
        for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"] {
            assert_eq!(parse(line.as_bytes()), Ok(Parsed::Complete { len: line.len(), addresses: None }));
        }
    }

    #[test]
    fn lines_that_are_not_exact_are_refused() {
        for line in [
            "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
            "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
            "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
            "PROXY \r\n",
        ] {
            assert_eq!(parse(line.as_bytes()), Err(Malformed), "{line:?}");
        }
        assert_eq!(parse(format!("PROXY {}", "x".repeat(LONGEST)).as_bytes()), Err(Malformed));
    }
}
