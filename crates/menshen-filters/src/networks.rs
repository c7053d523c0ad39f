//! Sets of addresses, for lists of any length.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use menshen_config::OneOrMany;
use menshen_config::quantity::Cidr;

/// Addresses as sorted ranges that do not touch: a look-up is a binary search, also in a list of 100,000 networks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Networks {
    v4: Box<[(Ipv4Addr, Ipv4Addr)]>,
    v6: Box<[(Ipv6Addr, Ipv6Addr)]>,
}

impl Networks {
    pub(crate) fn new(list: &OneOrMany<Cidr>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for Cidr(network) in list {
            match network {
                IpNet::V4(net) => v4.push((net.network(), net.broadcast())),
                IpNet::V6(net) => match (mapped(net.network()), mapped(net.broadcast())) {
                    (Some(first), Some(last)) => v4.push((first, last)),
                    _ => v6.push((net.network(), net.broadcast())),
                },
            }
        }
        Self {
            v4: merged(v4, |ip| u32::from(ip).checked_add(1).map(Ipv4Addr::from)),
            v6: merged(v6, next_v6),
        }
    }

    /// True when the address is in one of the networks; an IPv4 address mapped into IPv6 counts as IPv4.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(ip) => is_in(&self.v4, ip),
            IpAddr::V6(ip) => is_in(&self.v6, ip),
        }
    }
}

fn mapped(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    ip.to_ipv4_mapped()
}

fn next_v6(ip: Ipv6Addr) -> Option<Ipv6Addr> {
    u128::from(ip).checked_add(1).map(Ipv6Addr::from)
}

/// Sorts ranges and joins those that overlap or touch.
fn merged<T: Copy + Ord>(mut ranges: Vec<(T, T)>, next: impl Fn(T) -> Option<T>) -> Box<[(T, T)]> {
    ranges.sort_unstable();
    let mut out: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match out.last_mut() {
            Some((_, end)) if next(*end).is_none_or(|next| first <= next) => *end = last.max(*end),
            _ => out.push((first, last)),
        }
    }
    out.into()
}

fn is_in<T: Copy + Ord>(ranges: &[(T, T)], address: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    after.checked_sub(1).and_then(|i| ranges.get(i)).is_some_and(|(_, last)| address <= *last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(list: &[&str]) -> Networks {
        Networks::new(&list.iter().map(|n| n.parse::<Cidr>().unwrap()).collect())
    }

    #[test]
    fn ranges_that_overlap_or_touch_become_one() {
        let n = networks(&[
            "10.1.0.0/16",
            "10.0.0.0/8",
            "11.0.0.0/8",
            "192.0.2.1",
            "255.0.0.0/8",
            "255.1.0.0/16",
        ]);
        let ip = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        let ranges =
            [("10.0.0.0", "11.255.255.255"), ("192.0.2.1", "192.0.2.1"), ("255.0.0.0", "255.255.255.255")];
        assert_eq!(*n.v4, ranges.map(|(a, b)| (ip(a), ip(b))));
    }

    #[test]
    fn mapped_addresses_and_networks_count_as_ipv4() {
        let n = networks(&["::ffff:10.0.0.0/104"]);
        assert!(n.contain("10.1.2.3".parse().unwrap()) && n.contain("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!n.contain("::10.1.2.3".parse().unwrap()));
    }

    proptest::proptest! {
        #[test]
        fn a_look_up_agrees_with_asking_each_network(
            list in proptest::collection::vec((0u32..512, 24u8..=32), 0..24),
            high in proptest::collection::vec((0u128..512, 120u8..=128), 0..8),
            address in 0u32..768,
        ) {
            let v4 = list.iter().map(|(ip, len)| IpNet::new(Ipv4Addr::from(*ip).into(), *len).unwrap().trunc());
            let v6 = high.iter().map(|(ip, len)| IpNet::new(Ipv6Addr::from(*ip).into(), *len).unwrap().trunc());
            let all: Vec<IpNet> = v4.chain(v6).collect();
            let n = Networks::new(&all.iter().copied().map(Cidr).collect());
            for ip in [IpAddr::from(Ipv4Addr::from(address)), Ipv6Addr::from(u128::from(address)).into()] {
                proptest::prop_assert_eq!(n.contain(ip), all.iter().any(|net| net.contains(&ip)), "{}", ip);
            }
        }
    }
}
