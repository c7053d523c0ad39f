//! Certificates for tests, made anew by each.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, SanType, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Somebody who certifies others.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Leaf {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

/// When a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// For a long time.
    Long,
    /// It is over.
    Expired,
    /// It has not begun.
    Future,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// When it cannot be made; so do all functions here.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = called(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("an authority");
        Self { issuer }
    }

    /// Its own certificate as PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// As the only one to believe.
    ///
    /// # Panics
    /// See [`Authority::new`].
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a root");
        roots
    }

    /// A server's certificate for these names and addresses.
    pub fn server(&self, names: &[&str]) -> Leaf {
        self.leaf(params(names, ExtendedKeyUsagePurpose::ServerAuth, Validity::Long))
    }

    /// The same, good at another time.
    pub fn server_valid(&self, names: &[&str], validity: Validity) -> Leaf {
        self.leaf(params(names, ExtendedKeyUsagePurpose::ServerAuth, validity))
    }

    /// A client's certificate.
    pub fn client(&self, name: &str) -> Leaf {
        self.client_valid(name, Validity::Long)
    }

    /// The same, good at another time.
    pub fn client_valid(&self, name: &str, validity: Validity) -> Leaf {
        let mut params = params(&[], ExtendedKeyUsagePurpose::ClientAuth, validity);
        params.distinguished_name = called(name);
        let uri = format!("spiffe://test/{name}");
        params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into().expect("a URI"))];
        self.leaf(params)
    }

    /// A server's certificate in the hands of a client.
    pub fn server_as_client(&self, name: &str) -> Leaf {
        self.server(&[name])
    }

    fn leaf(&self, params: CertificateParams) -> Leaf {
        let key = key();
        let certificate = params.signed_by(&key, &*self.issuer).expect("a certificate");
        Leaf { certificate, key }
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Leaf {
    /// One that certifies itself.
    ///
    /// # Panics
    /// See [`Authority::new`].
    pub fn self_signed(names: &[&str]) -> Self {
        let key = key();
        let params = params(names, ExtendedKeyUsagePurpose::ServerAuth, Validity::Long);
        Self { certificate: params.self_signed(&key).expect("a certificate"), key }
    }

    /// The certificate as PEM.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// The key as PEM.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The certificate as it is on the wire.
    pub fn der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    pub(crate) fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.serialize_der().into())
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn called(name: &str) -> DistinguishedName {
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, name);
    called
}

fn params(names: &[&str], purpose: ExtendedKeyUsagePurpose, validity: Validity) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name = called("menshen test");
    params.extended_key_usages = vec![purpose];
    let (from, to) = match validity {
        Validity::Long => (2020, 2200),
        Validity::Expired => (2020, 2021),
        Validity::Future => (2199, 2200),
    };
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params
}
