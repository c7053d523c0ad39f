//! Which certificate a client gets: by the name that it asks for (RFC 6066 §3).

use menshen_e2e::{Authority, Broken, Client, Dialer, Leaf, TestGateway};

/// Two hosts with certificates of their own.
struct House {
    web: Leaf,
    wild: Leaf,
    gateway: TestGateway,
}

fn house(more: &str) -> House {
    let authority = Authority::new("test");
    let web = authority.server(&["web.example.com", "www.example.com", "127.0.0.1"]);
    let wild = authority.server(&["*.example.com"]);
    let document = "
        listeners:
          https:
            bind: '127.0.0.1:0'
            tls:
              certificates: [{ chain: web.pem, key: web.key }, { chain: wild.pem, key: wild.key }]
    ";
    let document = format!(
        "{document}{more}\n        routes: {{ all: {{ match: /**, to: {{ respond: {{ body: hello }} }} }} }}\n"
    );
    let gateway = TestGateway::start_with(&document, &[], &files(&[("web", &web), ("wild", &wild)]));
    House { web, wild, gateway }
}

fn files<'a>(leaves: &[(&'a str, &Leaf)]) -> Vec<(&'a str, String)> {
    let names = |name: &str| -> (&'static str, &'static str) {
        match name {
            "web" => ("web.pem", "web.key"),
            _ => ("wild.pem", "wild.key"),
        }
    };
    leaves
        .iter()
        .flat_map(|(name, leaf)| {
            let (chain, key) = names(name);
            [(chain, leaf.pem()), (key, leaf.key_pem())]
        })
        .collect()
}

/// The first bytes of the server's answer to a hello of TLS 1.2, in which certificates can be read. `{name}` has the length
/// of the one that it takes the place of.
fn answer_to(house: &House, asked: &str, instead: &str) -> Vec<u8> {
    assert_eq!(asked.len(), instead.len());
    let mut hello = Dialer::of_tls12().hello(asked);
    let at = hello.windows(asked.len()).position(|w| w == asked.as_bytes()).unwrap();
    hello[at..at + asked.len()].copy_from_slice(instead.as_bytes());
    let mut client = Client::of(&house.gateway);
    client.send(hello);
    let mut answer = Vec::new();
    // The flight ends with ServerHelloDone (RFC 5246 §7.4.5).
    while !answer.ends_with(&[14, 0, 0, 0]) {
        match client.wire().take(1) {
            Ok(byte) => answer.extend(byte),
            Err(_) => break,
        }
    }
    answer
}

fn shows(answer: &[u8], leaf: &Leaf) -> bool {
    let der: &[u8] = leaf.der();
    let start = &der[..der.len().min(200)];
    answer.windows(start.len()).any(|w| w == start)
}

#[test]
fn a_client_gets_the_certificate_of_the_name_it_asks_for() {
    let house = house("");
    for (name, leaf) in [
        ("web.example.com", &house.web),
        ("www.example.com", &house.web),
        ("WEB.EXAMPLE.COM", &house.web),
        ("api.example.com", &house.wild),
        ("Api.Example.Com", &house.wild),
        ("a.b.example.com", &house.web),
        ("example.com", &house.web),
        ("stranger.example.org", &house.web),
    ] {
        let client = Dialer::new().forgetful().dial(house.gateway.address(), name).unwrap();
        assert_eq!(client.agreed().certificate.as_ref(), Some(leaf.der()), "{name}");
    }
}

#[test]
fn case_on_the_wire_does_not_matter() {
    let house = house("");
    for (asked, instead, leaf) in [
        ("web.example.com", "WEB.eXample.com", &house.web),
        ("api.example.com", "API.EXAMPLE.COM", &house.wild),
    ] {
        assert!(shows(&answer_to(&house, asked, instead), leaf), "{instead}");
    }
}

#[test]
fn a_dot_at_the_end_of_the_name_is_no_way_to_another_certificate() {
    let house = house("\n              strangers: refused");
    let answer = answer_to(&house, "api.example.comx", "api.example.com.");
    assert!(shows(&answer, &house.wild) || answer.starts_with(&[21]), "{answer:?}");
}

