//! The TLS of a listener: certificates and policies by server name.

use std::sync::Arc;

use rustls::ServerConfig;

use super::names::ServerNames;
use super::passthrough::Passthrough;
use crate::condition::UnixSeconds;

/// What holds for the hosts of one certificate.
#[derive(Debug)]
pub struct HostTls {
    /// What the handshake is done with.
    pub config: Arc<ServerConfig>,
    /// The names of the certificate, as they were added to [`ServerTls::names`].
    pub names: ServerNames<()>,
    /// Equal for hosts that demand the same of a client: versions and client certificates. A connection made under one
    /// policy is not used for a host with another, and a session ticket of one is worth nothing under another.
    pub policy: u64,
}

/// What a server name stands for.
#[derive(Clone, Debug)]
pub enum ServerName {
    /// TLS ends here.
    Here(Arc<HostTls>),
    /// TLS ends at a service, which gets the bytes as they come.
    There(Arc<Passthrough>),
    /// TLS ends here once the certificate is there, which is being got.
    Soon,
}

/// A certificate that a listener shows, for those who watch over its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its first name; empty when it has none.
    pub name: Box<str>,
    /// After this moment nobody believes it.
    pub expires: UnixSeconds,
    /// From this moment on somebody should wonder why it was not renewed.
    pub worrying: UnixSeconds,
}

/// How a listener speaks TLS.
#[derive(Debug, Default)]
pub struct ServerTls {
    /// By server name.
    pub names: ServerNames<ServerName>,
    /// For clients that name nobody, or a stranger; without it their handshake is refused.
    pub default: Option<Arc<HostTls>>,
    /// All certificates, in the order of the document.
    pub certificates: Box<[Held]>,
}

impl ServerTls {
    /// What a client reaches that asks for this name, or for none.
    pub fn named(&self, name: Option<&str>) -> Option<ServerName> {
        let default = || self.default.clone().map(ServerName::Here);
        name.and_then(|n| self.names.get(n)).cloned().or_else(default)
    }

    /// What holds for a client that asks for this name, or for none, where TLS ends here.
    pub fn host(&self, name: Option<&str>) -> Option<&Arc<HostTls>> {
        match name.and_then(|n| self.names.get(n)) {
            Some(ServerName::Here(host)) => Some(host),
            Some(ServerName::There(_) | ServerName::Soon) => None,
            None => self.default.as_ref(),
        }
    }
}
