use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::one_or_many::OneOrMany;
use crate::span::Spanned;
use crate::text::{FromText, Refusal, text_type};

/// How a listener speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ListenerTls {
    /// Certificates with their keys. Which one a client gets is decided by the name it asks for.
    #[serde(default)]
    pub certificates: OneOrMany<Spanned<Certificate>>,
    /// Server names whose connections go on to a service as they are, such as `db.example.com: database`: TLS ends
    /// there, and nothing of what is said can be seen here.
    #[serde(default)]
    pub passthrough: IndexMap<String, Spanned<Box<str>>>,
    /// The lowest version of TLS that is spoken. Default: `1.2`.
    #[serde(default)]
    pub minimum: TlsVersion,
    /// The protocols that are offered, preferred ones first. Default: `[h2, http/1.1]`.
    #[serde(default)]
    pub protocols: Option<Vec<ClientProtocol>>,
    /// Which certificates clients show. Default: none are asked for.
    #[serde(default)]
    pub clients: Option<ClientCertificates>,
    /// What a client gets that asks for a name no certificate has, or for none: the `first` certificate, or nothing,
    /// `refused`. Default: `first`.
    #[serde(default)]
    pub strangers: Strangers,
}

/// A certificate with its key: from two files, or got by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Where it comes from.
    pub source: CertificateSource,
    /// The names that get it, if not those in the certificate.
    pub names: Option<Vec<Spanned<Box<str>>>>,
    /// A DER file with the authority's statement that it is not revoked.
    pub ocsp: Option<Spanned<FilePath>>,
    /// Which certificates clients of these names show, if not that of the listener.
    pub clients: Option<ClientCertificates>,
}

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// From these files.
    Files {
        /// With the certificate.
        chain: Spanned<FilePath>,
        /// With its key.
        key: Spanned<FilePath>,
    },
    /// From an authority, for these names.
    Acme(Vec<Spanned<Box<str>>>),
}

/// A [`Certificate`] as it is written.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
struct WrittenCertificate {
    /// The PEM file with the certificate and those between it and its root.
    chain: Option<Spanned<FilePath>>,
    /// The PEM file with the private key.
    key: Option<Spanned<FilePath>>,
    /// Instead of files: the names for which a certificate is got and renewed as `gateway: { acme }` says, one for all of
    /// them.
    acme: OneOrMany<Spanned<Box<str>>>,
    /// The names that get it. Default: those in the certificate.
    names: Option<Vec<Spanned<Box<str>>>>,
    /// A DER file with the authority's statement that it is not revoked, sent along to clients (OCSP stapling).
    ocsp: Option<Spanned<FilePath>>,
    /// Which certificates clients of these names show. Default: that of the listener.
    clients: Option<ClientCertificates>,
}

const FILES_OR_NAMES: &str = "write `{ chain: web.pem, key: web.key }` or `{ acme: www.example.com }`";

impl WrittenCertificate {
    fn read<E: serde::de::Error>(self) -> Result<Certificate, E> {
        let Self { chain, key, acme, names, ocsp, clients } = self;
        let source = match (chain, key) {
            (Some(_), _) | (_, Some(_)) if !acme.is_empty() => {
                let refusal = Refusal::new("a certificate is from files or got by `acme`, not both");
                return Err(E::custom(refusal.hint(FILES_OR_NAMES)));
            }
            (Some(chain), Some(key)) => CertificateSource::Files { chain, key },
            (Some(_), None) => return Err(E::missing_field("key")),
            (None, Some(_)) => return Err(E::missing_field("chain")),
            (None, None) if acme.is_empty() => {
                return Err(E::custom(Refusal::new("no certificate").hint(FILES_OR_NAMES)));
            }
            (None, None) if names.is_some() => {
                let refusal = Refusal::new("a certificate that is got has the names in `acme`");
                return Err(E::custom(refusal.hint("remove `names`")));
            }
            (None, None) if ocsp.is_some() => {
                let refusal = Refusal::new("a certificate that is got has no statement in a file");
                return Err(E::custom(refusal.hint("remove `ocsp`")));
            }
            (None, None) => CertificateSource::Acme(acme.0),
        };
        Ok(Certificate { source, names, ocsp, clients })
    }
}

impl<'de> Deserialize<'de> for Certificate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CertificateVisitor;

        impl<'de> Visitor<'de> for CertificateVisitor {
            type Value = Certificate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Certificate, A::Error> {
                WrittenCertificate::deserialize(MapAccessDeserializer::new(map))?.read()
            }
        }

        deserializer.deserialize_any(CertificateVisitor)
    }
}

impl JsonSchema for Certificate {
    fn schema_name() -> Cow<'static, str> {
        "Certificate".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = WrittenCertificate::json_schema(generator);
        schema.insert(
            "description".to_owned(),
            "A certificate with its key: from two files, or got by itself.".into(),
        );
        schema
    }
}

