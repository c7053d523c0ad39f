//! Certificates that get themselves, from a real authority: Pebble.

use std::time::Duration;

use menshen_e2e::{Admin, Client, Dialer, Pebble, PebbleSettings, TestGateway, eventually};

/// A gateway with a listener that speaks plain HTTP and one that speaks TLS, where Pebble asks.
fn document(pebble: &Pebble, names: &str, more: &str) -> String {
    format!(
        "
        gateway:
          admin: 127.0.0.1:0
          store: store
          acme: {{ email: ops@example.com, terms: agreed, directory: '{}', ca: ca.pem{more} }}
        listeners:
          plain: {{ bind: '{}', filters: [ redirect: 'https://{{host}}{{path}}' ] }}
          web: {{ bind: '{}', tls: {{ certificates: [ {{ acme: [{names}] }} ] }} }}
        routes: {{ all: {{ match: /**, to: {{ respond: {{ body: one }} }} }} }}
        ",
        pebble.directory(),
        pebble.http,
        pebble.tls,
    )
}

fn start(document: &str, pebble: &Pebble) -> TestGateway {
    TestGateway::start_with(document, &[], &[("ca.pem", pebble.ca())])
}

/// The certificate that is shown for a name.
fn shown(pebble: &Pebble, name: &str) -> Option<Vec<u8>> {
    let client = Dialer::new().forgetful().dial(pebble.tls, name).ok()?;
    client.agreed().certificate.as_ref().map(|c| c.to_vec())
}

fn is_from_pebble(certificate: &[u8]) -> bool {
    certificate.windows(19).any(|w| w == b"Pebble Intermediate")
}

fn wait_for(pebble: &Pebble, name: &str) -> Vec<u8> {
    let mut found = None;
    eventually("a certificate is shown", || {
        found = shown(pebble, name).filter(|c| is_from_pebble(c));
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn a_certificate_is_got_by_http_01_past_routes_and_filters() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let gateway = start(&document(&pebble, "www.example.com, example.com", ""), &pebble);
    let certificate = wait_for(&pebble, "www.example.com");
    assert_eq!(shown(&pebble, "example.com"), Some(certificate), "one certificate for both names");
    let reply = Dialer::new().get(pebble.tls, "example.com", "/").unwrap();
    assert_eq!(reply.text(), "one");
    let other = Client::connect(pebble.http).send("GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: example.com\r\n\r\n").response();
    assert_eq!(other.status, 308, "what is no token under way goes where everything goes");
    let status = Admin::of(&gateway).get("/status").text();
    assert!(status.contains(r#""state":"valid""#), "{status}");
    let _ = Duration::ZERO;
}
