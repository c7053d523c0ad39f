//! The TLS of a listener.

use std::sync::Arc;

use menshen_config::document::{
    Certificate, ClientCertificates, ClientProtocol, ListenerTls, Need, Strangers, TlsVersion,
};
use menshen_config::{Path, Problems, Spanned};
use menshen_proxy::tls::{HostTls, ServerNames, ServerTls};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{RootCertStore, ServerConfig};

use super::files::Files;
use super::{fingerprint, provider, versions};
use crate::Ground;

/// Compiles the TLS of a listener; `None` after a problem.
pub(in crate::compile) fn compile(
    written: &ListenerTls,
    path: &Path,
    ground: &Ground,
    problems: &mut Problems,
) -> Option<Arc<ServerTls>> {
    let path = path.key("tls");
    let mut tls = ServerTls::default();
    let mut first = None;
    let mut whole = true;
    for (i, certificate) in written.certificates.iter().enumerate() {
        let path = path.key("certificates").index(i);
        let mut files = Files { ground, problems };
        let host = Host { written, certificate, path: &path }.compile(&mut files);
        let Some((host, names)) = host else {
            whole = false;
            continue;
        };
        let host = Arc::new(host);
        first.get_or_insert_with(|| host.clone());
        for name in names {
            if !tls.hosts.add(&name, host.clone()) {
                let message = format!("another certificate is for `{name}` too; that one is used");
                problems.warning(certificate.span, path.clone(), message);
            }
        }
    }
    if written.certificates.is_empty() {
        problems
            .error(menshen_config::Span::default(), path.key("certificates"), "no certificate")
            .hint("name at least one, as in `certificates: [{ chain: web.pem, key: web.key }]`");
        return None;
    }
    tls.default = first.filter(|_| written.strangers == Strangers::First);
    whole.then(|| Arc::new(tls))
}

struct Host<'a> {
    written: &'a ListenerTls,
    certificate: &'a Spanned<Certificate>,
    path: &'a Path,
}

impl Host<'_> {
    fn compile(&self, files: &mut Files<'_>) -> Option<(HostTls, Vec<String>)> {
        let certificate = &self.certificate.value;
        let clients = certificate.clients.as_ref().or(self.written.clients.as_ref());
        let verifier = match clients {
            None => None,
            Some(clients) => Some(verifier(clients, &self.path.key("clients"), files)?),
        };
        let mut key = files.certified_key(&certificate.chain, &certificate.key, self.path)?;
        let names = self.names(files, key.end_entity_cert().ok()?)?;
        if let Some(ocsp) = &certificate.ocsp {
            key.ocsp = Some(files.read(ocsp, &self.path.key("ocsp"))?);
        }
        let policy = fingerprint((self.written.minimum, verifier.as_ref().map(|(_, print)| print)));
        let config = self.config(key, verifier.map(|(verifier, _)| verifier), policy, files.ground)?;
        let mut own = ServerNames::default();
        for name in &names {
            own.add(name, ());
        }
        Some((HostTls { config, names: own, policy }, names))
    }

    fn names(
        &self,
        files: &mut Files<'_>,
        certificate: &rustls::pki_types::CertificateDer<'_>,
    ) -> Option<Vec<String>> {
        let chain = &self.certificate.value.chain;
        let in_certificate = files.names(chain, self.path, certificate)?;
        if let Some(names) = &self.certificate.value.names {
            return Some(names.iter().map(|n| n.value.to_string()).collect());
        }
        if in_certificate.is_empty() {
            files
                .problems
                .warning(chain.span, self.path.key("chain"), format!("{} is for no name", chain.value))
                .hint("clients that verify will refuse it; a certificate needs subject alternative names");
        }
        Some(in_certificate)
    }

    fn config(
        &self,
        key: rustls::sign::CertifiedKey,
        verifier: Option<Arc<dyn ClientCertVerifier>>,
        policy: u64,
        ground: &Ground,
    ) -> Option<Arc<ServerConfig>> {
        let minimum: TlsVersion = self.written.minimum;
        let builder =
            ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions(minimum)).ok()?;
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        // Tickets carry sessions over workers and reloads; each policy has keys of its own, so that a ticket of one is
        // nothing under another.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if let Ok(tickets) = ground.tickets.try_get(policy, |_| true, crate::ground::Tickets::new) {
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

/// Who verifies the certificates of clients, and a number that is the same for the same rules.
fn verifier(
    clients: &ClientCertificates,
    path: &Path,
    files: &mut Files<'_>,
) -> Option<(Arc<dyn ClientCertVerifier>, u64)> {
    let roots: RootCertStore = files.authorities(&clients.ca, &path.key("ca"))?;
    let subjects: Vec<Vec<u8>> = roots.roots.iter().map(|r| r.subject_public_key_info.to_vec()).collect();
    let print = fingerprint((subjects, clients.need));
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let builder = match clients.need {
        Need::Required => builder,
        Need::Optional => builder.allow_unauthenticated(),
    };
    match builder.build() {
        Ok(verifier) => Some((verifier, print)),
        Err(error) => {
            let message = format!("{}: {error}", clients.ca.value);
            files.problems.error(clients.ca.span, path.key("ca"), message);
            None
        }
    }
}
