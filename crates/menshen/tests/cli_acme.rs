//! What `menshen check` and a start say about certificates that get themselves: the place, and what to do.

mod support;

use support::{Folder, Outcome};

fn config(acme: &str, certificate: &str, listeners: &str) -> String {
    format!(
        "\
gateway:
  admin: off
  store: state
  {acme}
listeners:
{listeners}  web: {{ bind: 127.0.0.1:0, tls: {{ certificates: [{{ {certificate} }}] }} }}
routes: {{ all: {{ match: /**, to: {{ respond: {{ body: hello }} }} }} }}
"
    )
}

const PLAIN: &str = "  plain: { bind: 127.0.0.2:0 }\n";
const AGREED: &str = "acme: { email: ops@example.com, terms: agreed }";

fn check(acme: &str, certificate: &str, listeners: &str) -> Outcome {
    let folder = Folder::with(config(acme, certificate, listeners));
    let outcome = folder.run(&["check"]);
    assert!(!folder.path().join("state").exists(), "to look is not to make");
    outcome
}

#[track_caller]
fn refused(outcome: &Outcome, expected: &str) {
    assert!(!outcome.ok, "it should have failed: {outcome:?}");
    assert!(outcome.err.contains(expected), "missing: {expected}\nin: {}", outcome.err);
}

#[test]
fn names_and_an_agreement_are_enough() {
    for certificate in ["acme: www.example.com", "acme: [www.example.com, example.com]"] {
        for listeners in [PLAIN, ""] {
            let outcome = check(AGREED, certificate, listeners);
            assert!(outcome.ok && outcome.err.is_empty(), "{outcome:?}");
        }
    }
}

#[test]
fn who_does_not_say_from_whom_or_has_not_agreed_is_told_what_to_write() {
    let outcome = check("via: gateway", "acme: www.example.com", PLAIN);
    refused(&outcome, "menshen.yaml:7:51: error: listeners.web.tls.certificates[0].acme: ");
    refused(&outcome, "add `acme: { email: you@example.com, terms: agreed }` to `gateway`");
    let outcome = check("acme: { email: ops@example.com }", "acme: www.example.com", PLAIN);
    refused(
        &outcome,
        "menshen.yaml:4:9: error: gateway.acme.terms: the terms of the authority are not agreed to",
    );
    refused(&outcome, "https://letsencrypt.org/repository/");
    let outcome = check("acme: { email: ops@example.com, terms: yes }", "acme: www.example.com", PLAIN);
    refused(&outcome, "`yes` is not known here; known values are `agreed`");
    assert!(!outcome.err.contains("not agreed to"), "one mistake, one problem: {}", outcome.err);
}

#[test]
fn a_wildcard_needs_dns_01_and_http_01_a_plain_listener() {
    let outcome = check(AGREED, "acme: ['*.example.com', example.com]", PLAIN);
    refused(&outcome, "certificates[0].acme[0]: `*.example.com` can be proven by dns-01 only");
    for hook in ["/bin/sh", "{ hook: [sh, example.com], timeout: 2m, wait: 30s }"] {
        let acme = format!("acme: {{ terms: agreed, challenge: {{ dns-01: {hook} }} }}");
        let outcome = check(&acme, "acme: ['*.example.com', example.com]", "");
        assert!(outcome.ok && outcome.err.is_empty(), "{outcome:?}");
    }
    let http = "acme: { terms: agreed, challenge: http-01 }";
    refused(
        &check(http, "acme: example.com", ""),
        "gateway.acme.challenge: http-01 is answered over plain HTTP, and every listener speaks TLS",
    );
    refused(
        &check("acme: { terms: agreed, challenge: { dns-01: { hook: [] } } }", "acme: example.com", ""),
        "gateway.acme.challenge.dns-01.hook: no command",
    );
}

#[test]
fn names_that_no_authority_knows_are_refused() {
    for (name, expected) in [
        ("10.0.0.1", "an authority gives no certificate for `10.0.0.1`"),
        ("localhost", "an authority gives no certificate for `localhost`"),
        ("'a b.example'", "`a b.example` is not a host"),
    ] {
        refused(&check(AGREED, &format!("acme: {name}"), PLAIN), expected);
    }
    refused(
        &check("acme: { terms: agreed, email: ops }", "acme: a.example", PLAIN),
        "`ops` is no mail address",
    );
}

#[test]
fn a_certificate_comes_from_one_place() {
    for (certificate, expected) in [
        ("acme: a.example.com, key: web.key", "is from files or got by `acme`, not both"),
        ("acme: a.example.com, names: [b.example.com]", "has the names in `acme`; remove `names`"),
        ("acme: a.example.com, ocsp: web.ocsp", "remove `ocsp`"),
        ("chain: web.pem", "missing `key`"),
        ("key: web.key", "missing `chain`"),
        ("", "write `{ chain: web.pem, key: web.key }` or `{ acme: www.example.com }`"),
    ] {
        refused(&check(AGREED, certificate, PLAIN), expected);
    }
}

#[test]
fn a_store_that_cannot_be_opened_is_told_at_start_with_its_place() {
    let folder = Folder::with(config(AGREED, "acme: a.example.com", PLAIN));
    folder.write("state", "not a folder");
    let outcome = folder.run(&["run"]);
    refused(&outcome, "menshen.yaml:3:10: error: gateway.store: ");
    refused(&outcome, "there is a file where its folder should be");
    let folder = Folder::with(config(AGREED, "acme: a.example.com", PLAIN));
    std::fs::create_dir(folder.path().join("state")).unwrap();
    folder.write("state/menshen.redb", "damaged");
    let outcome = folder.run(&["run"]);
    refused(&outcome, "menshen.redb is damaged or no store of menshen");
    assert_eq!(folder.read("state/menshen.redb"), "damaged");
}

#[test]
fn a_hook_that_cannot_be_run_is_a_warning_and_one_that_waits_for_ever_is_refused() {
    let challenge = |hook: &str| {
        format!("acme: {{ email: ops@example.com, terms: agreed, challenge: {{ dns-01: {hook} }} }}")
    };
    for hook in ["no-such-program", "/nowhere/hook", "/etc/passwd"] {
        let outcome = check(&challenge(hook), "acme: www.example.com", "");
        assert!(outcome.ok, "{outcome:?}");
        let expected =
            format!("warning: gateway.acme.challenge.dns-01.hook: `{hook}` is not there, or cannot be run;");
        assert!(outcome.err.contains(&expected), "{}", outcome.err);
    }
    for hook in ["sh", "/bin/sh"] {
        let outcome = check(&challenge(hook), "acme: www.example.com", "");
        assert!(outcome.ok && outcome.err.is_empty(), "{outcome:?}");
    }
    let outcome = check(&challenge("{ hook: sh, wait: 2h }"), "acme: www.example.com", "");
    refused(&outcome, "gateway.acme.challenge.dns-01: at most an hour can be waited");
}
