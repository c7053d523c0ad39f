//! TLS with services: whom to believe, and who we are.

use std::fmt;
use std::sync::{Arc, OnceLock};

use menshen_config::document::{Place, ServiceTls as Written, Unlisted};
use menshen_config::{Path, Problems, Span};
use menshen_proxy::HttpVersion;
use menshen_proxy::tls::ServiceTls;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{CertificateRevocationListDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::files::Files;
use super::revocation::Lists;
use super::{anchors, fingerprint, provider, versions};
use crate::Ground;

/// How all endpoints of a service are spoken to over TLS.
#[derive(Debug)]
pub(in crate::compile) struct Identity {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
    /// Equal for identities that believe and show the same: their connections can be shared.
    pub(in crate::compile) fingerprint: u64,
}

impl Identity {
    /// `None` after a problem.
    pub(in crate::compile) fn of(
        written: &Written,
        version: HttpVersion,
        at: Span,
        path: &Path,
        ground: &Ground,
        problems: &mut Problems,
    ) -> Option<Self> {
        let path = path.key("tls");
        let name = match &written.name {
            None => None,
            Some(name) => match server_name(&name.value) {
                Some(parsed) => Some(parsed),
                None => {
                    let message = format!("`{}` is not a host name", name.value);
                    problems.error(name.span, path.key("name"), message);
                    return None;
                }
            },
        };
        let mut files = Files { ground, problems };
        let roots = match &written.ca {
            Some(ca) => Arc::new(files.authorities(ca, &path.key("ca"))?),
            None => system_roots(at, &path, files.problems)?,
        };
        let own = match &written.certificate {
            None => None,
            Some(own) => {
                let path = path.key("certificate");
                let key = files.certified_key(&own.chain, &own.key, &path)?;
                files.about(&own.chain, &path.key("chain"), key.end_entity_cert().ok()?)?;
                Some(key)
            }
        };
        let Lists { lists, .. } = files.revocation_lists(&written.crl, &path.key("crl"))?;
        // A list that was only renewed counts too: what is kept under this number has it inside.
        let revocation = (lists.iter().map(|l| l.to_vec()).collect::<Vec<_>>(), written.unlisted);
        let believed = anchors(&roots);
        // All of the chain: an intermediate may have been missing.
        let shown = own.as_ref().map(|k| k.cert.iter().map(|c| c.to_vec()).collect::<Vec<_>>());
        let fingerprint = fingerprint((
            believed,
            shown,
            written.minimum,
            version,
            written.name.as_ref().map(|n| &n.value),
            revocation,
        ));
        let config = ground.service_tls.try_get(
            fingerprint,
            |_| true,
            || {
                let builder = ClientConfig::builder_with_provider(provider())
                    .with_protocol_versions(versions(written.minimum))?
                    .with_webpki_verifier(verifier(roots, lists, written.unlisted)?);
                let mut config = match own {
                    Some(key) => {
                        builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)))
                    }
                    None => builder.with_no_client_auth(),
                };
                let protocol: &[u8] = match version {
                    HttpVersion::Http1 => b"http/1.1",
                    HttpVersion::Http2 => b"h2",
                };
                config.alpn_protocols = vec![protocol.to_vec()];
                Ok::<_, rustls::Error>(config)
            },
        );
        let config = config.map_err(|e| files.problems.error(at, path, e.to_string())).ok()?;
        Some(Self { config, name, fingerprint })
    }

    /// For one endpoint: without a name in the document, its host must be in its certificate.
    ///
    /// # Errors
    /// There is no name that its certificate could be verified for. Then it must not be asked at all.
    pub(in crate::compile) fn at(&self, place: &Place) -> Result<ServiceTls, Nameless> {
        let of_host = || match place {
            Place::Net(address) => server_name(&address.host),
            Place::Unix(_) => None,
        };
        let name = self.name.clone().or_else(of_host).ok_or(Nameless)?;
        Ok(ServiceTls { config: self.config.clone(), name })
    }
}

/// There is no name that an endpoint's certificate could be verified for.
#[derive(Debug)]
pub(in crate::compile) struct Nameless;

impl Nameless {
    /// What to do.
    pub(in crate::compile) const HINT: &str =
        "say which name is in the certificate, as in `tls: { name: users.internal }`";
}

impl fmt::Display for Nameless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no name that the certificate could be verified for")
    }
}

/// Who verifies the certificates of a service.
fn verifier(
    roots: Arc<RootCertStore>,
    lists: Vec<CertificateRevocationListDer<'static>>,
    unlisted: Unlisted,
) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
    let builder = WebPkiServerVerifier::builder_with_provider(roots, provider());
    let builder = builder.with_crls(lists).enforce_revocation_expiration();
    let builder = match unlisted {
        Unlisted::Refused => builder,
        Unlisted::Allowed => builder.allow_unknown_revocation_status(),
    };
    builder.build().map_err(|e| rustls::Error::General(e.to_string()))
}

fn server_name(text: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(text.to_owned()).ok()
}

/// The authorities of the system, read once.
pub(crate) fn system_roots(at: Span, path: &Path, problems: &mut Problems) -> Option<Arc<RootCertStore>> {
    let roots = system_authorities();
    if roots.is_empty() {
        problems
            .error(at, path.clone(), "this system has no certificates of authorities")
            .hint("install the package `ca-certificates`, or name a file with `ca`");
        return None;
    }
    Some(roots.clone())
}

pub(super) fn system_authorities() -> &'static Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    })
}
