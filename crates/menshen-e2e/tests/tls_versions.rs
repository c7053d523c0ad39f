//! Versions, protocols, staples and slow handshakes.

use menshen_e2e::{Admin, Authority, Broken, Client, Dialer, Leaf, TestGateway, eventually};

/// As much of an OCSP response as is looked at: a SEQUENCE that begins with `successful`.
const STAPLE: &str = "0\u{4}\u{a}\u{1}\0!";

fn gateway(tls: &str, more: &str) -> (TestGateway, Leaf) {
    let leaf = Authority::new("test").server(&["a.example"]);
    let document = format!(
        "
        gateway:
          admin: 127.0.0.1:0
        listeners:
          https:
            bind: '127.0.0.1:0'
            tls: {{ certificates: [{{ chain: a.pem, key: a.key, ocsp: a.ocsp }}]{tls} }}{more}
        routes: {{ all: {{ match: /**, to: {{ respond: {{ body: hello }} }} }} }}
        "
    );
    let files = [("a.pem", leaf.pem()), ("a.key", leaf.key_pem()), ("a.ocsp", STAPLE.to_owned())];
    (TestGateway::start_with(&document, &[], &files), leaf)
}

fn refused(gateway: &TestGateway, reason: &str) -> u64 {
    let series = format!("menshen_tls_refused_handshakes_total{{reason=\"{reason}\"}}");
    Admin::of(gateway).metric(&series)
}

#[test]
fn tls_13_and_12_are_spoken_and_the_newer_one_is_preferred() {
    let (gateway, _) = gateway("", "");
    for (dialer, version) in
        [(Dialer::new(), "TLSv1.3"), (Dialer::of_tls13(), "TLSv1.3"), (Dialer::of_tls12(), "TLSv1.2")]
    {
        let mut client = dialer.dial(gateway.address(), "a.example").unwrap();
        assert_eq!(client.agreed().version, version);
        assert_eq!(client.ask("GET /", &["Host: a.example"]).text(), "hello");
    }
}

#[test]
fn a_minimum_of_13_refuses_a_client_that_speaks_12_only() {
    let (gateway, _) = gateway(", minimum: 1.3", "");
    let refusal = Dialer::of_tls12().dial(gateway.address(), "a.example").unwrap_err();
    assert!(refusal.contains("ProtocolVersion"), "{refusal}");
    assert_eq!(Dialer::new().get(gateway.address(), "a.example", "/").unwrap().text(), "hello");
    eventually("it is counted", || refused(&gateway, "version") == 1);
}

#[test]
fn tls_10_and_11_are_never_spoken() {
    let (gateway, _) = gateway("", "");
    for version in [1, 2] {
        let mut hello = Dialer::of_tls12().hello("a.example");
        // The version of the hello (RFC 5246 §7.4.1.2); the extension that would overrule it is renamed.
        hello[9..11].copy_from_slice(&[3, version]);
        let extension = [0, 43, 0, 3, 2, 3, 3];
        if let Some(at) = hello.windows(extension.len()).position(|w| w == extension) {
            hello[at..at + 2].copy_from_slice(&[0xfa, 0xfa]);
        }
        let mut client = Client::of(&gateway);
        client.send(hello);
        let alert = client.rest().unwrap();
        // Fatal, protocol_version (RFC 8446 §6.2).
        assert_eq!(alert[5..], [2, 70], "{version}");
    }
}

#[test]
fn the_protocol_is_agreed_on_by_alpn() {
    let (gateway, _) = gateway("", "");
    for (offered, chosen) in [
        (&["http/1.1"][..], Some("http/1.1")),
        (&["h2"], Some("h2")),
        (&["http/1.1", "h2"], Some("h2")),
        (&[], None),
    ] {
        let client = Dialer::new().offering(offered).dial(gateway.address(), "a.example").unwrap();
        assert_eq!(client.agreed().alpn.as_deref(), chosen, "{offered:?}");
    }
    let mut client = Dialer::new().offering(&[]).dial(gateway.address(), "a.example").unwrap();
    assert_eq!(client.ask("GET /", &["Host: a.example"]).text(), "hello");
    let refusal = Dialer::new().offering(&["spdy/3"]).dial(gateway.address(), "a.example").unwrap_err();
    assert!(refusal.contains("NoApplicationProtocol"), "{refusal}");
    eventually("it is counted", || refused(&gateway, "protocol") == 1);
}

#[test]
fn a_listener_can_offer_http_1_only() {
    let (gateway, _) = gateway(", protocols: [http/1.1]", "");
    let client = Dialer::new().offering(&["h2", "http/1.1"]).dial(gateway.address(), "a.example").unwrap();
    assert_eq!(client.agreed().alpn.as_deref(), Some("http/1.1"));
}

#[test]
fn the_statement_of_the_authority_is_stapled() {
    let (gateway, leaf) = gateway("", "");
    for dialer in [Dialer::of_tls12(), Dialer::of_tls13()] {
        let client = dialer.dial(gateway.address(), "a.example").unwrap();
        assert_eq!(client.agreed().certificate.as_ref(), Some(leaf.der()));
        assert_eq!(dialer.staple(), STAPLE.as_bytes());
    }
}

#[test]
fn who_does_not_finish_the_handshake_in_time_is_closed_and_counted_and_frees_its_place() {
    let (gateway, _) =
        gateway("", "\n            timeouts: { handshake: 150ms }\n            limits: { connections: 3 }");
    let hello = Dialer::new().hello("a.example");
    let mut silent = Client::of(&gateway);
    let mut half = Client::of(&gateway);
    half.send(&hello[..hello.len() / 2]);
    let mut whole = Client::of(&gateway);
    whole.send(&hello);
    eventually("three are there", || Admin::of(&gateway).metric("menshen_connections") == 3);
    // No room for a fourth.
    assert!(Dialer::new().dial(gateway.address(), "a.example").is_err());
    for client in [&mut silent, &mut half] {
        assert!(matches!(client.rest(), Ok(rest) if rest.is_empty()));
    }
    assert!(whole.rest().is_ok() || whole.rest() == Err(Broken::Reset));
    eventually("all are gone", || Admin::of(&gateway).metric("menshen_connections") == 0);
    eventually("it is counted", || refused(&gateway, "too-slow") == 3);
    assert_eq!(Dialer::new().get(gateway.address(), "a.example", "/").unwrap().status, 200);
}

#[test]
fn a_hello_that_comes_byte_by_byte_is_a_hello() {
    let (gateway, _) = gateway("", "");
    let mut client = Client::of(&gateway);
    for byte in Dialer::new().hello("a.example") {
        client.send([byte]);
    }
    assert_eq!(client.wire().take(1).unwrap(), [22], "a handshake record comes back");
}

#[test]
fn a_hello_without_end_is_given_up() {
    let (gateway, _) = gateway("", "");
    let mut client = Client::of(&gateway);
    // A handshake message that claims 16 MiB, in records of 16 KiB.
    client.send([22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff]);
    client.send(vec![0; 64 * 1024]);
    client.expect_closed();
    eventually("it is counted", || refused(&gateway, "not-tls") + refused(&gateway, "failed") == 1);
}

#[test]
fn handshakes_are_counted() {
    let (gateway, _) = gateway("", "");
    let (admin, dialer) = (Admin::of(&gateway), Dialer::of_tls13());
    for _ in 0..3 {
        assert_eq!(dialer.get(gateway.address(), "a.example", "/").unwrap().status, 200);
    }
    assert_eq!(admin.metric("menshen_tls_handshakes_total"), 3);
    assert_eq!(admin.metric("menshen_tls_resumed_handshakes_total"), 2);
    Client::of(&gateway).send([0, 1, 2]).expect_closed();
    eventually("it is counted", || refused(&gateway, "not-tls") == 1);
    let end = admin.metric("menshen_certificate_expiry_seconds{listener=\"https\",name=\"a.example\"}");
    assert_eq!(end, 7_258_118_400, "the start of 2200");
}
