//! What the configuration wants of an authority.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;

use super::hook::Hook;

/// The names of one certificate: in small letters and in order, so that the same names are the same key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Names(Box<[Box<str>]>);

impl Names {
    /// These, as they were written.
    pub fn new<'a>(written: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names: Vec<Box<str>> =
            written.into_iter().map(|n| n.trim_end_matches('.').to_ascii_lowercase().into()).collect();
        names.sort();
        names.dedup();
        Self(names.into())
    }

    /// True when there is one that the others have too.
    pub(super) fn shares(&self, others: &Self) -> bool {
        self.0.iter().any(|name| others.0.binary_search(name).is_ok())
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|n| &**n)
    }
}

/// The names with commas.
impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// How it is proven that a name is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By an answer over plain HTTP (RFC 8555 §8.3).
    Http01,
    /// By a certificate that is shown for it (RFC 8737).
    TlsAlpn01,
    /// By a record in its DNS (RFC 8555 §8.4).
    Dns01(Hook),
}

impl Proof {
    /// Its name in the protocol.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Dns01(_) => "dns-01",
        }
    }
}

/// An account at the authority that was made elsewhere (RFC 8555 §7.3.4).
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalAccount {
    /// Its id.
    pub id: Box<str>,
    /// Its key.
    pub key: Box<[u8]>,
}

impl fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalAccount").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What is wanted of an authority.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The URL of its directory.
    pub directory: Box<str>,
    /// Where it can write to.
    pub email: Option<Box<str>>,
    /// Whom its server is believed by.
    pub roots: Arc<RootCertStore>,
    /// How names are proven.
    pub proof: Proof,
    /// How long before its end a certificate is renewed, where that was written.
    pub renew: Option<Duration>,
    /// The account there.
    pub account: Option<ExternalAccount>,
    /// The certificates.
    pub wanted: Vec<Names>,
}

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_authority(other)
            && self.proof == other.proof
            && self.renew == other.renew
            && self.wanted == other.wanted
    }
}

impl Plan {
    /// True when the other plan is about the same account of the same authority.
    pub fn is_same_authority(&self, other: &Self) -> bool {
        self.directory == other.directory
            && self.email == other.email
            && self.roots.roots == other.roots.roots
            && self.account == other.account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_any_order_and_case() {
        let names = Names::new(["www.Example.com", "example.com.", "EXAMPLE.com"]);
        assert_eq!(names, Names::new(["example.com", "www.example.com"]));
        assert_eq!(names.to_string(), "example.com,www.example.com");
    }
}
