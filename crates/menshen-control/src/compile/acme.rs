//! `gateway: { acme }` and the certificates that listeners want → what the keeper is to get.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use menshen_config::document::{self, CertificateSource, Challenge, Terms};
use menshen_config::matching::HostPattern;
use menshen_config::quantity::Secret;
use menshen_config::{Document, Path, Problems, Span, Spanned};

use super::Purpose;
use super::tls::{Files, system_roots};
use crate::Ground;
use crate::acme::{ExternalAccount, Hook, Names, Plan, Proof};
use crate::store;

/// How long a hook may take.
const HOOK: Duration = Duration::from_secs(60);
/// The most that can be written for that, and for records to be seen.
const LONGEST: Duration = Duration::from_secs(3600);

/// A certificate that a listener wants.
struct Wanted<'a> {
    names: &'a [Spanned<Box<str>>],
    path: Path,
    span: Span,
}

/// What is to be got. `None` where nothing is, and after a problem. To be served, the store is opened and what it has is put
/// on the shelf.
pub(super) fn compile(
    document: &Document,
    ground: &Ground,
    purpose: Purpose,
    problems: &mut Problems,
) -> Option<Plan> {
    let wanted = wanted(document);
    let first = wanted.first()?;
    let gateway = Path::root().key("gateway");
    let Some(written) = &document.gateway.acme else {
        problems
            .error(first.span, first.path.key("acme"), "`gateway: { acme }` does not say from whom to get it")
            .hint("add `acme: { email: you@example.com, terms: agreed }` to `gateway`");
        return None;
    };
    let path = gateway.key("acme");
    // What was written and is wrong is told already.
    let is_told = |at: &Path, problems: &Problems| problems.iter().any(|p| p.path == at.to_string());
    if written.value.terms != Some(Terms::Agreed) && !is_told(&path.key("terms"), problems) {
        problems
            .error(written.span, path.key("terms"), "the terms of the authority are not agreed to")
            .hint("read them, those of Let's Encrypt at https://letsencrypt.org/repository/, and write `terms: agreed`");
    }
    check_email(&written.value, &path, problems);
    let proof = proof(document, ground, written, &path, problems);
    for certificate in &wanted {
        check_names(certificate, proof.as_ref(), problems);
    }
    let mut files = Files { ground, problems };
    let roots = match &written.value.ca {
        Some(ca) => files.authorities(ca, &path.key("ca")).map(Arc::new),
        None => system_roots(written.span, &path, files.problems),
    };
    let account = match &written.value.account {
        Some(account) => Some(external(account, &path.key("account"), purpose, ground, problems)?),
        None => None,
    };
    let plan = Plan {
        directory: written.value.directory.url().into(),
        email: written.value.email.as_ref().map(|e| e.value.clone()),
        roots: roots?,
        proof: proof?,
        renew: written.value.renew.map(|d| d.0),
        account,
        wanted: distinct(wanted.iter().map(|w| Names::new(w.names.iter().map(|n| &*n.value)))),
    };
    if purpose == Purpose::Serve && !problems.has_errors() {
        open(document, ground, written.span, problems)?;
    }
    Some(plan)
}

fn wanted(document: &Document) -> Vec<Wanted<'_>> {
    let mut wanted = Vec::new();
    for (name, listener) in document.listeners.iter() {
        let certificates = listener.tls.iter().flat_map(|tls| tls.certificates.iter().enumerate());
        for (i, certificate) in certificates {
            if let CertificateSource::Acme(names) = &certificate.value.source {
                let path = Path::root().key("listeners").key(name).key("tls").key("certificates").index(i);
                wanted.push(Wanted { names, path, span: certificate.span });
            }
        }
    }
    wanted
}

/// Two listeners may show the same certificate.
fn distinct(names: impl Iterator<Item = Names>) -> Vec<Names> {
    let mut list = Vec::new();
    for one in names {
        if !list.contains(&one) {
            list.push(one);
        }
    }
    list
}

fn check_email(written: &document::Acme, path: &Path, problems: &mut Problems) {
    let is_address = |e: &str| {
        e.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
            && e.bytes().all(|b| b.is_ascii_graphic() && b != b',' && b != b'?')
    };
    if let Some(email) = written.email.as_ref().filter(|e| !is_address(&e.value)) {
        let message = format!("`{}` is no mail address", email.value);
        problems.error(email.span, path.key("email"), message);
    }
}

