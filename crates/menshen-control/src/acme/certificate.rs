//! A certificate that was got, with its key, as it is kept and as it is used.

use std::sync::Arc;

use menshen_proxy::condition::UnixSeconds;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::plan::Names;

/// What the keys of certificates in the store begin with.
pub(super) const PREFIX: &str = "acme/certificate/";

/// As it is kept.
#[derive(Serialize, Deserialize)]
struct Row {
    directory: Box<str>,
    names: Vec<Box<str>>,
    chain: String,
    key: String,
    got: UnixSeconds,
}

/// A certificate that was got, with its key.
#[derive(Debug)]
pub struct Certificate {
    /// The URL of the directory of the authority that it is from.
    pub directory: Box<str>,
    /// The names that it was got for.
    pub names: Names,
    /// What is shown, and what is signed with.
    pub certified: Arc<CertifiedKey>,
    /// The first moment at which it is valid.
    pub begins: UnixSeconds,
    /// The last one.
    pub expires: UnixSeconds,
    /// When it was got.
    pub got: UnixSeconds,
}

impl Certificate {
    /// What an authority gave for a key, both in PEM, and the same as it is kept.
    ///
    /// # Errors
    /// It is no certificate, or not for this key and these names.
    pub(super) fn got(
        directory: &str,
        names: &Names,
        (chain, key): (String, String),
        now: UnixSeconds,
    ) -> Result<(Self, Vec<u8>), String> {
        let row = Row {
            directory: directory.into(),
            names: names.iter().map(Into::into).collect(),
            chain,
            key,
            got: now,
        };
        let certificate = Self::of(&row)?;
        let bytes = serde_json::to_vec(&row).map_err(|e| e.to_string())?;
        Ok((certificate, bytes))
    }

    /// A certificate as it was kept.
    ///
    /// # Errors
    /// It cannot be understood.
    pub(super) fn kept(bytes: &[u8]) -> Result<Self, String> {
        let row: Row = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        Self::of(&row)
    }

    /// The key under which it is kept.
    pub(super) fn key_of(directory: &str, names: &Names) -> String {
        format!("{PREFIX}{directory}/{names}")
    }

    fn of(row: &Row) -> Result<Self, String> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(row.chain.as_bytes()).collect();
        let chain = chain.map_err(|e| format!("broken PEM: {e}"))?;
        let first = chain.first().ok_or("there is no certificate in what was got")?.clone();
        let (_, parsed) = X509Certificate::from_der(&first).map_err(|e| e.to_string())?;
        // What the key reader says could repeat a part of the key.
        let key = PrivateKeyDer::from_pem_slice(row.key.as_bytes()).map_err(|_| "the key cannot be read")?;
        let provider = crate::compile::provider();
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|e| e.to_string())?;
        let names = Names::new(row.names.iter().map(|n| &**n));
        let alternative = parsed.subject_alternative_name().ok().flatten();
        let in_it =
            Names::new(alternative.iter().flat_map(|a| &a.value.general_names).filter_map(|n| match n {
                x509_parser::extensions::GeneralName::DNSName(name) => Some(*name),
                _ => None,
            }));
        if let Some(missing) = names.iter().find(|n| !in_it.iter().any(|i| i == *n)) {
            return Err(format!("the certificate is not for `{missing}`"));
        }
        Ok(Self {
            directory: row.directory.clone(),
            names,
            certified: Arc::new(certified),
            begins: parsed.validity().not_before.timestamp(),
            expires: parsed.validity().not_after.timestamp(),
            got: row.got,
        })
    }

    /// The certificate itself, without those above it.
    pub(super) fn leaf(&self) -> Option<&CertificateDer<'static>> {
        self.certified.cert.first()
    }

    /// True when it is for this name.
    pub fn covers(&self, name: &str) -> bool {
        let wildcard = name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        self.names.iter().any(|n| n == name || Some(n) == wildcard.as_deref())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A certificate of its own making for these names, valid for these seconds.
    pub(in crate::acme) fn made(
        directory: &str,
        names: &[&str],
        life: std::ops::Range<UnixSeconds>,
    ) -> (Certificate, Vec<u8>) {
        let mut params =
            rcgen::CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).unwrap();
        let at = |s: UnixSeconds| {
            rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(u64::try_from(s).unwrap())
        };
        (params.not_before, params.not_after) = (at(life.start), at(life.end));
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let names = Names::new(names.iter().copied());
        Certificate::got(directory, &names, (pem, key.serialize_pem()), life.start).unwrap()
    }

    #[test]
    fn what_is_kept_is_the_same_afterwards() {
        let (got, bytes) = made("https://ca", &["b.example", "a.example"], 1_000..2_000);
        let kept = Certificate::kept(&bytes).unwrap();
        assert_eq!((&kept.names, kept.begins, kept.expires, kept.got), (&got.names, 1_000, 2_000, 1_000));
        assert_eq!(kept.leaf(), got.leaf());
        assert_eq!(
            Certificate::key_of("https://ca", &kept.names),
            "acme/certificate/https://ca/a.example,b.example"
        );
    }

    #[test]
    fn a_certificate_for_other_names_or_another_key_is_refused() {
        let (_, bytes) = made("https://ca", &["a.example"], 1_000..2_000);
        let mut row: Row = serde_json::from_slice(&bytes).unwrap();
        row.names = vec!["b.example".into()];
        assert!(Certificate::of(&row).unwrap_err().contains("is not for `b.example`"));
        row.names = vec!["a.example".into()];
        row.key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert!(Certificate::of(&row).is_err());
        row.key = "secret".to_owned();
        assert!(!Certificate::of(&row).unwrap_err().contains("secret"));
    }
}
