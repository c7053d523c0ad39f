//! The TLS of a listener: certificates and policies by server name.

use std::sync::Arc;

use rustls::ServerConfig;

use super::names::ServerNames;

/// What holds for the hosts of one certificate.
#[derive(Debug)]
pub struct HostTls {
    /// What the handshake is done with.
    pub config: Arc<ServerConfig>,
    /// The names of the certificate, as they were added to [`ServerTls::hosts`].
    pub names: ServerNames<()>,
    /// Equal for hosts that demand the same of a client: versions and client certificates. A connection made under one
    /// policy is not used for a host with another, and a session ticket of one is worth nothing under another.
    pub policy: u64,
}

/// How a listener speaks TLS.
#[derive(Debug, Default)]
pub struct ServerTls {
    /// By server name.
    pub hosts: ServerNames<Arc<HostTls>>,
    /// For clients that name nobody, or a stranger; without it their handshake is refused.
    pub default: Option<Arc<HostTls>>,
}

impl ServerTls {
    /// What holds for a client that asks for this name, or for none.
    pub fn host(&self, name: Option<&str>) -> Option<&Arc<HostTls>> {
        name.and_then(|n| self.hosts.get(n)).or(self.default.as_ref())
    }
}
