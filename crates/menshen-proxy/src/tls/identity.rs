//! Who a client is by the certificate that it has shown and that was verified.

use std::fmt::Write;

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Who a client is by its certificate. All texts are visible ASCII, fit for a header field.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The subject as RFC 4514 writes it, the most specific part first: `CN=alice,O=Example`.
    pub subject: Box<str>,
    /// The SHA-256 of the certificate, in hex.
    pub fingerprint: Box<str>,
    /// Its alternative names with their kinds: `DNS:a.example`, `URI:spiffe://…`, `email:…`, `IP:192.0.2.1`. A comma in one
    /// is written as `%2C`, so that they can be listed; one with anything but visible ASCII is no name and left out.
    pub names: Box<[Box<str>]>,
}

impl ClientIdentity {
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        let fingerprint = hex(sha256(certificate).as_ref()).into();
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
            return Self { fingerprint, ..Self::default() };
        };
        let alternative = parsed.subject_alternative_name().ok().flatten();
        let names = alternative.iter().flat_map(|a| &a.value.general_names).filter_map(name);
        Self { subject: subject(parsed.subject()).into(), fingerprint, names: names.collect() }
    }
}

/// SHA-256 of the one provider of cryptography.
fn sha256(bytes: &[u8]) -> rustls::crypto::hash::Output {
    use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256 as SUITE;
    match SUITE {
        rustls::SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider.hash(bytes),
        rustls::SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider.hash(bytes),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn name(name: &GeneralName<'_>) -> Option<Box<str>> {
    let (kind, text) = match name {
        GeneralName::DNSName(text) => ("DNS", (*text).to_owned()),
        GeneralName::URI(text) => ("URI", (*text).to_owned()),
        GeneralName::RFC822Name(text) => ("email", (*text).to_owned()),
        GeneralName::IPAddress(bytes) => ("IP", ip(bytes)?.to_string()),
        _ => return None,
    };
    let is_visible = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    is_visible.then(|| format!("{kind}:{}", text.replace(',', "%2C")).into())
}

fn ip(bytes: &[u8]) -> Option<std::net::IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(Into::into);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(Into::into)).ok()
}

/// The subject as RFC 4514 §2 writes it.
fn subject(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> =
        name.iter_rdn().map(|rdn| rdn.iter().map(attribute).collect::<Vec<_>>().join("+")).collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    match (short_name(&oid), attribute.as_str()) {
        (Some(name), Ok(text)) => format!("{name}={}", escaped(text)),
        // Of what has no name or is no text the encoding is told (RFC 4514 §2.4).
        _ => format!("{oid}=#{}", hex(attribute.as_slice())),
    }
}

/// The table of RFC 4514 §3, and what everybody calls the address of a person.
fn short_name(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.6" => "C",
        "2.5.4.9" => "STREET",
        "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.1" => "UID",
        "1.2.840.113549.1.9.1" => "emailAddress",
        _ => return None,
    })
}

/// Escapes what would end the value or is not visible ASCII (RFC 4514 §2.4): a name must not pose as two.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (i, byte) in text.bytes().enumerate() {
        let is_at_an_end = (i == 0 && matches!(byte, b' ' | b'#')) || (i == last && byte == b' ');
        match byte {
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' | b'=' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            _ if is_at_an_end => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b' '..=b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn identity(change: impl FnOnce(&mut CertificateParams)) -> ClientIdentity {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        ClientIdentity::of(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der())
    }

    #[test]
    fn a_subject_is_written_with_its_most_specific_part_first() {
        let who = identity(|p| {
            p.distinguished_name.push(DnType::OrganizationName, "Example");
            p.distinguished_name.push(DnType::CommonName, "alice");
        });
        assert_eq!(&*who.subject, "CN=alice,O=Example");
        assert!(who.fingerprint.len() == 64 && who.fingerprint.bytes().all(|b| b.is_ascii_hexdigit()));
    }

    #[test]
    fn a_subject_cannot_pose_as_another_by_what_stands_in_its_parts() {
        for (text, written) in [
            ("x,CN=admin", "CN=x\\,CN\\=admin"),
            ("x+O=root", "CN=x\\+O\\=root"),
            (" #a ", "CN=\\ #a\\ "),
            ("a\r\nX: y", "CN=a\\0D\\0AX: y"),
            ("a\0b", "CN=a\\00b"),
            ("Zoë", "CN=Zo\\C3\\AB"),
        ] {
            let who = identity(|p| p.distinguished_name.push(DnType::CommonName, text));
            assert_eq!(&*who.subject, written);
        }
    }

    #[test]
    fn names_have_their_kind_and_what_is_no_name_is_left_out() {
        let ia5 = |text: &str| Ia5String::try_from(text).unwrap();
        let who = identity(|p| {
            p.subject_alt_names = vec![
                SanType::DnsName(ia5("good.example\0.evil.example")),
                SanType::DnsName(ia5("a.example")),
                SanType::URI(ia5("spiffe://x/a,DNS:admin")),
                SanType::Rfc822Name(ia5("alice@example.com")),
                SanType::IpAddress([192, 0, 2, 1].into()),
            ];
        });
        let names =
            ["DNS:a.example", "URI:spiffe://x/a%2CDNS:admin", "email:alice@example.com", "IP:192.0.2.1"];
        assert_eq!(who.names.iter().map(|n| &**n).collect::<Vec<_>>(), names);
        assert_eq!(&*who.subject, "");
    }
}
