//! TLS toward a gateway: 1.3, X25519 and AES-128-GCM, whatever the gateway would rather have.
//!
//! Certificates and signatures are not verified: that would be work for this side alone, and `bench/run` has verified
//! them before the load begins.

use std::sync::Arc;

use clap::ValueEnum;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::wire::{Fault, PATIENCE};

/// What is spoken inside TLS.
#[derive(Clone, Copy, ValueEnum)]
pub enum Protocol {
    /// HTTP/1.1
    #[value(name = "http/1.1")]
    Http1,
    /// HTTP/2
    H2,
}

impl Protocol {
    fn alpn(self) -> &'static [u8] {
        match self {
            Protocol::Http1 => b"http/1.1",
            Protocol::H2 => b"h2",
        }
    }
}

/// Which handshakes are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Handshakes {
    /// Full ones: no session is kept.
    Full,
    /// Resumed ones, from the second on.
    Resumed,
}

/// What opens TLS connections; it keeps the sessions of its own connections only.
pub struct Client {
    connector: TlsConnector,
    /// What is spoken on them.
    pub protocol: Protocol,
    name: ServerName<'static>,
}

impl Client {
    /// A client that has no sessions yet.
    pub fn new(protocol: Protocol, handshakes: Handshakes) -> Result<Self, Error> {
        let provider = Arc::new(CryptoProvider {
            cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
            kx_groups: vec![aws_lc_rs::kx_group::X25519],
            ..aws_lc_rs::default_provider()
        });
        let mut config = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.alpn().to_vec()];
        config.resumption = match handshakes {
            Handshakes::Full => Resumption::disabled(),
            Handshakes::Resumed => Resumption::in_memory_sessions(1),
        };
        let name = ServerName::try_from("bench.test").map_err(|error| Error::General(error.to_string()))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), protocol, name })
    }

    /// Shakes hands over a new connection.
    pub async fn open(&self, socket: TcpStream) -> Result<TlsStream<TcpStream>, Fault> {
        match timeout(PATIENCE, self.connector.connect(self.name.clone(), socket)).await {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(self.protocol.alpn()) => Ok(stream),
            _ => Err(Fault::NotEncrypted),
        }
    }
}

/// Believes every certificate.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
