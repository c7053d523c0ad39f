//! `100/s burst 20 per ip`, as people say it.

use menshen_config::quantity::Rate;
use menshen_proxy::http1::valid_name;
use schemars::JsonSchema;
use serde::Deserialize;

/// A rate, and behind it `burst` and `per` where they are given: `100/s burst 20 per ip`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("examples" = ["100/s", "100/s burst 20 per ip", "5000/day per header:x-api-key"]))]
pub(super) struct Phrase {
    pub(super) rate: Rate,
    pub(super) burst: Option<u64>,
    pub(super) per: Option<Per>,
}

impl TryFrom<String> for Phrase {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (text, per) = match text.split_once(" per ") {
            Some((before, per)) => (before, Some(Per::try_from(per.to_owned())?)),
            None => (&*text, None),
        };
        let mut words = text.split_whitespace();
        let rate = words.next().unwrap_or_default().parse::<Rate>().map_err(|e| e.to_string())?;
        let burst = match (words.next(), words.next(), words.next()) {
            (None, ..) => None,
            (Some("burst"), Some(number), None) => {
                Some(number.parse().map_err(|_| format!("`{number}` is no number"))?)
            }
            _ => {
                let rest = text.trim_start().split_once(' ').map_or(text, |(_, rest)| rest.trim());
                return Err(format!(
                    "`{rest}` is not understood\nwrite for example `{rate} burst 20 per ip`"
                ));
            }
        };
        Ok(Self { rate, burst, per })
    }
}

/// Whose requests are counted together: `ip` (IPv6 addresses by their first 64 bits), `ip/56` (by another number of
/// bits), `header:x-api-key`, `query:key`, `cookie:session`, `route`; or several, as in `ip and route`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("examples" = ["ip", "ip/56", "header:x-api-key", "query:key", "cookie:session", "route"]))]
pub(super) struct Per {
    /// As it was written.
    pub(super) text: Box<str>,
    pub(super) parts: Box<[Part]>,
}

/// One part of a caller's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The client's address.
    Address {
        /// So many bits of an IPv6 address count.
        ipv6_bits: u8,
    },
    Header(Box<str>),
    Query(Box<str>),
    Cookie(Box<str>),
    Route,
}

impl Default for Per {
    fn default() -> Self {
        Self { text: "route".into(), parts: [Part::Route].into() }
    }
}

impl TryFrom<String> for Per {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split(" and ").map(|part| part.trim().try_into()).collect::<Result<_, _>>()?;
        Ok(Self { parts, text: text.trim().into() })
    }
}

impl TryFrom<&str> for Part {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        match text.split_once([':', '/']) {
            None if text == "ip" => return Ok(Self::Address { ipv6_bits: 64 }),
            None if text == "route" => return Ok(Self::Route),
            Some(("ip", bits)) => {
                let bits = bits.parse().ok().filter(|bits| (1..=128).contains(bits));
                let ipv6_bits = bits.ok_or("an IPv6 address has 1 to 128 bits\nwrite for example `ip/56`")?;
                return Ok(Self::Address { ipv6_bits });
            }
            Some((kind, name)) if valid_name(name.as_bytes()) => match kind {
                "header" => return Ok(Self::Header(name.into())),
                "query" => return Ok(Self::Query(name.into())),
                "cookie" => return Ok(Self::Cookie(name.into())),
                _ => {}
            },
            _ => {}
        }
        let known = "`ip`, `ip/56`, `header:x-api-key`, `query:key`, `cookie:name` or `route`";
        Err(format!("requests cannot be counted per `{text}`\nwrite {known}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(text: &str) -> Result<Phrase, String> {
        text.to_owned().try_into()
    }

    #[test]
    fn a_limit_is_said_in_one_breath() {
        let p = phrase("100/s burst 20 per ip and header:X-Key").unwrap();
        assert_eq!((p.rate.to_string(), p.burst), ("100/s".into(), Some(20)));
        let parts = &p.per.unwrap().parts;
        assert_eq!(**parts, [Part::Address { ipv6_bits: 64 }, Part::Header("X-Key".into())]);
        assert_eq!(phrase("5/m").unwrap().burst, None);
        assert_eq!(*phrase("5/m per ip/56").unwrap().per.unwrap().parts, [Part::Address { ipv6_bits: 56 }]);
    }

    #[test]
    fn what_is_not_understood_is_said_with_a_way_out() {
        for (text, error) in [
            ("100", "a rate needs a time\nwrite `100/s` or `100/m`"),
            ("0/s", "a rate of zero\nto let nothing pass, remove the route"),
            ("100/s bursts 20", "`bursts 20` is not understood\nwrite for example `100/s burst 20 per ip`"),
            ("100/s burst x", "`x` is no number"),
            ("100/s per ip/0", "an IPv6 address has 1 to 128 bits\nwrite for example `ip/56`"),
        ] {
            assert_eq!(phrase(text).unwrap_err(), error);
        }
        assert!(
            phrase("1/s per consumer").unwrap_err().starts_with("requests cannot be counted per `consumer`")
        );
        assert!(phrase("1/s per header:").is_err() && phrase("1/s per header:a b").is_err());
    }
}
