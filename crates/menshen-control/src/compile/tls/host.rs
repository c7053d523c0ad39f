//! What holds for the hosts of one certificate.

use std::sync::Arc;

use menshen_config::document::{
    Certificate, CertificateSource, ClientCertificates, ClientProtocol, FilePath, ListenerTls, Need,
    TlsVersion, Unlisted,
};
use menshen_config::matching::HostPattern;
use menshen_config::{Path, Spanned};
use menshen_proxy::condition::UnixSeconds;
use menshen_proxy::tls::{HostTls, ServerNames};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};

use super::files::Files;
use super::revocation::Lists;
use super::{anchors, fingerprint, provider, versions};
use crate::Ground;
use crate::acme::Names;
use crate::tickets::Tickets;

/// A certificate of a listener as it is written.
pub(super) struct Host<'a> {
    pub(super) written: &'a ListenerTls,
    pub(super) certificate: &'a Spanned<Certificate>,
    pub(super) path: &'a Path,
    /// The authority that certificates are got from.
    pub(super) directory: &'a str,
}

/// The same compiled.
pub(super) enum Compiled {
    /// It is there.
    Now(Now),
    /// It is being got, for these names.
    Soon(Names),
}

/// A certificate that is there.
pub(super) struct Now {
    pub(super) tls: HostTls,
    /// The names that get it.
    pub(super) names: Vec<String>,
    /// Names for which another one is being got.
    pub(super) soon: Vec<String>,
    /// When it begins and ends.
    pub(super) life: (UnixSeconds, UnixSeconds),
}

/// What is shown, to whom, and how long.
struct Shown {
    key: CertifiedKey,
    names: Vec<String>,
    soon: Vec<String>,
    life: (UnixSeconds, UnixSeconds),
}

