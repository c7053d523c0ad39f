//! Certificates for tests, made anew by each.

use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationList, CertificateRevocationListParams,
    CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
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
    serial: SerialNumber,
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

    /// One that this one certifies.
    ///
    /// # Panics
    /// See [`Authority::new`].
    pub fn below(&self, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = called(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::signed_by(params, key(), &*self.issuer).expect("an authority") }
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

    /// A client's certificate that ends so many seconds after 1970.
    pub fn client_until(&self, name: &str, end: u64) -> Leaf {
        let mut params = params(&[], ExtendedKeyUsagePurpose::ClientAuth, Validity::Long);
        params.distinguished_name = called(name);
        params.not_after = date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(end);
        self.leaf(params)
    }

    /// A server's certificate in the hands of a client.
    pub fn server_as_client(&self, name: &str) -> Leaf {
        self.server(&[name])
    }

    /// Its list of revoked certificates, good at this time.
    ///
    /// # Panics
    /// See [`Authority::new`].
    pub fn revoking(&self, leaves: &[&Leaf], validity: Validity) -> CertificateRevocationList {
        let (this_update, next_update) = match validity {
            Validity::Long => (date_time_ymd(2020, 1, 1), date_time_ymd(2200, 1, 1)),
            Validity::Expired => (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1)),
            Validity::Future => (date_time_ymd(2190, 1, 1), date_time_ymd(2200, 1, 1)),
        };
        let revoked = |leaf: &&Leaf| RevokedCertParams {
            serial_number: leaf.serial.clone(),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: leaves.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&*self.issuer).expect("a list")
    }

    fn leaf(&self, mut params: CertificateParams) -> Leaf {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let (key, serial) = (key(), SerialNumber::from(NUMBER.fetch_add(1, Ordering::Relaxed)));
        params.serial_number = Some(serial.clone());
        let certificate = params.signed_by(&key, &*self.issuer).expect("a certificate");
        Leaf { certificate, key, serial }
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
        let serial = SerialNumber::from(0);
        Self { certificate: params.self_signed(&key).expect("a certificate"), key, serial }
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
