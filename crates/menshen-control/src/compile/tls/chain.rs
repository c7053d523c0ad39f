//! Whether certificates are what they are used for: a whole chain in order, and authorities.

use menshen_config::document::FilePath;
use menshen_config::{Path, Spanned};
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS as CA_ISSUERS;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files::{Files, ORDER};
use super::service::system_authorities;

impl Files<'_> {
    /// Tells what clients will not like about a chain. It is used all the same: some find the rest by themselves.
    pub(super) fn note_chain(
        &mut self,
        file: &Spanned<FilePath>,
        path: &Path,
        chain: &[CertificateDer<'static>],
    ) {
        let parsed: Result<Vec<_>, _> = chain.iter().map(|c| X509Certificate::from_der(c)).collect();
        let Ok(parsed) = parsed else { return };
        let parsed: Vec<_> = parsed.into_iter().map(|(_, c)| c).collect();
        for (number, pair) in (2..).zip(parsed.windows(2)) {
            let [below, above] = pair else { continue };
            if below.issuer().as_raw() != above.subject().as_raw() {
                let (found, wanted) = (above.subject(), below.issuer());
                let message = format!(
                    "{}: certificate number {number} is `{found}`, and should be `{wanted}`",
                    file.value
                );
                self.problems.warning(file.span, path.clone(), message).hint(ORDER);
                return;
            }
        }
        if let [alone] = &*parsed
            && lacks_issuer(alone)
        {
            let message =
                format!("{}: the certificate of its issuer, `{}`, is not in it", file.value, alone.issuer());
            self.problems.warning(file.span, path.clone(), message).hint(
                "clients that do not know that one will refuse it; use the full chain, such as `fullchain.pem` of certbot",
            );
        }
    }

    /// Tells of a certificate that nobody else's can be signed by.
    pub(super) fn note_no_authority(
        &mut self,
        file: &Spanned<FilePath>,
        path: &Path,
        certificate: &CertificateDer<'_>,
    ) {
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return };
        let is_own = parsed.subject().as_raw() == parsed.issuer().as_raw();
        if !is_own && !parsed.is_ca() {
            let message = format!("{}: `{}` is no authority", file.value, parsed.subject());
            self.problems
                .warning(file.span, path.clone(), message)
                .hint("no certificate will be believed because of it; name the one of its issuer");
        }
    }
}

/// True when clients are told where to look for the certificate of the issuer, so that they do not have it, and it is none
/// that they know: authorities of one's own do not say where they are.
fn lacks_issuer(certificate: &X509Certificate<'_>) -> bool {
    let issuer = certificate.issuer().as_raw();
    let says_where = certificate.extensions().iter().any(|e| match e.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => {
            access.accessdescs.iter().any(|d| d.access_method == CA_ISSUERS)
        }
        _ => false,
    });
    // Those of the system are kept without the SEQUENCE around the name.
    let is_known = || system_authorities().roots.iter().any(|r| issuer.ends_with(&r.subject));
    says_where && issuer != certificate.subject().as_raw() && !is_known()
}
