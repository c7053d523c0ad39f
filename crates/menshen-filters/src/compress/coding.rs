//! Content codings, and which of them a client takes (RFC 9110 §12.5.3).

use menshen_proxy::http1::{FieldName, Fields};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::accept::member;

/// A content coding.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Coding {
    /// Zstandard: small and fast.
    Zstd,
    /// Brotli: the smallest; browsers take it over HTTPS only.
    Br,
    /// gzip: everybody knows it.
    Gzip,
}

impl Coding {
    /// Its name in Content-Encoding.
    pub(super) fn name(self) -> &'static [u8] {
        match self {
            Self::Zstd => b"zstd",
            Self::Br => b"br",
            Self::Gzip => b"gzip",
        }
    }

    fn is_named(self, name: &[u8]) -> bool {
        name.eq_ignore_ascii_case(self.name()) || (self == Self::Gzip && name.eq_ignore_ascii_case(b"x-gzip"))
    }
}

/// What a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Content as it is.
    Plain,
    /// This coding, or content as it is.
    Coded(Coding),
    /// This coding; content as it is would not be taken.
    OnlyCoded(Coding),
}

/// Of the codings offered, the one that the client likes best; the first of several that it likes alike.
pub(super) fn choose(request: &Fields, offered: &[Coding]) -> Choice {
    let weight = |is_named: &dyn Fn(&[u8]) -> bool| {
        request
            .members(FieldName::ACCEPT_ENCODING)
            .map(member)
            .find(|(name, _)| is_named(name))
            .map(|(_, q)| q)
    };
    let others = weight(&|name| name == b"*");
    let plain = weight(&|name| name.eq_ignore_ascii_case(b"identity"));
    let mut best = None;
    for &coding in offered {
        let q = weight(&|name| coding.is_named(name)).or(others).unwrap_or(0);
        if q > best.map_or(0, |(_, q)| q) {
            best = Some((coding, q));
        }
    }
    match best {
        None => Choice::Plain,
        Some((_, q)) if plain.is_some_and(|plain| plain > q) => Choice::Plain,
        Some((coding, _)) if plain.or(others) == Some(0) => Choice::OnlyCoded(coding),
        Some((coding, _)) => Choice::Coded(coding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_gets_what_it_likes_best_and_among_equals_what_we_like_best() {
        use Choice::{Coded, OnlyCoded, Plain};
        use Coding::{Br, Gzip, Zstd};
        for (accept, choice) in [
            ("gzip, deflate, br, zstd", Coded(Zstd)),
            ("gzip, deflate, br", Coded(Br)),
            ("gzip;q=1.0, br;q=0.9", Coded(Gzip)),
            ("GZIP", Coded(Gzip)),
            ("x-gzip", Coded(Gzip)),
            ("*", Coded(Zstd)),
            ("*;q=0.5, gzip;q=0.8", Coded(Gzip)),
            ("zstd;q=0, *", Coded(Br)),
            ("gzip; q=0.001", Coded(Gzip)),
            ("br;q=0, gzip;q=0.000", Plain),
            ("identity, gzip;q=0.5", Plain),
            ("identity;q=0.4, gzip;q=0.5", Coded(Gzip)),
            ("gzip, identity;q=0", OnlyCoded(Gzip)),
            ("gzip, *;q=0", OnlyCoded(Gzip)),
            ("identity;q=0", Plain),
            ("deflate", Plain),
            ("gzip;q=2", Plain),
            ("gzip;q=0.1234", Plain),
            ("gzip;q=x", Plain),
            ("", Plain),
        ] {
            let mut fields = Fields::new();
            fields.append(FieldName::ACCEPT_ENCODING, accept.as_bytes());
            assert_eq!(choose(&fields, &[Zstd, Br, Gzip]), choice, "{accept}");
        }
        assert_eq!(choose(&Fields::new(), &[Zstd, Br, Gzip]), Plain, "who says nothing may know nothing");
    }
}
