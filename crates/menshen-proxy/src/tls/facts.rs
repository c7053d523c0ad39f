//! What is known of a TLS connection of a client.

use std::cell::OnceCell;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, HandshakeKind, ProtocolVersion, ServerConnection};

use super::identity::ClientIdentity;
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
    /// Who that is; read when somebody asks.
    identity: OnceCell<ClientIdentity>,
    host: Arc<HostTls>,
}

impl TlsFacts {
    pub(crate) fn of(connection: &ServerConnection, host: Arc<HostTls>) -> Self {
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        };
        let suite = connection.negotiated_cipher_suite().map(|s| iana_name(s.suite()));
        Self {
            server_name: connection.server_name().map(Into::into),
            version,
            cipher: suite.unwrap_or("unknown"),
            is_h2: connection.alpn_protocol() == Some(b"h2"),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            client_certificate: connection.peer_certificates().and_then(|c| c.first().cloned()),
            identity: OnceCell::new(),
            host,
        }
    }

    /// Who the client is by its certificate, if it has shown one.
    pub fn client(&self) -> Option<&ClientIdentity> {
        let certificate = self.client_certificate.as_ref()?;
        Some(self.identity.get_or_init(|| ClientIdentity::of(certificate)))
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

/// The name of a cipher suite in the registry of IANA; for TLS 1.3 rustls has names of its own.
fn iana_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        other => other.as_str().unwrap_or("unknown"),
    }
}
