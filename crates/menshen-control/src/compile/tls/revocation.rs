//! Certificate revocation lists (RFC 5280 §5): which certificates their authorities have taken back.

use menshen_config::document::FilePath;
use menshen_config::{OneOrMany, Path, Spanned};
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::{self, PemObject};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::files::{Files, broken};
use super::fingerprint;

/// The lists that a verifier looks into.
pub(super) struct Lists {
    pub(super) lists: Vec<CertificateRevocationListDer<'static>>,
    /// Equal as long as the same certificates are revoked, also in lists that were renewed.
    pub(super) revoked: u64,
}

/// Who is revoked in a list, and its end in seconds since 1970.
struct Content {
    revoked: Vec<(Vec<u8>, Vec<u8>)>,
    ends: Option<i64>,
}

impl Files<'_> {
    /// The lists in these files; `None` after a problem.
    pub(super) fn revocation_lists(
        &mut self,
        files: &OneOrMany<Spanned<FilePath>>,
        path: &Path,
    ) -> Option<Lists> {
        let (mut lists, mut revoked) = (Vec::new(), Vec::new());
        for file in files {
            let bytes = self.read(file, path)?;
            for list in self.in_file(&bytes, file, path)? {
                let Some(content) = content(&list) else {
                    let message = format!("{}: the revocation list cannot be read", file.value);
                    self.problems.error(file.span, path.clone(), message);
                    return None;
                };
                self.note_end(content.ends, file, path);
                revoked.extend(content.revoked);
                lists.push(list);
            }
        }
        revoked.sort();
        Some(Lists { lists, revoked: fingerprint(revoked) })
    }

    /// One list in DER, or several in PEM.
    fn in_file(
        &mut self,
        bytes: &[u8],
        file: &Spanned<FilePath>,
        path: &Path,
    ) -> Option<Vec<CertificateRevocationListDer<'static>>> {
        /// A SEQUENCE in DER; no text begins so.
        const SEQUENCE: u8 = 0x30;
        if bytes.first() == Some(&SEQUENCE) {
            return Some(vec![bytes.to_vec().into()]);
        }
        let found: Result<Vec<_>, pem::Error> = CertificateRevocationListDer::pem_slice_iter(bytes).collect();
        let why = match found {
            Ok(lists) if !lists.is_empty() => return Some(lists),
            Ok(_) => "there is no revocation list in it".to_owned(),
            Err(error) => broken(&error),
        };
        let problem = self.problems.error(file.span, path.clone(), format!("{}: {why}", file.value));
        problem.hint(
            "a list is DER, or the text between `-----BEGIN X509 CRL-----` and `-----END X509 CRL-----`",
        );
        None
    }

    /// A list that is over makes all certificates of its authority worthless: that is said now, or when it happens.
    fn note_end(&mut self, ends: Option<i64>, file: &Spanned<FilePath>, path: &Path) {
        let Some(ends) = ends else { return };
        if ends > crate::expiry::now() {
            return self.ground.files.note_end(self.ground.files.resolve(&file.value.0), ends);
        }
        let message = format!(
            "{}: the revocation list is out of date; certificates of its authority are refused",
            file.value
        );
        self.problems.warning(file.span, path.clone(), message).hint("get a new one from the authority");
    }
}

fn content(list: &[u8]) -> Option<Content> {
    let (_, list) = CertificateRevocationList::from_der(list).ok()?;
    let issuer = list.issuer().as_raw();
    let revoked = list.iter_revoked_certificates().map(|r| (issuer.to_vec(), r.raw_serial().to_vec()));
    Some(Content { revoked: revoked.collect(), ends: list.next_update().map(|t| t.timestamp()) })
}
