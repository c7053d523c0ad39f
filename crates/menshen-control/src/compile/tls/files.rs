//! PEM files: what is in them, or why they are of no use.

use std::io;

use menshen_config::document::FilePath;
use menshen_config::{Path, Problems, Spanned};
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::provider;
use crate::Ground;

/// Reads files of a configuration and tells what is wrong with them.
pub(super) struct Files<'a> {
    pub(super) ground: &'a Ground,
    pub(super) problems: &'a mut Problems,
}

impl Files<'_> {
    /// The bytes of a file.
    pub(super) fn read(&mut self, file: &Spanned<FilePath>, path: &Path) -> Option<Vec<u8>> {
        let name = self.ground.files.resolve(&file.value.0);
        let error = match self.ground.files.read(&name) {
            Ok(bytes) => return Some(bytes),
            Err(error) => error,
        };
        let why = match error.kind() {
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            io::ErrorKind::PermissionDenied => "no permission to read it".to_owned(),
            _ => error.to_string(),
        };
        self.problems.error(file.span, path.clone(), format!("{}: {why}", name.display()));
        None
    }

    /// The certificates in a PEM file; at least one.
    pub(super) fn certificates(
        &mut self,
        file: &Spanned<FilePath>,
        path: &Path,
    ) -> Option<Vec<CertificateDer<'static>>> {
        let bytes = self.read(file, path)?;
        let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&bytes).collect();
        let why = match found {
            Ok(list) if !list.is_empty() => return Some(list),
            Ok(_) => "there is no certificate in it".to_owned(),
            Err(error) => format!("broken PEM: {error}"),
        };
        let problem = self.problems.error(file.span, path.clone(), format!("{}: {why}", file.value));
        problem.hint(
            "a certificate is the text between `-----BEGIN CERTIFICATE-----` and `-----END CERTIFICATE-----`",
        );
        None
    }

    /// A certificate and the key that belongs to it.
    pub(super) fn certified_key(
        &mut self,
        chain: &Spanned<FilePath>,
        key: &Spanned<FilePath>,
        path: &Path,
    ) -> Option<CertifiedKey> {
        let certificates = self.certificates(chain, &path.key("chain"));
        let bytes = self.read(key, &path.key("key"))?;
        let certificates = certificates?;
        let private = match PrivateKeyDer::from_pem_slice(&bytes) {
            Ok(private) => private,
            Err(error) => {
                let why = match error {
                    pem::Error::NoItemsFound => "there is no private key in it".to_owned(),
                    // What else it says could repeat a part of the key.
                    _ => "broken PEM".to_owned(),
                };
                self.problems
                    .error(key.span, path.key("key"), format!("{}: {why}", key.value))
                    .hint("keys are PKCS #8, PKCS #1 or SEC 1 in PEM, without a password");
                return None;
            }
        };
        match CertifiedKey::from_der(certificates, private, &provider()) {
            Ok(certified) => Some(certified),
            Err(rustls::Error::InconsistentKeys(_)) => {
                let message = format!("{} is not the key of the certificate in {}", key.value, chain.value);
                self.problems
                    .error(key.span, path.key("key"), message)
                    .hint("compare `openssl x509 -pubkey -noout` with `openssl pkey -pubout`");
                None
            }
            Err(error) => {
                self.problems.error(key.span, path.key("key"), format!("{}: {error}", key.value));
                None
            }
        }
    }

    /// The authorities in a PEM file.
    pub(super) fn authorities(&mut self, file: &Spanned<FilePath>, path: &Path) -> Option<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates(file, path)? {
            if let Err(error) = roots.add(certificate) {
                self.problems.error(file.span, path.clone(), format!("{}: {error}", file.value));
                return None;
            }
        }
        Some(roots)
    }

    /// The names in a certificate (RFC 9525 §2: the subject's common name is none). Tells when it is not valid now.
    pub(super) fn names(
        &mut self,
        chain: &Spanned<FilePath>,
        path: &Path,
        certificate: &CertificateDer<'_>,
    ) -> Option<Vec<String>> {
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
            let message = format!("{}: the certificate cannot be read", chain.value);
            self.problems.error(chain.span, path.key("chain"), message);
            return None;
        };
        let validity = parsed.validity();
        let now = x509_parser::time::ASN1Time::now();
        // Expired is bad, but not serving is worse: clients will say so, and this says so before them.
        if now > validity.not_after {
            let message = format!("{}: the certificate expired on {}", chain.value, validity.not_after);
            self.problems.warning(chain.span, path.key("chain"), message);
        } else if now < validity.not_before {
            let message =
                format!("{}: the certificate is not valid before {}", chain.value, validity.not_before);
            self.problems.warning(chain.span, path.key("chain"), message);
        }
        let alternative = parsed.subject_alternative_name().ok().flatten();
        let names = alternative.iter().flat_map(|a| &a.value.general_names).filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => ip(bytes).map(|ip| ip.to_string()),
            _ => None,
        });
        Some(names.collect())
    }
}

fn ip(bytes: &[u8]) -> Option<std::net::IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(Into::into);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(Into::into)).ok()
}
