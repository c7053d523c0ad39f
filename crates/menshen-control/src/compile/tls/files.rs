//! PEM files: what is in them, or why they are of no use.

use std::os::unix::fs::PermissionsExt;

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
            Err(error) => broken(&error),
        };
        let problem = self.problems.error(file.span, path.clone(), format!("{}: {why}", file.value));
        problem.hint(match Form::of(&bytes) {
            Form::Der => "it looks like DER: `openssl x509 -inform der -in FILE -out web.pem` makes PEM of it, `openssl pkcs12 -in FILE` of PKCS #12",
            Form::Key => "there is a private key in it: is that in the place of the certificate?",
            Form::Other => "a certificate is the text between `-----BEGIN CERTIFICATE-----` and `-----END CERTIFICATE-----`",
        });
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
        self.note_readers(key, &path.key("key"));
        let found = belongs_to(&certificates, &private);
        match CertifiedKey::from_der(certificates, private, &provider()) {
            Ok(certified) => {
                self.note_chain(chain, &path.key("chain"), &certified.cert);
                return Some(certified);
            }
            Err(rustls::Error::InconsistentKeys(_)) => match found {
                Some(number) => {
                    let message = format!(
                        "{} begins with another certificate: the one of {} is number {number} in it",
                        chain.value, key.value
                    );
                    self.problems.error(chain.span, path.key("chain"), message).hint(ORDER);
                }
                None => {
                    let message =
                        format!("{} is not the key of the certificate in {}", key.value, chain.value);
                    self.problems
                        .error(key.span, path.key("key"), message)
                        .hint("compare `openssl x509 -pubkey -noout` with `openssl pkey -pubout`");
                }
            },
            Err(rustls::Error::InvalidCertificate(_)) => {
                let message = format!("{}: the certificate cannot be read", chain.value);
                self.problems.error(chain.span, path.key("chain"), message);
            }
            Err(_) => {
                let message =
                    format!("{}: the key cannot be read, or is of a kind that is not used", key.value);
                self.problems
                    .error(key.span, path.key("key"), message)
                    .hint("use RSA with 2048 to 8192 bits, ECDSA with P-256, P-384 or P-521, or Ed25519");
            }
        }
        None
    }

    /// Whoever has the key is the server.
    fn note_readers(&mut self, key: &Spanned<FilePath>, path: &Path) {
        const ANYBODY: u32 = 0o004;
        let Ok(metadata) = std::fs::metadata(self.ground.files.resolve(&key.value.0)) else { return };
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & ANYBODY != 0 {
            let message =
                format!("{}: every user of this machine can read the key (mode {mode:04o})", key.value);
            self.problems
                .warning(key.span, path.clone(), message)
                .hint("take that away with `chmod o-r`; volumes of Kubernetes have `defaultMode: 0440`");
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
            self.note_no_authority(file, path, &certificate);
            if let Err(error) = roots.add(certificate) {
                self.problems.error(file.span, path.clone(), format!("{}: {error}", file.value));
                return None;
            }
        }
        Some(roots)
    }
}

/// What to put into a file with a chain.
pub(super) const ORDER: &str =
    "the server's own certificate comes first, then the one that signed it, and so on";

/// Which of several certificates a key is of, counted from 1; only asked where that is not the first.
fn belongs_to(certificates: &[CertificateDer<'static>], key: &PrivateKeyDer<'static>) -> Option<usize> {
    let is_of = |c: &CertificateDer<'static>| {
        CertifiedKey::from_der(vec![c.clone()], key.clone_key(), &provider()).is_ok()
    };
    certificates.iter().position(is_of).map(|i| i + 1)
}

/// What is in a file instead of certificates.
enum Form {
    /// The form on the wire.
    Der,
    /// A private key in PEM.
    Key,
    /// Neither.
    Other,
}

impl Form {
    fn of(bytes: &[u8]) -> Self {
        /// A SEQUENCE in DER; no text begins so.
        const SEQUENCE: u8 = 0x30;
        match bytes.first() {
            Some(&SEQUENCE) => Self::Der,
            _ if holds(bytes, b"PRIVATE KEY-----") => Self::Key,
            _ => Self::Other,
        }
    }
}

fn holds(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|w| w == words)
}

/// What is wrong with PEM. Nothing that stands in the file is repeated: it may be a key.
pub(super) fn broken(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "broken PEM: it breaks off before a line with `-----END`".to_owned()
        }
        pem::Error::IllegalSectionStart { .. } => {
            "broken PEM: a line with `-----BEGIN` does not end with `-----`".to_owned()
        }
        pem::Error::Base64Decode(_) => "broken PEM: something in it is not Base64".to_owned(),
        _ => "broken PEM".to_owned(),
    }
}

/// Why there is no key in the bytes of a file, and what to do. What else the error says could repeat a part of the key.
fn what_is_wrong(bytes: &[u8], error: &pem::Error) -> (&'static str, &'static str) {
    const FORMS: &str = "keys are PKCS #8, PKCS #1 or SEC 1 in PEM, without a password";
    let is_encrypted = holds(bytes, b"ENCRYPTED");
    match error {
        _ if matches!(Form::of(bytes), Form::Der) => (
            "there is no private key in PEM in it",
            "it looks like DER: `openssl pkey -inform der -in FILE -out web.key` makes PEM of it",
        ),
        _ if is_encrypted => {
            ("the key is encrypted", "decrypt it: `openssl pkey -in encrypted.key -out plain.key`")
        }
        pem::Error::NoItemsFound => ("there is no private key in it", FORMS),
        _ => ("broken PEM", FORMS),
    }
}
