//! How an origin speaks TLS.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;

use crate::dialer::provider;
use crate::pair::Link;
use crate::{Authority, Leaf};

/// How an origin speaks TLS: which certificate it shows, and which it wants to see.
#[derive(Clone, Debug)]
pub struct Keeper(pub(crate) Arc<ServerConfig>);

impl Keeper {
    /// Shows this certificate and asks for none.
    ///
    /// # Panics
    /// When rustls does not take it; so do all functions here.
    pub fn of(leaf: &Leaf) -> Self {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], leaf.key_der())
            .expect("a certificate and its key");
        Self::offering(config, &["http/1.1"])
    }

    /// Shows this certificate and wants one of this authority's.
    ///
    /// # Panics
    /// See [`Keeper::of`].
    pub fn demanding(leaf: &Leaf, authority: &Authority) -> Self {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authority.roots()), provider());
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(verifier.build().expect("a verifier"))
            .with_single_cert(vec![leaf.der().clone()], leaf.key_der())
            .expect("a certificate and its key");
        Self::offering(config, &["http/1.1"])
    }

    /// Shows the certificate in this folder.
    pub(crate) fn from_files(folder: &Path, link: Link) -> Self {
        let chain = CertificateDer::from_pem_file(folder.join("own.pem")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(folder.join("own.key")).expect("a key");
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .expect("a certificate and its key");
        Self::offering(config, if link.is_h2() { &["h2"] } else { &["http/1.1"] })
    }

    fn offering(mut config: ServerConfig, protocols: &[&str]) -> Self {
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        Self(Arc::new(config))
    }
}
