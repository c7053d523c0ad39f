//! Why a handshake came to nothing.

use std::io;

use rustls::{CertificateError, Error, PeerIncompatible};

/// Why a handshake came to nothing, as counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The client left before its hello was complete, or spoke something else than TLS.
    NotTls,
    /// No certificate for the name.
    UnknownName,
    /// The certificate for the name is being got and not there yet.
    NoCertificateYet,
    /// No version of TLS in common.
    Version,
    /// No protocol over TLS in common (RFC 7301 §3.2).
    Protocol,
    /// The client showed no certificate, or a bad one.
    ClientCertificate,
    /// The client's certificate was revoked.
    Revoked,
    /// Whether the client's certificate was revoked is not known: the list of its authority is out of date, not signed by it,
    /// or not there.
    NotListed,
    /// The client did not like what it got, such as our certificate.
    ByClient,
    /// Something else.
    Failed,
    /// It was not complete in time.
    TooSlow,
    /// The service that the bytes should go on to was not reached.
    NoService,
}

impl Refused {
    /// The stable name, as in the metric.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::NotTls => "not-tls",
            Self::UnknownName => "unknown-name",
            Self::NoCertificateYet => "no-certificate-yet",
            Self::Version => "version",
            Self::Protocol => "protocol",
            Self::ClientCertificate => "client-certificate",
            Self::Revoked => "revoked",
            Self::NotListed => "revocation-unknown",
            Self::ByClient => "by-client",
            Self::Failed => "failed",
            Self::TooSlow => "too-slow",
            Self::NoService => "no-service",
        }
    }

    /// What an error of the handshake itself comes down to.
    pub(crate) fn of_handshake(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
        match inner {
            Some(error) => Self::of(error),
            // Many clients close instead of saying what they do not like.
            None => Self::ByClient,
        }
    }

    /// What an error of rustls comes down to.
    pub(crate) fn of(error: &Error) -> Self {
        use {CertificateError as C, PeerIncompatible as P};
        match error {
            Error::InvalidCertificate(C::Revoked) => Self::Revoked,
            Error::InvalidCertRevocationList(_)
            | Error::InvalidCertificate(
                C::UnknownRevocationStatus
                | C::ExpiredRevocationList
                | C::ExpiredRevocationListContext { .. },
            ) => Self::NotListed,
            Error::NoCertificatesPresented | Error::InvalidCertificate(_) => Self::ClientCertificate,
            Error::NoApplicationProtocol => Self::Protocol,
            Error::AlertReceived(_) => Self::ByClient,
            Error::PeerIncompatible(
                P::Tls12NotOffered
                | P::Tls12NotOfferedOrEnabled
                | P::Tls13RequiredForQuic
                | P::SupportedVersionsExtensionRequired,
            ) => Self::Version,
            _ => Self::Failed,
        }
    }
}
