//! What is known of a TLS connection of a client.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};

use super::server::{HostTls, ServerTls};

/// What is known of a TLS connection of a client, for filters and the log.
#[derive(Debug)]
pub struct TlsFacts {
    /// The name that the client asked for.
    pub server_name: Option<Box<str>>,
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its IANA name.
    pub cipher: &'static str,
    /// HTTP/2 was agreed on (RFC 7301).
    pub is_h2: bool,
    /// The handshake continued an earlier session.
    pub resumed: bool,
    /// The certificate that the client has shown and that was verified.
    pub client_certificate: Option<CertificateDer<'static>>,
    host: Arc<HostTls>,
}

impl TlsFacts {
    pub(crate) fn of(connection: &ServerConnection, host: Arc<HostTls>) -> Self {
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        };
        let suite = connection.negotiated_cipher_suite().and_then(|s| s.suite().as_str());
        Self {
            server_name: connection.server_name().map(Into::into),
            version,
            cipher: suite.unwrap_or("unknown"),
            is_h2: connection.alpn_protocol() == Some(b"h2"),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            client_certificate: connection.peer_certificates().and_then(|c| c.first().cloned()),
            host,
        }
    }

    /// True when a request for this host may come over the connection: the host asks of clients what the connection has
    /// shown, and it is the one that was asked for, or of the same certificate. `now` is the TLS of the listener today.
    pub(crate) fn speaks_for(&self, host: &[u8], now: &ServerTls) -> bool {
        let Ok(host) = std::str::from_utf8(host) else { return false };
        let asked_for = self.server_name.as_deref();
        let wanted = now.host(Some(host));
        if wanted.map(|h| h.policy) != Some(self.host.policy) {
            return false;
        }
        match asked_for {
            // A client without a name for us, as by IP address, got the default and may have what the default has.
            None => wanted.is_some_and(|w| now.default.as_ref().is_some_and(|d| Arc::ptr_eq(w, d))),
            Some(name) => {
                let same = name.eq_ignore_ascii_case(host.strip_suffix('.').unwrap_or(host));
                same || self.host.names.get(host).is_some()
            }
        }
    }
}