impl Host<'_> {
    /// `None` after a problem.
    pub(super) fn compile(&self, files: &mut Files<'_>) -> Option<Compiled> {
        let certificate = &self.certificate.value;
        let clients = certificate.clients.as_ref().or(self.written.clients.as_ref());
        let verifier = match clients {
            None => None,
            Some(clients) => Some(verifier(clients, &self.path.key("clients"), files)?),
        };
        let shown = match &certificate.source {
            CertificateSource::Files { chain, key } => self.read_files(chain, key, files)?,
            CertificateSource::Acme(names) => match self.got(names, files.ground) {
                Some(shown) => shown,
                None => return Some(Compiled::Soon(Names::new(names.iter().map(|n| &*n.value)))),
            },
        };
        let Shown { key, names, soon, life } = shown;
        let policy = fingerprint((self.written.minimum, verifier.as_ref().map(|(_, print)| print)));
        let config = self.config(key, verifier.map(|(verifier, _)| verifier), policy, files.ground)?;
        let mut own = ServerNames::default();
        for name in &names {
            // The same name twice in one certificate is once.
            let _ = own.add(name, ());
        }
        Some(Compiled::Now(Now { tls: HostTls { config, names: own, policy }, names, soon, life }))
    }

    fn read_files(
        &self,
        chain: &Spanned<FilePath>,
        key: &Spanned<FilePath>,
        files: &mut Files<'_>,
    ) -> Option<Shown> {
        let mut key = files.certified_key(chain, key, self.path)?;
        let about = files.about(chain, &self.path.key("chain"), key.end_entity_cert().ok()?)?;
        let names = self.names(chain, files, about.names)?;
        if let Some(ocsp) = &self.certificate.value.ocsp {
            key.ocsp = Some(files.staple(ocsp, &self.path.key("ocsp"))?);
        }
        Some(Shown { key, names, soon: Vec::new(), life: (about.begins, about.expires) })
    }

    /// The certificate that was got for these names, or another that serves some of them until then.
    fn got(&self, names: &[Spanned<Box<str>>], ground: &Ground) -> Option<Shown> {
        let wanted = Names::new(names.iter().map(|n| &*n.value));
        let certificate = ground.acme.shelf.best(self.directory, &wanted, crate::expiry::now())?;
        let (now, soon) = wanted.iter().map(str::to_owned).partition(|n| certificate.covers(n));
        let key = CertifiedKey::clone(&certificate.certified);
        Some(Shown { key, names: now, soon, life: (certificate.begins, certificate.expires) })
    }

    fn names(
        &self,
        chain: &Spanned<FilePath>,
        files: &mut Files<'_>,
        in_certificate: Vec<String>,
    ) -> Option<Vec<String>> {
        let Some(names) = &self.certificate.value.names else {
            if in_certificate.is_empty() {
                files
                    .problems
                    .warning(chain.span, self.path.key("chain"), format!("{} is for no name", chain.value))
                    .hint(
                        "clients that verify will refuse it; a certificate needs subject alternative names",
                    );
            }
            return Some(in_certificate);
        };
        let mut good = true;
        for (i, name) in names.iter().enumerate() {
            if let Err(refusal) = name.value.parse::<HostPattern>() {
                let path = self.path.key("names").index(i);
                files.problems.error(name.span, path, refusal.message).maybe_hint(refusal.hint);
                good = false;
            }
        }
        self.note_other_names(names, files, &in_certificate);
        good.then(|| names.iter().map(|n| n.value.to_string()).collect())
    }

    /// Tells of names that the certificate will not be believed for.
    fn note_other_names(
        &self,
        names: &[Spanned<Box<str>>],
        files: &mut Files<'_>,
        in_certificate: &[String],
    ) {
        let mut own = ServerNames::default();
        for name in in_certificate {
            let _ = own.add(name, ());
        }
        for (i, name) in names.iter().enumerate().filter(|(_, n)| !is_for(&own, &n.value)) {
            let message = format!("the certificate is not for `{}`", name.value);
            let path = self.path.key("names").index(i);
            files.problems.warning(name.span, path, message).hint("clients that verify will refuse it");
        }
    }

    fn config(
        &self,
        key: CertifiedKey,
        verifier: Option<Arc<dyn ClientCertVerifier>>,
        policy: u64,
        ground: &Ground,
    ) -> Option<Arc<ServerConfig>> {
        let minimum: TlsVersion = self.written.minimum;
        let builder =
            ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions(minimum)).ok()?;
        let (builder, new): (_, fn() -> _) = match verifier {
            Some(verifier) => (builder.with_client_cert_verifier(verifier), Tickets::with_certificates),
            None => (builder.with_no_client_auth(), Tickets::new),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        // Tickets carry sessions over workers and reloads; each policy has keys of its own, so that a ticket of one is
        // nothing under another.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if let Ok(tickets) = ground.tickets.try_get(policy, |_| true, new) {
            config.ticketer = tickets.keys();
        }
        let protocols =
            self.written.protocols.as_deref().unwrap_or(&[ClientProtocol::H2, ClientProtocol::Http1]);
        config.alpn_protocols = protocols
            .iter()
            .map(|p| match p {
                ClientProtocol::H2 => b"h2".to_vec(),
                ClientProtocol::Http1 => b"http/1.1".to_vec(),
            })
            .collect();
        Some(Arc::new(config))
    }
}

/// True when a certificate with these names is for this name or wildcard.
fn is_for(own: &ServerNames<()>, name: &str) -> bool {
    // A wildcard stands for any label, so for this one.
    own.get(&name.replacen('*', "any", 1)).is_some()
}

/// Who verifies the certificates of clients, and a number that is the same for the same rules.
fn verifier(
    clients: &ClientCertificates,
    path: &Path,
    files: &mut Files<'_>,
) -> Option<(Arc<dyn ClientCertVerifier>, u64)> {
    let roots: RootCertStore = files.authorities(&clients.ca, &path.key("ca"))?;
    let believed = anchors(&roots);
    let Lists { lists, revoked } = files.revocation_lists(&clients.crl, &path.key("crl"))?;
    let print = fingerprint((believed, clients.need, revoked, clients.unlisted));
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let builder = match clients.need {
        Need::Required => builder,
        Need::Optional => builder.allow_unauthenticated(),
    };
    let builder = builder.with_crls(lists).enforce_revocation_expiration();
    let builder = match clients.unlisted {
        Unlisted::Refused => builder,
        Unlisted::Allowed => builder.allow_unknown_revocation_status(),
    };
    match builder.build() {
        Ok(verifier) => Some((verifier, print)),
        Err(error) => {
            let (file, key) = match (&error, clients.crl.first()) {
                (VerifierBuilderError::InvalidCrl(_), Some(crl)) => (crl, "crl"),
                _ => (&clients.ca, "ca"),
            };
            files.problems.error(file.span, path.key(key), format!("{}: {error}", file.value));
            None
        }
    }
}
