//! TLS: certificates, keys and authorities from files, and the policies made of them.

mod about;
mod chain;
mod files;
mod host;
mod listener;
mod passthrough;
mod revocation;
mod service;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use menshen_config::document::TlsVersion;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::TrustAnchor;
use rustls::{RootCertStore, SupportedProtocolVersion};

pub(super) use files::Files;
pub(super) use listener::compile as listener;
pub(crate) use service::system_roots;
pub(super) use service::{Identity, Nameless};

/// The one provider of cryptography, with post-quantum key exchange preferred.
static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));

pub(crate) fn provider() -> Arc<CryptoProvider> {
    PROVIDER.clone()
}

fn versions(minimum: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static ONLY_13: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
    match minimum {
        TlsVersion::V12 => rustls::ALL_VERSIONS,
        TlsVersion::V13 => &ONLY_13,
    }
}

/// All that is believed of authorities: their names, keys and for which names they may speak.
fn anchors(roots: &RootCertStore) -> Vec<(Vec<u8>, Vec<u8>, Option<Vec<u8>>)> {
    let anchor = |a: &TrustAnchor<'_>| {
        let constraints = a.name_constraints.as_ref().map(|c| c.to_vec());
        (a.subject.to_vec(), a.subject_public_key_info.to_vec(), constraints)
    };
    roots.roots.iter().map(anchor).collect()
}

/// A number that is the same for the same content.
fn fingerprint(content: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}