#[test]
fn who_names_nobody_or_comes_by_address_gets_the_first_certificate() {
    let house = house("");
    let mut client = Dialer::new().dial_unnamed(house.gateway.address()).unwrap();
    assert_eq!(client.agreed().certificate.as_ref(), Some(house.web.der()));
    for host in ["127.0.0.1", "127.0.0.1:8443", "web.example.com", "unknown.example.org"] {
        let response = client.ask("GET /", &[&format!("Host: {host}")]);
        assert_eq!(response.status, 200, "{host}");
    }
    assert_eq!(client.ask("GET /", &["Host: api.example.com"]).outcome(), "421 misdirected-request");
}

#[test]
fn strangers_can_be_refused() {
    let house = house("\n              strangers: refused");
    let address = house.gateway.address();
    for name in ["stranger.example.org", "example.com", "a.b.example.com"] {
        let refusal = Dialer::new().dial(address, name).unwrap_err();
        assert!(refusal.contains("UnrecognisedName"), "{name}: {refusal}");
    }
    let refusal = Dialer::new().dial_unnamed(address).unwrap_err();
    assert!(refusal.contains("UnrecognisedName"), "{refusal}");
    assert_eq!(Dialer::new().get(address, "api.example.com", "/").unwrap().text(), "hello");
}

#[test]
fn a_listener_can_have_a_thousand_certificates() {
    let authority = Authority::new("test");
    let leaf = authority.server(&["unused.example.com"]);
    let certificates: String = (0..1000)
        .map(|i| format!("                - {{ chain: a.pem, key: a.key, names: [h{i}.example.com] }}\n"))
        .collect();
    let document = format!(
        "
        listeners:
          https:
            bind: '127.0.0.1:0'
            tls:
              strangers: refused
              certificates:
{certificates}
        routes: {{ all: {{ match: /**, to: {{ respond: {{ body: hello }} }} }} }}
        "
    );
    let files = [("a.pem", leaf.pem()), ("a.key", leaf.key_pem())];
    let gateway = TestGateway::start_with(&document, &[], &files);
    for name in ["h0.example.com", "h500.example.com", "h999.example.com"] {
        assert_eq!(Dialer::new().get(gateway.address(), name, "/").unwrap().status, 200, "{name}");
    }
    assert!(Dialer::new().dial(gateway.address(), "h1000.example.com").is_err());
}

#[test]
fn a_request_for_a_host_of_another_certificate_is_misdirected() {
    let house = house("");
    let mut client = Dialer::new().dial(house.gateway.address(), "web.example.com").unwrap();
    for host in ["api.example.com", "stranger.example.org", "API.example.com.", "example.com"] {
        let response = client.ask("GET /", &[&format!("Host: {host}")]);
        assert_eq!(response.outcome(), "421 misdirected-request", "{host}");
    }
    for host in
        ["web.example.com", "www.example.com", "WEB.Example.com", "www.example.com.", "web.example.com:443"]
    {
        assert_eq!(client.ask("GET /", &[&format!("Host: {host}")]).status, 200, "{host}");
    }
}

#[test]
fn a_wildcard_speaks_for_its_names_but_not_for_the_name_that_has_its_own_certificate() {
    let house = house("");
    let mut client = Dialer::new().dial(house.gateway.address(), "api.example.com").unwrap();
    assert_eq!(client.ask("GET /", &["Host: other.example.com"]).status, 200);
}

#[test]
fn plain_http_on_a_tls_port_is_told_so() {
    let house = house("");
    let mut client = Client::of(&house.gateway);
    let response = client.get("/");
    assert_eq!(response.outcome(), "400 https-expected");
    assert_eq!(client.rest(), Ok(Vec::new()));
}

#[test]
fn what_is_no_tls_is_closed_without_an_answer() {
    let house = house("");
    for bytes in [&b"\x00\x01\x02\x03"[..], &[0xff; 600], b"\x80\x2e\x01\x00\x02"] {
        let mut client = Client::of(&house.gateway);
        client.send(bytes);
        assert!(matches!(client.rest(), Ok(rest) if rest.is_empty()), "{bytes:?}");
    }
    let mut client = Client::of(&house.gateway);
    client.send([22, 3, 1, 0, 4, 1, 0, 0, 0]);
    let answer = client.rest();
    assert!(
        matches!(&answer, Ok(alert) if alert.first() == Some(&21)) || answer == Err(Broken::Reset),
        "{answer:?}"
    );
}
