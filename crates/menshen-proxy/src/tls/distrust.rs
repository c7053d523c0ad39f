//! Why TLS with a service came to nothing, told to the people who can change it; for each endpoint once in a while, because
//! every request would say the same.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustls::{AlertDescription, CertificateError, Error};

use crate::endpoint::Endpoint;
use crate::moment;

/// So long the same endpoint is not talked about again.
const QUIET: Duration = Duration::from_secs(10);

/// When it was told last that TLS with an endpoint fails; in microseconds, 0 for never.
#[derive(Debug, Default)]
pub(crate) struct Told(AtomicU64);

impl Told {
    /// True when it is time to tell it again, for one of those who ask at once.
    fn is_time(&self, now: u64) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        (last == 0 || now.saturating_sub(last) >= moment::of(QUIET))
            && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Tells why.
pub(crate) fn tell(endpoint: &Endpoint, error: &io::Error) {
    if !endpoint.state.told.is_time(moment::micros(Instant::now())) {
        return;
    }
    let endpoint = &endpoint.authority;
    match advice(error) {
        Some(advice) => tracing::warn!(%endpoint, %error, "TLS with a service failed: {advice}"),
        None => tracing::warn!(%endpoint, %error, "TLS with a service failed"),
    }
}

/// True when the service did not want to hear us because of our certificate. With TLS 1.3 it says so after the handshake,
/// when the request is on its way; it has not been looked at then (RFC 8446 §4.4.2.4, §6.2).
pub(crate) fn is_distrust(error: &io::Error) -> bool {
    use AlertDescription as A;
    matches!(
        inner(error),
        Some(Error::AlertReceived(
            A::CertificateRequired
                | A::BadCertificate
                | A::UnsupportedCertificate
                | A::CertificateRevoked
                | A::CertificateExpired
                | A::CertificateUnknown
                | A::UnknownCA
                | A::AccessDenied
        ))
    )
}

fn inner(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// What rustls says in a word, said so that somebody knows what to do.
fn advice(error: &io::Error) -> Option<&'static str> {
    use {AlertDescription as A, CertificateError as C};
    let text = match inner(error)? {
        Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => "its certificate has expired",
        Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            "its certificate is not valid yet; compare the clocks"
        }
        Error::InvalidCertificate(C::UnknownIssuer) => {
            "its certificate is of no authority that is believed (`tls: { ca }`), or it does not show the ones in between"
        }
        Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "its certificate is for another name; `tls: { name }` says which one is meant"
        }
        Error::InvalidCertificate(C::Other(why)) if why.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is that of an authority, as `openssl req -x509` makes them; \
             `-addext basicConstraints=critical,CA:FALSE` makes one for a server"
        }
        Error::InvalidCertificate(C::Revoked) => "its certificate is revoked",
        Error::AlertReceived(A::CertificateRequired) => {
            "it wants to see a certificate; `tls: { certificate }` says which one"
        }
        Error::AlertReceived(A::ProtocolVersion) => "it does not speak a version of TLS that is spoken here",
        Error::InvalidMessage(_) => "it does not seem to speak TLS; is the port right?",
        _ if is_distrust(error) => "it does not believe the certificate in `tls: { certificate }`",
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_in_a_while() {
        let told = Told::default();
        let later = 5 + moment::of(QUIET);
        let times = [5, 6, later - 1, later, later + 1].map(|now| told.is_time(now));
        assert_eq!(times, [true, false, false, true, false]);
    }

    #[test]
    fn what_is_no_word_about_certificates_is_no_distrust() {
        let of = |error: Error| io::Error::new(io::ErrorKind::InvalidData, error);
        assert!(is_distrust(&of(Error::AlertReceived(AlertDescription::CertificateRequired))));
        assert!(!is_distrust(&of(Error::AlertReceived(AlertDescription::InternalError))));
        assert!(!is_distrust(&io::ErrorKind::ConnectionReset.into()));
        assert!(advice(&of(Error::InvalidCertificate(CertificateError::Expired))).is_some());
    }
}
