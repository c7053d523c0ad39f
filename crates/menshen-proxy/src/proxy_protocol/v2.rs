//! Version 2: a binary header of 16 bytes, addresses, and additions that are skipped.

use std::net::{IpAddr, SocketAddr};

use super::{Addresses, LONGEST, Malformed, Parsed, v6};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes before the addresses.
const HEADER: usize = 16;
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
const UNSPECIFIED: u8 = 0;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, Malformed> {
    if let Some(&command) = bytes.get(SIGNATURE.len())
        && !matches!(command, LOCAL | PROXY)
    {
        return Err(Malformed);
    }
    let Some(&[command, family, high, low]) = bytes.get(SIGNATURE.len()..HEADER) else {
        return Ok(Parsed::Partial);
    };
    let len = HEADER + usize::from(u16::from_be_bytes([high, low]));
    if len > LONGEST {
        return Err(Malformed);
    }
    let addresses = match (command, family) {
        (PROXY, TCP4) if len < HEADER + 12 => return Err(Malformed),
        (PROXY, TCP6) if len < HEADER + 36 => return Err(Malformed),
        // A health check of the proxy itself, or something without addresses that mean anything here.
        _ => bytes.get(HEADER..len).map(|body| (command == PROXY).then(|| read(family, body)).flatten()),
    };
    let body = match addresses {
        None if bytes.len() < len => return Ok(Parsed::Partial),
        None => None,
        Some(addresses) => addresses,
    };
    Ok(Parsed::Complete { len, addresses: body })
}

fn read(family: u8, body: &[u8]) -> Option<Addresses> {
    match family {
        TCP4 => {
            let (a, rest) = body.split_first_chunk::<4>()?;
            let (b, rest) = rest.split_first_chunk::<4>()?;
            ports(IpAddr::from(*a), IpAddr::from(*b), rest)
        }
        TCP6 => {
            let (a, rest) = body.split_first_chunk::<16>()?;
            let (b, rest) = rest.split_first_chunk::<16>()?;
            ports(IpAddr::from(*a), IpAddr::from(*b), rest)
        }
        _ => None,
    }
}

fn ports(client: IpAddr, server: IpAddr, bytes: &[u8]) -> Option<Addresses> {
    let &[a, b, c, d] = bytes.first_chunk()?;
    Some(Addresses {
        client: SocketAddr::new(client, u16::from_be_bytes([a, b])),
        server: SocketAddr::new(server, u16::from_be_bytes([c, d])),
    })
}

pub(super) fn write(out: &mut Vec<u8>, addresses: Option<Addresses>) {
    out.extend_from_slice(SIGNATURE);
    let Some(Addresses { client, server }) = addresses else {
        return out.extend_from_slice(&[PROXY, UNSPECIFIED, 0, 0]);
    };
    match (client.ip(), server.ip()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            out.extend_from_slice(&[PROXY, TCP4, 0, 12]);
            out.extend_from_slice(&a.octets());
            out.extend_from_slice(&b.octets());
        }
        (a, b) => {
            out.extend_from_slice(&[PROXY, TCP6, 0, 36]);
            out.extend_from_slice(&v6(a).octets());
            out.extend_from_slice(&v6(b).octets());
        }
    }
    out.extend_from_slice(&client.port().to_be_bytes());
    out.extend_from_slice(&server.port().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u16).to_be_bytes();
        [SIGNATURE, &[command, family], &length, body].concat()
    }

    #[test]
    fn a_health_check_of_the_proxy_is_its_own() {
        let bytes = header(LOCAL, 0, b"");
        assert_eq!(parse(&bytes), Ok(Parsed::Complete { len: 16, addresses: None }));
    }

    #[test]
    fn additions_are_skipped() {
        let body = [&[192, 0, 2, 1, 198, 51, 100, 1, 0, 80, 1, 187][..], &[0x20, 0, 1, 7]].concat();
        let Ok(Parsed::Complete { len: 32, addresses: Some(addresses) }) = parse(&header(PROXY, TCP4, &body))
        else {
            panic!("not read")
        };
        assert_eq!(addresses.client, "192.0.2.1:80".parse().unwrap());
    }

    #[test]
    fn wrong_versions_short_addresses_and_endless_headers_are_refused() {
        for bytes in
            [header(0x11, TCP4, &[0; 12]), header(PROXY, TCP4, &[0; 11]), header(PROXY, TCP6, &[0; 35])]
        {
            assert_eq!(parse(&bytes), Err(Malformed));
        }
        assert_eq!(parse(&header(PROXY, TCP4, &[0; 600])), Err(Malformed));
    }
}
