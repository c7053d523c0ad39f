//! What `menshen check` says about certificates: the place, the file, and what to do.

mod support;

use std::os::unix::fs::PermissionsExt;

use support::{Folder, Outcome, certificate, certificate_until};

const LISTENER: &str = "\
gateway: { admin: off, access-log: off }
listeners:
  web:
    bind: 127.0.0.1:0
    tls:
      certificates:
        - { chain: web.pem, key: web.key }
routes: { all: { match: /**, to: { respond: { body: hello } } } }
";

/// A good configuration with its certificate.
fn folder() -> Folder {
    folder_with(LISTENER)
}

fn folder_with(config: &str) -> Folder {
    let folder = Folder::with(config);
    let (chain, key) = certificate(&["www.example.com"]);
    folder.write("web.pem", chain);
    folder.write("web.key", key);
    folder
}

/// A certificate that says where those above it are, and those, in PEM.
struct Chain {
    leaf: String,
    intermediate: String,
    root: String,
    key: String,
}

fn chain(name: &str) -> Chain {
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, KeyPair,
    };
    let called = |name: &str, is_ca| {
        let mut params = CertificateParams::new(if is_ca { vec![] } else { vec![name.to_owned()] }).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = if is_ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::NoCa };
        params
    };
    let key = || KeyPair::generate().unwrap();
    let root = CertifiedIssuer::self_signed(called("root", true), key()).unwrap();
    let intermediate = CertifiedIssuer::signed_by(called("intermediate", true), key(), &root).unwrap();
    let mut params = called(name, false);
    // One access description: id-ad-caIssuers, and a URI (RFC 5280 §4.2.2.1).
    let where_it_is = b"\x30\x14\x30\x12\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x06http:a".to_vec();
    let extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], where_it_is);
    params.custom_extensions.push(extension);
    let own = key();
    let leaf = params.signed_by(&own, &intermediate).unwrap().pem();
    Chain { leaf, intermediate: intermediate.pem(), root: root.pem(), key: own.serialize_pem() }
}

#[track_caller]
fn refused(outcome: &Outcome, expected: &str) {
    assert!(!outcome.ok, "it should have failed: {outcome:?}");
    assert!(outcome.err.contains(expected), "missing: {expected}\nin: {}", outcome.err);
    assert!(!outcome.err.contains("PRIVATE"), "{}", outcome.err);
}

#[track_caller]
fn warned(outcome: &Outcome, expected: &str) {
    assert!(outcome.ok, "{outcome:?}");
    assert!(outcome.err.contains(expected), "missing: {expected}\nin: {}", outcome.err);
}

#[test]
fn a_good_certificate_is_nothing_to_talk_about() {
    let outcome = folder().run(&["check"]);
    assert!(outcome.ok && outcome.err.is_empty(), "{outcome:?}");
}

#[test]
fn a_missing_file_is_named() {
    let folder = folder();
    std::fs::remove_file(folder.path().join("web.key")).unwrap();
    let expected = "menshen.yaml:7:34: error: listeners.web.tls.certificates[0].key: ";
    let outcome = folder.run(&["check"]);
    refused(&outcome, expected);
    refused(&outcome, "web.key: there is no such file");
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let folder = folder();
    std::fs::set_permissions(folder.path().join("web.key"), PermissionsExt::from_mode(0o000)).unwrap();
    let outcome = folder.run_as_nobody(&["check"]);
    refused(&outcome, "menshen.yaml:7:34: error: listeners.web.tls.certificates[0].key: ");
    refused(&outcome, "web.key: no permission to read it");
}

#[test]
fn files_with_something_else_in_them_are_told_with_what_belongs_there() {
    let other = certificate(&["www.example.com"]).1;
    let (chain, key) = certificate(&["www.example.com"]);
    let broken = "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n".to_owned();
    let nonsense = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned();
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old_style = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMIIB\n\
                     -----END RSA PRIVATE KEY-----\n";
    for (name, text, at, said) in [
        (
            "web.pem",
            key.clone(),
            "7:20: error: listeners.web.tls.certificates[0].chain: ",
            "web.pem: there is no certificate in it; there is a private key in it: is that in the place of the certificate?",
        ),
        (
            "web.pem",
            "nothing".to_owned(),
            "7:20: error: listeners.web.tls.certificates[0].chain: ",
            "web.pem: there is no certificate in it; a certificate is the text between",
        ),
        (
            "web.pem",
            chain[..chain.len() / 2].to_owned(),
            "7:20: error: listeners.web.tls.certificates[0].chain: ",
            "web.pem: broken PEM: it breaks off before a line with `-----END`",
        ),
        (
            "web.pem",
            "0\u{2}DER".to_owned(),
            "7:20: error: listeners.web.tls.certificates[0].chain: ",
            "web.pem: there is no certificate in it; it looks like DER: `openssl x509 -inform der",
        ),
        (
            "web.key",
            "0\u{2}DER".to_owned(),
            "7:34: error: listeners.web.tls.certificates[0].key: ",
            "web.key: there is no private key in PEM in it; it looks like DER: `openssl pkey -inform der",
        ),
        (
            "web.key",
            "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n".to_owned(),
            "7:34: error: listeners.web.tls.certificates[0].key: ",
            "web.key: the key cannot be read, or is of a kind that is not used; use RSA with 2048 to 8192 bits",
        ),
        ("web.pem", broken, "7:20: error: listeners.web.tls.certificates[0].chain: ", "web.pem: broken PEM"),
        (
            "web.pem",
            nonsense,
            "7:20: error: listeners.web.tls.certificates[0].chain: ",
            "web.pem: the certificate cannot be read",
        ),
        (
            "web.key",
            other,
            "7:34: error: listeners.web.tls.certificates[0].key: ",
            "web.key is not the key of the certificate in web.pem; compare `openssl x509 -pubkey -noout`",
        ),
        (
            "web.key",
            chain,
            "7:34: error: listeners.web.tls.certificates[0].key: ",
            "web.key: there is no private key in it; keys are PKCS #8, PKCS #1 or SEC 1 in PEM",
        ),
        (
            "web.key",
            encrypted.to_owned(),
            "7:34: error: listeners.web.tls.certificates[0].key: ",
            "web.key: the key is encrypted; decrypt it: `openssl pkey -in encrypted.key -out plain.key`",
        ),
        (
            "web.key",
            old_style.to_owned(),
            "7:34: error: listeners.web.tls.certificates[0].key: ",
            "web.key: the key is encrypted",
        ),
    ] {
        let folder = folder();
        folder.write(name, text);
        let outcome = folder.run(&["check"]);
        refused(&outcome, &format!("menshen.yaml:{at}"));
        refused(&outcome, said);
    }
}

#[test]
fn all_problems_with_certificates_are_told_at_once() {
    let folder = folder_with(&LISTENER.replace(
        "web.key }",
        "web.key }\n        - { chain: gone.pem, key: gone.key, clients: { ca: people.pem } }",
    ));
    folder.write("web.key", "nothing");
    let outcome = folder.run(&["check"]);
    refused(&outcome, "certificates[0].key: web.key: there is no private key in it");
    refused(&outcome, "certificates[1].clients.ca: ");
}

#[test]
fn a_listener_without_certificates_is_told_what_to_write() {
    for tls in ["certificates: []", "strangers: refused"] {
        let config = LISTENER.replace("certificates:\n        - { chain: web.pem, key: web.key }", tls);
        let outcome = folder_with(&config).run(&["check"]);
        refused(
            &outcome,
            "menshen.yaml:3:3: error: listeners.web.tls.certificates: no certificate; name at least one, as in",
        );
    }
}

#[test]
fn a_certificate_that_has_expired_or_will_soon_is_a_warning() {
    let folder = folder();
    let (chain, key) = certificate_until(&["www.example.com"], 2021);
    folder.write("web.pem", chain);
    folder.write("web.key", key);
    let outcome = folder.run(&["check"]);
    warned(&outcome, "menshen.yaml:7:20: warning: listeners.web.tls.certificates[0].chain: ");
    warned(&outcome, "web.pem: the certificate expired on Jan  1 00:00:00 2021 +00:00; renew it");
}

#[test]
fn a_certificate_for_no_name_is_a_warning() {
    let folder = folder();
    let (chain, key) = certificate(&[]);
    folder.write("web.pem", chain);
    folder.write("web.key", key);
    warned(&folder.run(&["check"]), "web.pem is for no name; clients that verify will refuse it");
}

#[test]
fn two_certificates_for_one_name_are_a_warning() {
    let config = LISTENER.replace(
        "web.key }",
        "web.key }\n        - { chain: web.pem, key: web.key, names: [WWW.example.com] }",
    );
    warned(
        &folder_with(&config).run(&["check"]),
        "menshen.yaml:8:11: warning: listeners.web.tls.certificates[1]: another certificate is for `WWW.example.com` too; \
         that one is used",
    );
}

#[test]
fn what_cannot_be_a_name_is_refused() {
    let config = LISTENER.replace("web.key }", "web.key, names: [https://www.example.com] }");
    refused(
        &folder_with(&config).run(&["check"]),
        "certificates[0].names[0]: `https://www.example.com` is not a host; write only the host",
    );
}

#[test]
fn passthrough_leads_to_a_service_that_there_is() {
    let service = "services: { database: { endpoints: [127.0.0.1:5432] } }\n";
    let tls = "      passthrough: { db.example.com: databse, 'db:443': database, A.example: database, a.example: database }\n";
    let config = LISTENER.replace("routes:", &format!("{tls}{service}routes:"));
    let outcome = folder_with(&config).run(&["check"]);
    refused(
        &outcome,
        "menshen.yaml:8:38: error: listeners.web.tls.passthrough[\"db.example.com\"]: no service named `databse`; did you mean \
         `database`?",
    );
    refused(&outcome, "`db:443` is not a host; write the host without its port");
    refused(&outcome, "passthrough[\"a.example\"]: the same name twice: upper and lower case do not differ");
}

#[test]
fn the_authorities_of_a_service_must_be_there() {
    let config = LISTENER.replace(
        "routes:",
        "services:\n  users: { endpoints: [127.0.0.1:1], tls: { ca: services.pem } }\nroutes:",
    );
    let outcome = folder_with(&config).run(&["check"]);
    refused(&outcome, "menshen.yaml:9:49: error: services.users.tls.ca: ");
    refused(&outcome, "services.pem: there is no such file");
}

#[test]
fn a_fact_of_tls_that_there_is_not_is_told_with_what_was_meant() {
    let config = LISTENER.replace("match: /**", "match: { path: /**, tls: { client.subjet: present } }");
    refused(
        &folder_with(&config).run(&["check"]),
        "tls[\"client.subjet\"]: nothing is known of TLS under the name `client.subjet`; did you mean `client.subject`?",
    );
}

#[test]
fn the_first_lines_say_https() {
    let folder = folder();
    let mut running = folder.command(&["run"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let log = std::io::BufReader::new(running.stderr.take().unwrap());
    let line = std::io::BufRead::lines(log).map_while(Result::ok).find(|l| l.contains("listening on"));
    running.kill().unwrap();
    running.wait().unwrap();
    let line = line.unwrap();
    assert!(line.contains("listening on https://127.0.0.1:") && line.ends_with("(web)"), "{line}");
}

#[test]
fn an_endpoint_without_a_name_to_verify_is_refused_not_asked_in_plain_text() {
    for endpoint in ["bad-:8443", "unix:app.sock"] {
        let service =
            format!("services:\n  users: {{ endpoints: ['{endpoint}'], protocol: https }}\nroutes:");
        let outcome = folder_with(&LISTENER.replace("routes:", &service)).run(&["check"]);
        refused(
            &outcome,
            &format!(
                "menshen.yaml:9:24: error: services.users.tls.name: `{endpoint}`: there is no name that the certificate \
                 could be verified for; say which name is in the certificate, as in `tls: {{ name: users.internal }}`"
            ),
        );
        let named = service.replace("protocol: https", "protocol: https, tls: { name: users.internal }");
        assert!(folder_with(&LISTENER.replace("routes:", &named)).run(&["check"]).ok);
    }
}

#[test]
fn a_key_that_anybody_can_read_is_a_warning() {
    let folder = folder();
    std::fs::set_permissions(folder.path().join("web.key"), PermissionsExt::from_mode(0o644)).unwrap();
    let expected = "menshen.yaml:7:34: warning: listeners.web.tls.certificates[0].key: web.key: every user of this machine \
                    can read the key (mode 0644); take that away with `chmod o-r`";
    warned(&folder.run(&["check"]), expected);
}

#[test]
fn a_chain_that_is_out_of_order_or_not_whole_is_told() {
    let made = chain("www.example.com");
    let check = |text: &[&str]| {
        let folder = folder();
        folder.write("web.pem", text.concat());
        folder.write("web.key", &made.key);
        folder.run(&["check"])
    };
    let outcome = check(&[&made.leaf, &made.intermediate]);
    assert!(outcome.ok && outcome.err.is_empty(), "{outcome:?}");
    refused(
        &check(&[&made.intermediate, &made.leaf]),
        "menshen.yaml:7:20: error: listeners.web.tls.certificates[0].chain: web.pem begins with another certificate: the one \
         of web.key is number 2 in it; the server's own certificate comes first",
    );
    warned(
        &check(&[&made.leaf, &made.root]),
        "web.pem: certificate number 2 is `CN=root`, and should be `CN=intermediate`; the server's own certificate comes first",
    );
    warned(
        &check(&[&made.leaf]),
        "menshen.yaml:7:20: warning: listeners.web.tls.certificates[0].chain: web.pem: the certificate of its issuer, \
         `CN=intermediate`, is not in it; clients that do not know that one will refuse it; use the full chain",
    );
}

#[test]
fn names_that_a_certificate_is_not_for_are_a_warning() {
    let config = LISTENER.replace("web.key }", "web.key, names: [www.example.com, '*.example.com'] }");
    let outcome = folder_with(&config).run(&["check"]);
    warned(
        &outcome,
        "names[1]: the certificate is not for `*.example.com`; clients that verify will refuse it",
    );
    assert!(!outcome.err.contains("names[0]"), "{outcome:?}");
}

#[test]
fn a_statement_that_is_no_ocsp_response_is_refused() {
    let folder = folder_with(&LISTENER.replace("web.key }", "web.key, ocsp: web.ocsp }"));
    // What a responder says that knows nothing (RFC 6960 §4.2.1: tryLater).
    for statement in ["nonsense", "0\u{3}\u{a}\u{1}\u{3}"] {
        folder.write("web.ocsp", statement);
        let expected = "certificates[0].ocsp: web.ocsp: this is no OCSP response in DER that says anything";
        refused(&folder.run(&["check"]), expected);
    }
}

#[test]
fn somebody_who_is_no_authority_is_a_warning() {
    let made = chain("www.example.com");
    let folder = folder_with(&LISTENER.replace("web.key }", "web.key, clients: { ca: people.pem } }"));
    folder.write("people.pem", &made.leaf);
    let expected = "clients.ca: people.pem: `CN=www.example.com` is no authority; no certificate will be believed because of it";
    warned(&folder.run(&["check"]), expected);
    folder.write("people.pem", &made.intermediate);
    assert!(folder.run(&["check"]).err.is_empty());
}

#[test]
fn one_mistake_in_a_certificate_is_told_once() {
    for (written, told) in [
        ("- { chain: web.pem }", "certificates[0]: missing `key`"),
        ("- web.pem", "certificates[0]: expected a map, found the text `web.pem`"),
        (
            "- { chain: web.pem, key: web.key }\n      protocols: [h3]",
            "tls.protocols[0]: `h3` is not known here",
        ),
        (
            "- { chain: web.pem, key: web.key }\n      protocols: []",
            "tls.protocols: no protocol; write `[h2, http/1.1]`",
        ),
    ] {
        let config = LISTENER.replace("- { chain: web.pem, key: web.key }", written);
        let outcome = folder_with(&config).run(&["check"]);
        refused(&outcome, told);
        refused(&outcome, "\n1 error");
    }
}

#[test]
fn the_certificate_that_is_shown_to_a_service_is_worth_a_warning_too() {
    let service = "services:\n  users: { endpoints: ['127.0.0.1:1'], tls: { ca: web.pem, certificate: { chain: own.pem, key: own.key } } }\nroutes:";
    let folder = folder_with(&LISTENER.replace("routes:", service));
    let (chain, key) = certificate_until(&["menshen"], 2021);
    folder.write("own.pem", chain);
    folder.write("own.key", key);
    warned(
        &folder.run(&["check"]),
        "services.users.tls.certificate.chain: own.pem: the certificate expired on Jan  1",
    );
}
