//! The TLS of a listener.

use std::sync::Arc;

use menshen_config::document::{Listener, ListenerTls, Strangers};
use menshen_config::{Path, Problems, Span};
use menshen_proxy::tls::{Held, HostTls, ServerName, ServerTls};

use super::files::Files;
use super::host::{Compiled, Host};
use super::passthrough;
use crate::compile::listener::Place;
use crate::expiry;

/// Compiles the TLS of a listener, which stands at `at`; `None` after a problem.
pub(in crate::compile) fn compile(
    written: &ListenerTls,
    listener: &menshen_config::Entry<Listener>,
    path: &Path,
    place: &Place<'_, '_>,
    problems: &mut Problems,
) -> Option<Arc<ServerTls>> {
    let path = path.key("tls");
    if written.certificates.is_empty() && written.passthrough.is_empty() {
        return no_certificate(listener.at, &path, problems);
    }
    let protocols = path.key("protocols");
    if written.protocols.as_ref().is_some_and(Vec::is_empty) && !is_told(&protocols, problems) {
        problems.error(listener.at, protocols, "no protocol").hint("write `[h2, http/1.1]` or one of them");
    }
    let mut tls = ServerTls::default();
    // They were named one by one; certificates may be for them too.
    let mut whole = passthrough::add(written, listener, &path, place, &mut tls, problems);
    let directory = place.document.gateway.acme.as_ref().map_or("", |a| a.value.directory.url());
    let (mut first, mut held, mut soon) = (None, Vec::new(), Vec::new());
    for (i, certificate) in written.certificates.iter().enumerate() {
        let path = path.key("certificates").index(i);
        let mut files = Files { ground: place.ground, problems };
        let host = Host { written, certificate, path: &path, directory };
        let host = match host.compile(&mut files) {
            None => {
                whole = false;
                continue;
            }
            Some(Compiled::Soon(names)) => {
                soon.extend(names.iter().map(str::to_owned));
                continue;
            }
            Some(Compiled::Now(host)) => host,
        };
        let (begins, expires) = host.life;
        let name = host.names.first().map_or("", |n| n).into();
        held.push(Held { name, expires, worrying: expiry::worrying(begins, expires) });
        let tls_of_host = Arc::new(host.tls);
        first.get_or_insert_with(|| tls_of_host.clone());
        soon.extend(host.soon);
        add(&mut tls, &host.names, &tls_of_host, (certificate.span, &path), problems);
    }
    for name in soon {
        // What another certificate is for is served with that one until then.
        let _ = tls.names.add(&name, ServerName::Soon);
    }
    tls.default = first.filter(|_| written.strangers == Strangers::First);
    tls.certificates = held.into();
    whole.then(|| Arc::new(tls))
}

fn no_certificate<T>(at: Span, path: &Path, problems: &mut Problems) -> Option<T> {
    let path = path.key("certificates");
    if is_told(&path, problems) {
        return None;
    }
    problems
        .error(at, path, "no certificate")
        .hint("name at least one, as in `certificates: [{ chain: web.pem, key: web.key }]` or `certificates: [{ acme: www.example.com }]`");
    None
}

/// What is written and wrong is left out of the document, and is told already.
fn is_told(path: &Path, problems: &Problems) -> bool {
    let path = path.to_string();
    problems.iter().any(|p| p.path.starts_with(&path))
}

/// Adds the names of a certificate.
fn add(
    tls: &mut ServerTls,
    names: &[String],
    host: &Arc<HostTls>,
    (at, path): (Span, &Path),
    problems: &mut Problems,
) {
    for name in names {
        if let Err(ServerName::Here(other)) = tls.names.add(name, ServerName::Here(host.clone()))
            && !Arc::ptr_eq(other, host)
        {
            let message = format!("another certificate is for `{name}` too; that one is used");
            problems.warning(at, path.clone(), message);
        }
    }
}
