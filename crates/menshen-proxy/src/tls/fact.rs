//! What templates and conditions can ask of a TLS connection.

use super::facts::TlsFacts;

/// What templates and conditions can ask of a TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFact {
    /// `TLSv1.2` or `TLSv1.3`.
    Version,
    /// The cipher suite by its IANA name.
    Cipher,
    /// The name that the client asked for.
    ServerName,
    /// The subject of the client's certificate (RFC 4514).
    ClientSubject,
    /// The SHA-256 of the client's certificate, in hex.
    ClientFingerprint,
    /// The alternative names of the client's certificate.
    ClientNames,
}

impl TlsFact {
    /// All of them with their names.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("version", Self::Version),
        ("cipher", Self::Cipher),
        ("server-name", Self::ServerName),
        ("client.subject", Self::ClientSubject),
        ("client.fingerprint", Self::ClientFingerprint),
        ("client.san", Self::ClientNames),
    ];

    /// The one of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(n, _)| *n == name).map(|(_, fact)| *fact)
    }

    /// Its values; only a certificate's names can be several.
    pub fn values(self, facts: &TlsFacts) -> impl Iterator<Item = &str> {
        let one = match self {
            Self::Version => Some(facts.version),
            Self::Cipher => Some(facts.cipher),
            Self::ServerName => facts.server_name.as_deref(),
            Self::ClientSubject => facts.client().map(|c| &*c.subject),
            Self::ClientFingerprint => facts.client().map(|c| &*c.fingerprint),
            Self::ClientNames => None,
        };
        let names = match self {
            Self::ClientNames => facts.client().map_or(&[][..], |c| &c.names),
            _ => &[],
        };
        one.into_iter().chain(names.iter().map(|n| &**n))
    }
}
