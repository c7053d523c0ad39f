//! TLS clients. They believe whatever certificate they get and report it, so that a test can compare it.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConnection, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme, SupportedProtocolVersion};

use crate::confused::Confused;
use crate::secured::Secured;
use crate::{Client, Leaf, PATIENCE, Response};

/// A client that makes TLS connections; sessions of one are continued by the next, as far as servers allow it.
#[derive(Clone, Debug)]
pub struct Dialer {
    config: ClientConfig,
    staple: Arc<Credulous>,
}

impl Default for Dialer {
    fn default() -> Self {
        Self::speaking(rustls::ALL_VERSIONS, None)
    }
}

impl Dialer {
    /// One that speaks HTTP/1.1 over TLS 1.3 or 1.2.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that shows this certificate.
    pub fn showing(leaf: &Leaf) -> Self {
        Self::speaking(rustls::ALL_VERSIONS, Some(leaf))
    }

    /// One that speaks TLS 1.2 only.
    pub fn of_tls12() -> Self {
        Self::speaking(&[&rustls::version::TLS12], None)
    }

    /// One that speaks TLS 1.3 only.
    pub fn of_tls13() -> Self {
        Self::speaking(&[&rustls::version::TLS13], None)
    }

    /// One that speaks TLS 1.3 and pretends to hide the name that it asks for, as browsers do (ECH GREASE, RFC 9849).
    ///
    /// # Panics
    /// When rustls cannot do that.
    pub fn greasing() -> Self {
        use rustls::client::{EchGreaseConfig, EchMode};
        use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_128 as SUITE;
        use rustls::crypto::hpke::Hpke;
        let (placeholder, _) = SUITE.generate_key_pair().expect("a key");
        let staple = Arc::new(Credulous { provider: provider(), staple: Mutex::default() });
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_ech(EchMode::Grease(EchGreaseConfig::new(SUITE, placeholder)))
            .expect("ECH")
            .dangerous()
            .with_custom_certificate_verifier(staple.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { config, staple }
    }

    /// One that speaks these versions and may show a certificate.
    ///
    /// # Panics
    /// When rustls cannot do that.
    pub fn speaking(versions: &[&'static SupportedProtocolVersion], shown: Option<&Leaf>) -> Self {
        let staple = Arc::new(Credulous { provider: provider(), staple: Mutex::default() });
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .expect("versions")
            .dangerous()
            .with_custom_certificate_verifier(staple.clone());
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some(leaf) => builder
                .with_client_auth_cert(vec![leaf.der().clone()], leaf.key_der())
                .expect("a certificate and its key"),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { config, staple }
    }

    /// The same, offering these protocols.
    #[must_use]
    pub fn offering(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        self
    }

    /// The same, which continues no session.
    #[must_use]
    pub fn forgetful(mut self) -> Self {
        self.config.resumption = Resumption::disabled();
        self
    }

    /// The same, which shows the sessions of any host to every other.
    #[must_use]
    pub fn confusing_hosts(mut self) -> Self {
        self.config.resumption = Resumption::store(Arc::new(Confused::new()));
        self
    }

    /// Connects and asks for this name.
    ///
    /// # Errors
    /// How the handshake failed.
    ///
    /// # Panics
    /// When nobody listens there.
    pub fn dial(&self, address: SocketAddr, name: &str) -> Result<Client, String> {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        self.shake_hands(address, name)
    }

    /// Connects and names nobody.
    ///
    /// # Errors
    /// How the handshake failed.
    pub fn dial_unnamed(&self, address: SocketAddr) -> Result<Client, String> {
        self.shake_hands(address, ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST).into()))
    }

    /// Sends a GET over a new connection.
    ///
    /// # Errors
    /// How the handshake, or the exchange behind it, failed: with TLS 1.3 a client learns only then that its
    /// certificate was refused.
    pub fn get(&self, address: SocketAddr, name: &str, target: &str) -> Result<Response, String> {
        let mut client = self.dial(address, name)?;
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {name}\r\n\r\n"));
        client.try_response().map_err(|broken| broken.to_string())
    }

    /// The OCSP response that came with the last certificate; empty if none did.
    pub fn staple(&self) -> Vec<u8> {
        self.staple.staple.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn into_config(self) -> Arc<ClientConfig> {
        Arc::new(self.config)
    }

    /// The first bytes that this client would send, asking for this name.
    ///
    /// # Panics
    /// When rustls makes none.
    pub fn hello(&self, name: &str) -> Vec<u8> {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut connection = ClientConnection::new(Arc::new(self.config.clone()), name).expect("a client");
        let mut hello = Vec::new();
        connection.write_tls(&mut hello).expect("a hello");
        hello
    }

    /// Connects to a Unix socket and asks for this name.
    ///
    /// # Errors
    /// How the handshake failed.
    ///
    /// # Panics
    /// When nobody listens there.
    pub fn dial_socket(&self, path: &Path, name: &str) -> Result<Client, String> {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        self.shake_hands_on(crate::wire::unix(path), name)
    }

    fn shake_hands(&self, address: SocketAddr, name: ServerName<'static>) -> Result<Client, String> {
        self.shake_hands_on(TcpStream::connect(address).expect("somebody listens"), name)
    }

    fn shake_hands_on(&self, tcp: TcpStream, name: ServerName<'static>) -> Result<Client, String> {
        let _ = tcp.set_read_timeout(Some(PATIENCE));
        let connection =
            ClientConnection::new(Arc::new(self.config.clone()), name).map_err(|e| e.to_string())?;
        let mut secured = Secured::new(connection, tcp).map_err(|e| e.to_string())?;
        secured.flush().map_err(|e| e.to_string())?;
        Ok(Client::over_tls(secured))
    }
}

/// The provider of cryptography.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Believes every certificate, but not every signature.
#[derive(Debug)]
struct Credulous {
    provider: Arc<CryptoProvider>,
    staple: Mutex<Vec<u8>>,
}

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        staple: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.staple.lock().unwrap_or_else(PoisonError::into_inner) = staple.to_vec();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
