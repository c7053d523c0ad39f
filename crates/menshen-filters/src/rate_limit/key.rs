//! Who a request counts for: a hash of canonical, trusted data.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;

use menshen_proxy::Exchange;
use menshen_proxy::condition::cookie_values;
use menshen_proxy::target::query_pairs;

use super::phrase::{Part, Per};

/// The hash of the caller's key. It depends on a seed that no client knows.
pub(super) fn of(per: &Per, exchange: &Exchange, seed: &RandomState) -> u64 {
    let mut hasher = seed.build_hasher();
    for part in &per.parts {
        match part {
            Part::Address { ipv6_bits } => address(exchange.client.address, *ipv6_bits, &mut hasher),
            Part::Route => named(exchange.route().name.as_bytes().iter().copied(), &mut hasher),
            Part::Header(name) => {
                only_one(
                    exchange.request.fields.all_named(name.as_bytes()).map(|v| v.iter().copied()),
                    &mut hasher,
                );
            }
            Part::Cookie(name) => {
                only_one(
                    cookie_values(&exchange.request, name.as_bytes()).map(|v| v.iter().copied()),
                    &mut hasher,
                );
            }
            Part::Query(name) => {
                let pairs = query_pairs(exchange.target.query().unwrap_or_default());
                let values = pairs.filter(|(n, _)| decoded(n).eq(name.bytes()));
                only_one(values.map(|(_, v)| decoded(v)), &mut hasher);
            }
        }
    }
    hasher.finish()
}

fn address(address: IpAddr, ipv6_bits: u8, hasher: &mut impl Hasher) {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            hasher.write_u8(4);
            hasher.write_u32(address.to_bits());
        }
        IpAddr::V6(address) => {
            let group = address.to_bits().checked_shr(128 - u32::from(ipv6_bits)).unwrap_or(0);
            hasher.write_u8(6);
            hasher.write_u128(group);
        }
    }
}

/// A value that is there once and not empty names the caller. All other requests count together: who sends none, or
/// two of which the service may read another than we do, gets no limit of his own.
fn only_one<V: Iterator<Item = u8>>(mut values: impl Iterator<Item = V>, hasher: &mut impl Hasher) {
    if let (Some(value), None) = (values.next(), values.next()) {
        let mut value = value.peekable();
        if value.peek().is_some() {
            return named(value, hasher);
        }
    }
    hasher.write_u8(0);
}

fn named(value: impl Iterator<Item = u8>, hasher: &mut impl Hasher) {
    hasher.write_u8(1);
    let mut length = 0;
    for byte in value {
        hasher.write_u8(byte);
        length += 1;
    }
    hasher.write_usize(length);
}

/// The bytes that a part of a query stands for: `%61` and `a` are the same caller.
fn decoded(raw: &[u8]) -> impl Iterator<Item = u8> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *raw.get(at)?;
        let digit = |i: usize| raw.get(i).and_then(|b| char::from(*b).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (byte, digit(at + 1), digit(at + 2)) {
            at += 3;
            return u8::try_from(high << 4 | low).ok();
        }
        at += 1;
        Some(if byte == b'+' { b' ' } else { byte })
    })
}
