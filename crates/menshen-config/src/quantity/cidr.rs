use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use crate::text::{FromText, Refusal, text_type};

/// What stands for the address of a client of a Unix socket: the unspecified address, which no other client has
/// (RFC 4291 §2.5.2).
pub const UNIX: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// A range of addresses such as `10.0.0.0/8`, or a single one; or `unix`, the clients of Unix sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr(pub IpNet);

impl Cidr {
    /// Whether `address` is in the range. An IPv4 address that came over an IPv6 socket counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromText for Cidr {
    const WHAT: &'static str = "an address range such as `10.0.0.0/8`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let refused = || {
            Refusal::new(format!("`{text}` is not an address range"))
                .hint("write for example `10.0.0.0/8`, `192.0.2.7` or `2001:db8::/32`")
        };
        if text == "unix" {
            return Ok(Self(UNIX.into()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.into()));
        }
        let net: IpNet = text.parse().map_err(|_| refused())?;
        if net.trunc() != net {
            return Err(Refusal::new(format!("`{text}` has bits set behind its prefix")).hint(format!(
                "write `{}`, or `{}` for the single address",
                net.trunc(),
                net.addr()
            )));
        }
        Ok(Self(net))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == UNIX.into() {
            return f.write_str("unix");
        }
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

text_type!(Cidr, "Cidr", {
    "description": "a range of addresses such as 10.0.0.0/8, or a single one; or unix: the clients of Unix sockets",
    "examples": ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "unix"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_contains_its_addresses() {
        let net: Cidr = "10.0.0.0/8".parse().unwrap();
        assert!(net.contains("10.1.2.3".parse().unwrap()));
        assert!(net.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!net.contains("11.1.2.3".parse().unwrap()));
    }

    #[test]
    fn a_single_address_is_a_range_of_one() {
        let net: Cidr = "::1".parse().unwrap();
        assert_eq!(net.to_string(), "::1");
    }

    #[test]
    fn clients_of_unix_sockets_are_a_network_of_their_own() {
        let net: Cidr = "unix".parse().unwrap();
        assert_eq!(net.to_string(), "unix");
        assert!(net.contains(UNIX));
        assert!(!"0.0.0.0/0".parse::<Cidr>().unwrap().contains(UNIX));
    }

    #[test]
    fn bits_behind_the_prefix_are_refused() {
        let refusal = "10.1.2.3/8".parse::<Cidr>().unwrap_err();
        assert_eq!(refusal.hint.unwrap(), "write `10.0.0.0/8`, or `10.1.2.3` for the single address");
    }
}
