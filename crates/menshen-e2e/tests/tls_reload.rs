//! Certificates that are replaced while the gateway runs, and sessions that go on (dangers 22).

use menshen_e2e::{Authority, Dialer, Leaf, TestGateway, Validity};

fn document(body: &str, workers: u8) -> String {
    format!(
        "
        gateway:
          workers: {workers}
        listeners:
          https: {{ bind: '127.0.0.1:0', tls: {{ certificates: [{{ chain: a.pem, key: a.key }}] }} }}
        routes: {{ all: {{ match: /**, to: {{ respond: {{ body: {body} }} }} }} }}
        "
    )
}

fn gateway(workers: u8) -> (TestGateway, Authority, Leaf) {
    let authority = Authority::new("test");
    let leaf = authority.server(&["a.example"]);
    let files = [("a.pem", leaf.pem()), ("a.key", leaf.key_pem())];
    (TestGateway::start_with(&document("one", workers), &[], &files), authority, leaf)
}

fn certificate(gateway: &TestGateway) -> Vec<u8> {
    let client = Dialer::new().dial(gateway.address(), "a.example").unwrap();
    client.agreed().certificate.unwrap().to_vec()
}

#[test]
fn replaced_files_are_for_new_connections_and_an_open_connection_goes_on() {
    let (gateway, authority, old) = gateway(1);
    let mut open = Dialer::new().dial(gateway.address(), "a.example").unwrap();
    assert_eq!(open.ask("GET /", &["Host: a.example"]).text(), "one");
    let new = authority.server(&["a.example"]);
    gateway.replace("a.pem", new.pem());
    gateway.replace("a.key", new.key_pem());
    gateway.reload_files().unwrap();
    assert_eq!(certificate(&gateway), new.der().to_vec());
    assert_eq!(open.ask("GET /", &["Host: a.example"]).text(), "one");
    assert_eq!(open.agreed().certificate.as_ref(), Some(old.der()));
}

#[test]
fn replaced_files_are_noticed_without_being_told() {
    let (gateway, authority, _) = gateway(1);
    let new = authority.server(&["a.example"]);
    gateway.replace("a.pem", new.pem());
    gateway.replace("a.key", new.key_pem());
    menshen_e2e::eventually("the new certificate is shown", || certificate(&gateway) == new.der().to_vec());
}

#[test]
fn while_files_are_broken_the_old_certificate_keeps_serving() {
    let (gateway, authority, old) = gateway(1);
    let other = authority.server(&["a.example"]);
    for (name, text, said) in [
        ("a.key", other.key_pem(), "a.key is not the key of the certificate in a.pem"),
        ("a.key", "nonsense".to_owned(), "there is no private key in it"),
        ("a.pem", String::new(), "there is no certificate in it"),
        ("a.pem", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n".to_owned(), "broken PEM"),
    ] {
        gateway.replace("a.pem", old.pem());
        gateway.replace("a.key", old.key_pem());
        gateway.replace(name, text);
        let refusal = gateway.reload_files().unwrap_err();
        assert!(refusal.contains(said) && refusal.contains("menshen.yaml:"), "{refusal}");
        assert_eq!(certificate(&gateway), old.der().to_vec(), "{said}");
    }
    let expired = authority.server_valid(&["a.example"], Validity::Expired);
    gateway.replace("a.pem", expired.pem());
    gateway.replace("a.key", expired.key_pem());
    gateway.reload_files().unwrap();
    assert_eq!(certificate(&gateway), expired.der().to_vec(), "expired is bad, not serving is worse");
}

#[test]
fn sessions_go_on_over_all_workers() {
    let (gateway, ..) = gateway(4);
    for dialer in [Dialer::of_tls12(), Dialer::of_tls13()] {
        assert_eq!(dialer.get(gateway.address(), "a.example", "/").unwrap().text(), "one");
        for _ in 0..16 {
            let mut client = dialer.dial(gateway.address(), "a.example").unwrap();
            assert!(client.agreed().resumed);
            assert_eq!(client.ask("GET /", &["Host: a.example"]).text(), "one");
        }
    }
}

#[test]
fn sessions_go_on_after_a_reload() {
    let (gateway, ..) = gateway(1);
    for dialer in [Dialer::of_tls12(), Dialer::of_tls13()] {
        gateway.reload(&document("one", 1)).unwrap();
        assert_eq!(dialer.get(gateway.address(), "a.example", "/").unwrap().text(), "one");
        gateway.reload(&document("two", 1)).unwrap();
        let mut client = dialer.dial(gateway.address(), "a.example").unwrap();
        assert!(client.agreed().resumed);
        assert_eq!(client.ask("GET /", &["Host: a.example"]).text(), "two");
    }
}

#[test]
fn after_clients_must_show_a_certificate_an_old_session_is_worth_nothing_and_an_open_connection_neither() {
    let (gateway, authority, _) = gateway(1);
    let dialer = Dialer::new();
    let mut open = dialer.dial(gateway.address(), "a.example").unwrap();
    assert_eq!(open.ask("GET /", &["Host: a.example"]).text(), "one");
    gateway.replace("ca.pem", authority.pem());
    let strict = document("two", 1).replace("a.key }]", "a.key }], clients: { ca: ca.pem }");
    gateway.reload(&strict).unwrap();
    assert_eq!(open.ask("GET /", &["Host: a.example"]).outcome(), "421 misdirected-request");
    assert!(dialer.get(gateway.address(), "a.example", "/").is_err());
}