fn proof(
    document: &Document,
    ground: &Ground,
    written: &Spanned<document::Acme>,
    path: &Path,
    problems: &mut Problems,
) -> Option<Proof> {
    let has_plain = document.listeners.iter().any(|(_, l)| l.tls.is_none());
    let Some(challenge) = &written.value.challenge else {
        return Some(if has_plain { Proof::Http01 } else { Proof::TlsAlpn01 });
    };
    let path = path.key("challenge");
    match &challenge.value {
        Challenge::Http01 if !has_plain => {
            problems
                .error(
                    challenge.span,
                    path,
                    "http-01 is answered over plain HTTP, and every listener speaks TLS",
                )
                .hint("add `listeners: { plain: { bind: 0.0.0.0:80 } }`, or write `challenge: tls-alpn-01`");
            None
        }
        Challenge::Http01 => Some(Proof::Http01),
        Challenge::TlsAlpn01 => Some(Proof::TlsAlpn01),
        Challenge::Dns01(dns) => match dns.hook.split_first() {
            Some((program, arguments)) if !program.value.is_empty() => {
                let path = path.key("dns-01");
                let hook = Hook {
                    program: program_path(&program.value, ground),
                    arguments: arguments.iter().map(|a| a.value.as_str().into()).collect(),
                    timeout: dns.timeout.map_or(HOOK, |d| d.0),
                    wait: dns.wait.map_or(Duration::ZERO, |d| d.0),
                };
                if hook.wait.max(hook.timeout) > LONGEST {
                    problems
                        .error(challenge.span, path.clone(), "at most an hour can be waited")
                        .hint("an authority does not wait longer for an answer; see `wait` and `timeout`");
                }
                if !can_be_run(&hook.program) {
                    let message = format!("`{}` is not there, or cannot be run", hook.program);
                    problems.warning(program.span, path.key("hook"), message).hint(
                        "until it is there no certificate can be got; it must be executable (`chmod +x`)",
                    );
                }
                Some(Proof::Dns01(hook))
            }
            _ => {
                let path = path.key("dns-01").key("hook");
                problems
                    .error(challenge.span, path, "no command")
                    .hint("name a program, as in `hook: /etc/menshen/dns-hook`");
                None
            }
        },
    }
}

/// A bare name is looked for where programs are, a path counts from the folder of the configuration.
fn program_path(program: &str, ground: &Ground) -> Box<str> {
    if !program.contains('/') {
        return program.into();
    }
    ground.files.resolve(program).to_string_lossy().into()
}

/// True when there is a file that somebody may run; who runs the gateway may be somebody else than who asks.
fn can_be_run(program: &str) -> bool {
    const ANYBODY: u32 = 0o111;
    let is_program = |path: &std::path::Path| {
        std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & ANYBODY != 0)
    };
    if program.contains('/') {
        return is_program(program.as_ref());
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| is_program(&folder.join(program)))
}

fn check_names(certificate: &Wanted<'_>, proof: Option<&Proof>, problems: &mut Problems) {
    for (i, name) in certificate.names.iter().enumerate() {
        let path = certificate.path.key("acme").index(i);
        if let Err(refusal) = name.value.parse::<HostPattern>() {
            problems.error(name.span, path, refusal.message).maybe_hint(refusal.hint);
            continue;
        }
        let is_address = name.value.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
        if is_address || !name.value.contains('.') {
            let message = format!("an authority gives no certificate for `{}`", name.value);
            problems.error(name.span, path, message).hint("write a name that the world's DNS knows");
            continue;
        }
        let needs_dns = name.value.starts_with("*.") && !matches!(proof, Some(Proof::Dns01(_)) | None);
        if needs_dns {
            problems
                .error(name.span, path, format!("`{}` can be proven by dns-01 only", name.value))
                .hint("write `challenge: { dns-01: /etc/menshen/dns-hook }`, or the names one by one");
        }
    }
}

/// The key is looked up when it is needed, not to look at a configuration.
fn external(
    written: &document::ExternalAccount,
    path: &Path,
    purpose: Purpose,
    ground: &Ground,
    problems: &mut Problems,
) -> Option<ExternalAccount> {
    if purpose == Purpose::Check {
        return Some(ExternalAccount { id: written.id.clone(), key: Box::default() });
    }
    let text = match &written.key.value {
        Secret::Env(name) => std::env::var(&**name).map_err(|_| format!("`{name}` is not set")),
        Secret::File(file) => match ground.files.read(std::path::Path::new(&**file)) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| format!("{file}: this is no text")),
            Err(error) => Err(format!("{file}: {error}")),
        },
    };
    // What is wrong with the text could repeat a part of the key.
    let key = text.and_then(|t| decoded(t.trim()).ok_or_else(|| "the key is not Base64 for URLs".to_owned()));
    match key {
        Ok(key) => Some(ExternalAccount { id: written.id.clone(), key: key.into() }),
        Err(why) => {
            problems.error(written.key.span, path.key("key"), why).hint("the authority says it in that form");
            None
        }
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok().filter(|key| !key.is_empty())
}

fn open(document: &Document, ground: &Ground, at: Span, problems: &mut Problems) -> Option<()> {
    let written = document.gateway.store.as_ref();
    let folder = store::folder(written.map(|s| &*s.value.0));
    let folder = ground.files.resolve_path(&folder);
    let opened = ground.store.open(&folder).and_then(|store| ground.acme.shelf.read(&*store));
    match opened {
        Ok(_) => Some(()),
        Err(error) => {
            let problem = problems.error(written.map_or(at, |s| s.span), "gateway.store", error.to_string());
            if written.is_none() {
                problem.hint(
                    "certificates and their keys are kept there; `gateway: { store: FOLDER }` says where",
                );
            }
            None
        }
    }
}
