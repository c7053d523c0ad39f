//! PEM files: what is in them, or why they are of no use.

use menshen_config::document::FilePath;
use menshen_config::{Path, Problems, Spanned};
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::provider;
use crate::Ground;

/// Reads files of a configuration and tells what is wrong with them.
pub(in crate::compile) struct Files<'a> {
    pub(in crate::compile) ground: &'a Ground,
    pub(in crate::compile) problems: &'a mut Problems,
}

impl Files<'_> {
    /// The bytes of a file.
    pub(super) fn read(&mut self, file: &Spanned<FilePath>, path: &Path) -> Option<Vec<u8>> {
        let read = self.ground.files.read_named(&file.value.0);
        read.map_err(|why| self.problems.error(file.span, path.clone(), why)).ok()
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
                let (why, hint) = what_is_wrong(&bytes, &error);
                self.problems.error(key.span, path.key("key"), format!("{}: {why}", key.value)).hint(hint);
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
            Err(rustls::Error::InvalidCertificate(_)) => {
                let message = format!("{}: the certificate cannot be read", chain.value);
                self.problems.error(chain.span, path.key("chain"), message);
                None
            }
            Err(error) => {
                self.problems.error(key.span, path.key("key"), format!("{}: {error}", key.value));
                None
            }
        }
    }

    /// The authorities in a PEM file.
    pub(in crate::compile) fn authorities(
        &mut self,
        file: &Spanned<FilePath>,
        path: &Path,
    ) -> Option<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates(file, path)? {
            if let Err(error) = roots.add(certificate) {
                self.problems.error(file.span, path.clone(), format!("{}: {error}", file.value));
                return None;
            }
        }
        Some(roots)
    }
}

/// Why there is no key in the bytes of a file, and what to do. What else the error says could repeat a part of the key.
fn what_is_wrong(bytes: &[u8], error: &pem::Error) -> (&'static str, &'static str) {
    const FORMS: &str = "keys are PKCS #8, PKCS #1 or SEC 1 in PEM, without a password";
    let is_encrypted = bytes.windows(b"ENCRYPTED".len()).any(|w| w == b"ENCRYPTED");
    match error {
        _ if is_encrypted => {
            ("the key is encrypted", "decrypt it: `openssl pkey -in encrypted.key -out plain.key`")
        }
        pem::Error::NoItemsFound => ("there is no private key in it", FORMS),
        _ => ("broken PEM", FORMS),
    }
}
