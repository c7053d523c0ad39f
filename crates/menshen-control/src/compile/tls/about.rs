//! What a certificate says of itself.

use menshen_config::document::FilePath;
use menshen_config::{Path, Spanned};
use menshen_proxy::condition::UnixSeconds;
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

use super::files::Files;

/// What a certificate says of itself.
pub(super) struct About {
    /// Its names (RFC 9525 §2: the subject's common name is none).
    pub(super) names: Vec<String>,
    /// When it begins.
    pub(super) begins: UnixSeconds,
    /// When it ends.
    pub(super) expires: UnixSeconds,
}

impl Files<'_> {
    /// The statement of an authority in a file.
    pub(super) fn staple(&mut self, file: &Spanned<FilePath>, path: &Path) -> Option<Vec<u8>> {
        let bytes = self.read(file, path)?;
        if is_ocsp_response(&bytes) {
            return Some(bytes);
        }
        let message = format!("{}: this is no OCSP response in DER that says anything", file.value);
        self.problems
            .error(file.span, path.clone(), message)
            .hint("`openssl ocsp -issuer CA.pem -cert WEB.pem -url … -respout web.ocsp` gets one");
        None
    }

    /// What the certificate in this file says of itself. Tells when it is not valid now, or not much longer.
    pub(super) fn about(
        &mut self,
        file: &Spanned<FilePath>,
        path: &Path,
        certificate: &CertificateDer<'_>,
    ) -> Option<About> {
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
            let message = format!("{}: the certificate cannot be read", file.value);
            self.problems.error(file.span, path.clone(), message);
            return None;
        };
        let (begins, ends) = (parsed.validity().not_before, parsed.validity().not_after);
        let now = ASN1Time::now();
        let left = ends.timestamp() - now.timestamp();
        // Expired is bad, but not serving is worse: clients will say so, and this says so before them.
        let what = if left < 0 {
            Some(format!("expired on {ends}"))
        } else if now < begins {
            Some(format!("is not valid before {begins}"))
        } else {
            let worrying = crate::expiry::worrying(begins.timestamp(), ends.timestamp());
            (now.timestamp() > worrying).then(|| format!("expires on {ends}"))
        };
        if let Some(what) = what {
            let message = format!("{}: the certificate {what}", file.value);
            self.problems.warning(file.span, path.clone(), message).hint("renew it");
        }
        let alternative = parsed.subject_alternative_name().ok().flatten();
        let names = alternative.iter().flat_map(|a| &a.value.general_names).filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => ip(bytes).map(|ip| ip.to_string()),
            _ => None,
        });
        Some(About { names: names.collect(), begins: begins.timestamp(), expires: ends.timestamp() })
    }
}

/// What OCSP responses begin with that say something: a SEQUENCE, and in it `successful` (RFC 6960 §4.2.1).
fn is_ocsp_response(bytes: &[u8]) -> bool {
    const SUCCESSFUL: &[u8] = &[0x0a, 1, 0];
    let content = match bytes {
        [0x30, short, rest @ ..] if *short < 0x80 => (usize::from(*short) == rest.len()).then_some(rest),
        [0x30, 0x81, a, rest @ ..] => (usize::from(*a) == rest.len()).then_some(rest),
        [0x30, 0x82, a, b, rest @ ..] => {
            (usize::from(u16::from_be_bytes([*a, *b])) == rest.len()).then_some(rest)
        }
        _ => None,
    };
    content.is_some_and(|c| c.starts_with(SUCCESSFUL))
}

fn ip(bytes: &[u8]) -> Option<std::net::IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(Into::into);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(Into::into)).ok()
}
