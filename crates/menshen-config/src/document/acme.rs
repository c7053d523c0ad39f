use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::FilePath;
use crate::one_or_many::OneOrMany;
use crate::quantity::{Duration, Secret};
use crate::span::Spanned;
use crate::text::{FromText, Refusal, text_type};

/// How certificates are got and renewed without people (ACME, RFC 8555). Which ones, the listeners say:
/// `certificates: [{ acme: www.example.com }]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Acme {
    /// Where the authority can write to.
    pub email: Option<Spanned<Box<str>>>,
    /// `agreed` says that you have read the terms of the authority and agree to them. Nothing is done without that.
    pub terms: Option<Terms>,
    /// The authority: `production` and `staging` are those of Let's Encrypt, any other by the URL of its directory.
    /// Default: `production`.
    pub directory: AcmeDirectory,
    /// The PEM file with the roots that the authority's own server is believed by. Default: those of the system.
    pub ca: Option<Spanned<FilePath>>,
    /// How it is proven that the names are ours. Default: `http-01` where a listener without TLS is there, else
    /// `tls-alpn-01`.
    pub challenge: Option<Spanned<Challenge>>,
    /// How long before its end a certificate is renewed. Default: when the authority says (ARI, RFC 9773), else when a
    /// third of its life is left.
    pub renew: Option<Duration>,
    /// The customer account at the authority that certificates belong to (external account binding). Default: none.
    pub account: Option<ExternalAccount>,
}

/// What is said about the terms of an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Terms {
    /// They were read and are agreed to.
    Agreed,
}

/// How it is proven that a name is ours.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Challenge {
    /// By an answer over plain HTTP, at port 80 of the name.
    #[serde(rename = "http-01")]
    Http01,
    /// By a certificate that is shown for it, at port 443 of the name.
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    /// By a record in its DNS, which a command of yours makes. Wildcards need that.
    #[serde(rename = "dns-01")]
    Dns01(DnsHook),
}

/// How records in DNS are made. Short form: the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsHook {
    /// The command and its first arguments.
    pub hook: OneOrMany<Spanned<String>>,
    /// How long the command may take.
    pub timeout: Option<Duration>,
    /// How long the record needs until the whole world sees it.
    pub wait: Option<Duration>,
}

/// The long form of [`DnsHook`].
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Long {
    /// The command and its first arguments. It gets three more: `present` or `cleanup`, the name of the TXT record, and its
    /// value. No shell is in between. A path counts from the folder of the configuration.
    hook: OneOrMany<Spanned<String>>,
    /// How long the command may take. Default: `60s`.
    #[serde(default)]
    timeout: Option<Duration>,
    /// How long the record needs until the whole world sees it. Default: `0s`, the command returns when it is seen.
    #[serde(default)]
    wait: Option<Duration>,
}

impl<'de> Deserialize<'de> for DnsHook {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HookVisitor;

        impl<'de> Visitor<'de> for HookVisitor {
            type Value = (Option<String>, Option<Long>);

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command such as `/etc/menshen/dns-hook`, or a map")
            }

            fn visit_str<E: Error>(self, command: &str) -> Result<Self::Value, E> {
                Ok((Some(command.to_owned()), None))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Ok((None, Some(Long::deserialize(MapAccessDeserializer::new(map))?)))
            }
        }

        struct Written((Option<String>, Option<Long>));

        impl<'de> Deserialize<'de> for Written {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(HookVisitor).map(Self)
            }
        }

        let Spanned { span, value: Written((command, long)) } =
            Spanned::<Written>::deserialize(deserializer)?;
        Ok(match long {
            Some(Long { hook, timeout, wait }) => Self { hook, timeout, wait },
            None => {
                let command = command.map(|c| Spanned::new(span, c));
                Self { hook: command.into_iter().collect(), timeout: None, wait: None }
            }
        })
    }
}

impl JsonSchema for DnsHook {
    fn schema_name() -> Cow<'static, str> {
        "DnsHook".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = Long::json_schema(generator);
        json_schema!({ "description": "How records in DNS are made.", "anyOf": [{ "type": "string" }, long] })
    }
}

/// A customer account at an authority.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExternalAccount {
    /// Its id, as the authority gave it.
    pub id: Box<str>,
    /// Where its key is, in Base64 for URLs as the authority gave it.
    pub key: Spanned<Secret>,
}

/// Where an authority says what it offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum AcmeDirectory {
    /// Let's Encrypt.
    #[default]
    Production,
    /// Let's Encrypt's for trying things: nobody believes its certificates.
    Staging,
    /// At this URL.
    Url(Box<str>),
}

impl AcmeDirectory {
    /// Its URL.
    pub fn url(&self) -> &str {
        match self {
            Self::Production => "https://acme-v02.api.letsencrypt.org/directory",
            Self::Staging => "https://acme-staging-v02.api.letsencrypt.org/directory",
            Self::Url(url) => url,
        }
    }
}

impl FromText for AcmeDirectory {
    const WHAT: &'static str = "`production`, `staging`, or the URL of an ACME directory";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text {
            "production" => Ok(Self::Production),
            "staging" => Ok(Self::Staging),
            url if url.strip_prefix("https://").is_some_and(is_host_and_path) => Ok(Self::Url(url.into())),
            url if url.starts_with("http://") => {
                Err(Refusal::new("an authority is asked over TLS only").hint("write `https://…`"))
            }
            _ => Err(Refusal::new(format!("`{text}` is no authority")).hint(
                "write `production`, `staging`, or a URL such as `https://acme.example.com/directory`",
            )),
        }
    }
}

fn is_host_and_path(rest: &str) -> bool {
    !rest.is_empty() && !rest.starts_with('/') && rest.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
}

impl fmt::Display for AcmeDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Url(url) => url,
        })
    }
}

text_type!(AcmeDirectory, "AcmeDirectory", {
    "pattern": "^(production|staging|https://.+)$",
    "description": "production, staging, or the URL of an ACME directory",
    "examples": ["production", "staging", "https://acme.example.com/directory"]
});

/// A folder; a relative path counts from the folder of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FolderPath(pub Box<str>);

impl FromText for FolderPath {
    const WHAT: &'static str = "a folder such as `/var/lib/menshen`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text.trim() {
            "" => Err(Refusal::new("the name of the folder is empty")),
            _ => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for FolderPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(FolderPath, "FolderPath", {
    "description": "a folder; a relative path counts from the folder of the configuration",
    "examples": ["/var/lib/menshen"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_word_or_a_url_over_tls() {
        assert_eq!("staging".parse::<AcmeDirectory>().unwrap(), AcmeDirectory::Staging);
        let own = "https://ca.example:14000/dir".parse::<AcmeDirectory>().unwrap();
        assert_eq!(own.url(), "https://ca.example:14000/dir");
        for bad in ["http://ca.example/dir", "https://", "https:///dir", "letsencrypt", "https://a b"] {
            assert!(bad.parse::<AcmeDirectory>().is_err(), "{bad}");
        }
    }
}
