//! Keys of session tickets, which change every few hours (RFC 5077 §5.5). A session that began with a certificate of a client
//! ends with it: each continuation gives a new ticket, so that without this it could be continued for ever.

use std::sync::Arc;

use menshen_proxy::condition::UnixSeconds;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::expiry::now;

/// The keys of the tickets of one policy.
#[derive(Debug)]
pub struct Tickets(Arc<dyn ProducesTickets>);

impl Tickets {
    /// New keys, where clients show no certificates.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new() -> Result<Self, rustls::Error> {
        Ticketer::new().map(Self)
    }

    /// New keys, where clients may show certificates.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn with_certificates() -> Result<Self, rustls::Error> {
        Ok(Self(Arc::new(UntilTheyEnd(Ticketer::new()?))))
    }

    /// For a TLS configuration.
    pub fn keys(&self) -> Arc<dyn ProducesTickets> {
        self.0.clone()
    }
}

/// Tickets that are worth nothing once one of the certificates in them has ended.
#[derive(Debug)]
struct UntilTheyEnd(Arc<dyn ProducesTickets>);

impl ProducesTickets for UntilTheyEnd {
    fn enabled(&self) -> bool {
        self.0.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.0.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.0.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.0.decrypt(cipher).filter(|plain| good_until(plain).is_some_and(|end| end >= now()))
    }
}

/// When the first certificate ends in a session as rustls writes it (`ServerSessionValue`): a name, version and cipher suite,
/// the secret, a flag, the chain, and more. `None` when it is written otherwise: then it is not continued.
fn good_until(plain: &[u8]) -> Option<UnixSeconds> {
    let mut rest = Rest(plain);
    if rest.flag()? {
        rest.short()?;
    }
    rest.take(4)?;
    rest.short()?;
    rest.flag()?;
    if !rest.flag()? {
        return Some(UnixSeconds::MAX);
    }
    let mut chain = Rest(rest.long()?);
    let mut end = None;
    while !chain.0.is_empty() {
        let (_, certificate) = X509Certificate::from_der(chain.long()?).ok()?;
        let at = certificate.validity().not_after.timestamp();
        end = Some(end.map_or(at, |e: UnixSeconds| e.min(at)));
    }
    end
}

/// What was not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.take(1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    /// Bytes with their number in one byte in front.
    fn short(&mut self) -> Option<&'a [u8]> {
        let n = *self.take(1)?.first()?;
        self.take(n.into())
    }

    /// The same with three bytes.
    fn long(&mut self) -> Option<&'a [u8]> {
        let &[a, b, c] = self.take(3)? else { return None };
        self.take(u32::from_be_bytes([0, a, b, c]) as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn long(bytes: &[u8]) -> Vec<u8> {
        [&(bytes.len() as u32).to_be_bytes()[1..], bytes].concat()
    }

    fn session(chain: Option<&[&[u8]]>) -> Vec<u8> {
        let mut plain = b"\x01\x05a.com\x03\x04\x13\x01\x02ss\x01".to_vec();
        match chain {
            None => plain.push(0),
            Some(chain) => {
                plain.push(1);
                plain.extend(long(&chain.iter().flat_map(|c| long(c)).collect::<Vec<_>>()));
            }
        }
        plain.extend(b"\0\0\0");
        plain
    }

    fn certificate(year: i32) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_session_is_good_until_the_first_certificate_in_it_ends() {
        let (sooner, later) = (certificate(2030), certificate(2040));
        let end = 1_893_456_000;
        assert_eq!(good_until(&session(Some(&[&sooner]))), Some(end));
        assert_eq!(good_until(&session(Some(&[&later, &sooner]))), Some(end));
        assert_eq!(good_until(&session(None)), Some(UnixSeconds::MAX));
    }

    #[test]
    fn a_session_that_cannot_be_read_is_not_continued() {
        assert_eq!(good_until(&session(Some(&[b"nonsense"]))), None);
        assert_eq!(good_until(&session(Some(&[]))), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            good_until(&bytes);
        }
    }
}
