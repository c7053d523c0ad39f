//! What all requests of the gateway's own begin with, to registries and to certificate authorities: TCP, and TLS over it.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{ClientConfig, RootCertStore};

use crate::compile::provider;

/// TCP that TLS may go over; a connection takes no longer than this.
pub(crate) fn tcp(connect: Duration) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(connect));
    tcp
}

/// TLS that believes these authorities, and shows no certificate of its own.
///
/// # Errors
/// What rustls says.
pub(crate) fn tls(roots: Arc<RootCertStore>) -> Result<ClientConfig, String> {
    let versions = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    Ok(versions.map_err(|e| e.to_string())?.with_root_certificates(roots).with_no_client_auth())
}