/// Which certificates clients show.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClientCertificates {
    /// The PEM file with the authorities that they must come from.
    pub ca: Spanned<FilePath>,
    /// Whether a client may come without one. A bad one is refused in any case. Default: `required`.
    #[serde(default)]
    pub need: Need,
    /// Files with the authorities' revocation lists, PEM or DER. Default: revocation is not looked at.
    #[serde(default)]
    pub crl: OneOrMany<Spanned<FilePath>>,
    /// What happens to certificates of an authority that none of the lists is of. Default: `refused`.
    #[serde(default)]
    pub unlisted: Unlisted,
}

/// What happens to certificates of an authority whose revocation list is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unlisted {
    /// They are refused.
    #[default]
    Refused,
    /// They are good.
    Allowed,
}

/// Whether a client may come without a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// It may not.
    #[default]
    Required,
    /// It may.
    Optional,
}

/// What a client gets that asks for a name no certificate has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strangers {
    /// The first certificate.
    #[default]
    First,
    /// Nothing: the handshake is refused.
    Refused,
}

/// A protocol that clients may speak over TLS, by its ALPN name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum ClientProtocol {
    /// HTTP/2.
    #[serde(rename = "h2")]
    H2,
    /// HTTP/1.1.
    #[serde(rename = "http/1.1")]
    Http1,
}

/// How a service is spoken to over TLS. Its certificate is verified, always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct ServiceTls {
    /// The PEM file with the authorities that are believed. Default: those of the system.
    pub ca: Option<Spanned<FilePath>>,
    /// The name that its certificates must have, and that is asked for. Default: the host of each endpoint.
    pub name: Option<Spanned<Box<str>>>,
    /// The certificate that is shown to it.
    pub certificate: Option<OwnCertificate>,
    /// Files with the authorities' revocation lists, PEM or DER. Default: revocation is not looked at.
    pub crl: OneOrMany<Spanned<FilePath>>,
    /// What happens to certificates of an authority that none of the lists is of. Default: `refused`.
    pub unlisted: Unlisted,
    /// The lowest version of TLS that is spoken. Default: `1.2`.
    pub minimum: TlsVersion,
}

/// The certificate that is shown to a service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OwnCertificate {
    /// The PEM file with the certificate and those between it and its root.
    pub chain: Spanned<FilePath>,
    /// The PEM file with the private key.
    pub key: Spanned<FilePath>,
}

/// A file; a relative path counts from the folder of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FilePath(pub Box<str>);

impl FromText for FilePath {
    const WHAT: &'static str = "a file such as `certs/web.pem`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        if text.contains("-----BEGIN") {
            // It may be a private key: it must not turn up in a message.
            return Err(
                Refusal::new(crate::quantity::SECRET_IN_PLAIN).hint("write it to a file and name that")
            );
        }
        match text.trim() {
            "" => Err(Refusal::new("the name of the file is empty")),
            _ => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(FilePath, "FilePath", {
    "description": "a file; a relative path counts from the folder of the configuration",
    "examples": ["certs/web.pem", "/etc/menshen/web.key"]
});

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    V12,
    /// TLS 1.3.
    V13,
}

impl FromText for TlsVersion {
    const WHAT: &'static str = "a version of TLS, `1.2` or `1.3`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text {
            "1.2" => Ok(Self::V12),
            "1.3" => Ok(Self::V13),
            "1.0" | "1.1" => Err(Refusal::new(format!("TLS {text} is broken and not spoken here"))
                .hint("write `1.2` or `1.3`")),
            _ => Err(Refusal::new(format!("`{text}` is no version of TLS")).hint("write `1.2` or `1.3`")),
        }
    }

    fn from_number(number: &str) -> Result<Self, Refusal> {
        Self::from_text(number)
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsVersion::V12 => "1.2",
            TlsVersion::V13 => "1.3",
        })
    }
}

text_type!(TlsVersion, "TlsVersion", {
    "enum": ["1.2", "1.3", 1.2, 1.3],
    "description": "a version of TLS",
    "examples": ["1.2", "1.3"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_written_as_numbers_and_broken_ones_are_refused() {
        assert_eq!("1.3".parse::<TlsVersion>().unwrap(), TlsVersion::V13);
        assert_eq!(TlsVersion::from_number("1.2").unwrap(), TlsVersion::V12);
        assert_eq!("1.1".parse::<TlsVersion>().unwrap_err().message, "TLS 1.1 is broken and not spoken here");
    }

    #[test]
    fn a_key_in_place_of_its_file_is_not_repeated() {
        let refusal = "-----BEGIN PRIVATE KEY-----\nMIIE".parse::<FilePath>().unwrap_err();
        assert!(!format!("{refusal:?}").contains("MIIE"));
    }
}
