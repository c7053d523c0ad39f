//! Certificates of clients, and what a connection made under one policy is worth under another (dangers 22).

use menshen_e2e::{Admin, Authority, Dialer, Leaf, TestGateway, Validity, eventually};

struct House {
    people: Authority,
    gateway: TestGateway,
}

/// `open` asks for nothing, `strict` requires a certificate, `polite` takes one; `twin` is as strict as `strict`, with a
/// certificate of its own; `sibling` has the same certificate as `strict`.
fn house() -> House {
    let (servers, people, others) =
        (Authority::new("servers"), Authority::new("people"), Authority::new("others"));
    let open = servers.server(&["open.example"]);
    let strict = servers.server(&["strict.example", "sibling.example"]);
    let polite = servers.server(&["polite.example"]);
    let twin = servers.server(&["twin.example"]);
    let foreign = servers.server(&["foreign.example"]);
    let document = "
        gateway:
          admin: 127.0.0.1:0
        listeners:
          https:
            bind: '127.0.0.1:0'
            tls:
              certificates:
                - { chain: open.pem, key: open.key }
                - { chain: strict.pem, key: strict.key, clients: { ca: people.pem } }
                - { chain: polite.pem, key: polite.key, clients: { ca: people.pem, need: optional } }
                - { chain: twin.pem, key: twin.key, clients: { ca: people.pem } }
                - { chain: foreign.pem, key: foreign.key, clients: { ca: others.pem } }
            filters:
              - headers:
                  response:
                    set: { x-subject: '{tls.client.subject}', x-version: '{tls.version}', x-asked: '{tls.server-name}' }
        routes: { all: { match: /**, to: { respond: { body: hello } } } }
    ";
    let mut files = vec![("people.pem", people.pem()), ("others.pem", others.pem())];
    let mut add = |chain, key, leaf: &Leaf| files.extend([(chain, leaf.pem()), (key, leaf.key_pem())]);
    add("open.pem", "open.key", &open);
    add("strict.pem", "strict.key", &strict);
    add("polite.pem", "polite.key", &polite);
    add("twin.pem", "twin.key", &twin);
    add("foreign.pem", "foreign.key", &foreign);
    let gateway = TestGateway::start_with(document, &[], &files);
    House { people, gateway }
}

impl House {
    fn ask(&self, dialer: &Dialer, host: &str) -> Result<u16, String> {
        dialer.get(self.gateway.address(), host, "/").map(|r| r.status)
    }

    fn refused(&self, reason: &str) -> u64 {
        Admin::of(&self.gateway)
            .metric(&format!("menshen_tls_refused_handshakes_total{{reason=\"{reason}\"}}"))
    }
}

#[test]
fn a_good_certificate_opens_what_requires_one() {
    let house = house();
    let alice = Dialer::showing(&house.people.client("alice"));
    let response = alice.get(house.gateway.address(), "strict.example", "/").unwrap();
    assert_eq!((response.status, response.fields.get("x-subject")), (200, Some("CN=alice")));
    assert_eq!(response.fields.get("x-version"), Some("TLSv1.3"));
    assert_eq!(response.fields.get("x-asked"), Some("strict.example"));
}

#[test]
fn without_a_certificate_what_requires_one_stays_shut() {
    let house = house();
    for dialer in [Dialer::of_tls12(), Dialer::of_tls13()] {
        let refusal = house.ask(&dialer, "strict.example").unwrap_err();
        assert!(refusal.contains("CertificateRequired") || refusal.contains("HandshakeFailure"), "{refusal}");
    }
    eventually("they are counted", || house.refused("client-certificate") == 2);
}

#[test]
fn where_a_certificate_is_optional_none_is_fine_but_a_bad_one_is_not() {
    let house = house();
    let response = Dialer::new().get(house.gateway.address(), "polite.example", "/").unwrap();
    assert_eq!((response.status, response.fields.get("x-subject")), (200, None));
    let alice = Dialer::showing(&house.people.client("alice"));
    let response = alice.get(house.gateway.address(), "polite.example", "/").unwrap();
    assert_eq!(response.fields.get("x-subject"), Some("CN=alice"));
    for bad in bad_certificates(&house.people) {
        assert!(house.ask(&Dialer::showing(&bad), "polite.example").is_err());
    }
}

fn bad_certificates(people: &Authority) -> [Leaf; 5] {
    [
        people.client_valid("alice", Validity::Expired),
        people.client_valid("alice", Validity::Future),
        Authority::new("people").client("alice"),
        Leaf::self_signed(&["alice"]),
        people.server_as_client("alice"),
    ]
}

#[test]
fn expired_foreign_self_signed_and_server_certificates_are_refused() {
    let house = house();
    for (i, bad) in bad_certificates(&house.people).iter().enumerate() {
        for dialer in [
            Dialer::speaking(&[&rustls::version::TLS12], Some(bad)),
            Dialer::speaking(&[&rustls::version::TLS13], Some(bad)),
        ] {
            let outcome = house.ask(&dialer, "strict.example");
            assert!(outcome.is_err(), "{i}: {outcome:?}");
        }
    }
    eventually("they are counted", || house.refused("client-certificate") == 10);
}

#[test]
fn a_host_that_requires_a_certificate_is_not_reached_over_a_connection_to_one_that_does_not() {
    let house = house();
    for (asked, host) in [
        ("open.example", "strict.example"),
        ("open.example", "STRICT.example"),
        ("open.example", "strict.example."),
        ("open.example", "strict.example:443"),
        ("polite.example", "strict.example"),
        ("stranger.example", "strict.example"),
        ("strict.example.evil.example", "strict.example"),
    ] {
        let mut client = Dialer::new().dial(house.gateway.address(), asked).unwrap();
        let response = client.ask("GET /", &[&format!("Host: {host}")]);
        assert_eq!(response.outcome(), "421 misdirected-request", "{asked} {host}");
    }
    let mut client = Dialer::new().dial_unnamed(house.gateway.address()).unwrap();
    assert_eq!(client.ask("GET /", &["Host: strict.example"]).outcome(), "421 misdirected-request");
    let mut client = Dialer::new().dial(house.gateway.address(), "open.example").unwrap();
    let response =
        client.send("GET http://strict.example/ HTTP/1.1\r\nHost: strict.example\r\n\r\n").response();
    assert_eq!(response.outcome(), "421 misdirected-request", "absolute form");
}

#[test]
fn a_certificate_shown_to_one_host_is_not_worth_anything_at_another_authoritys() {
    let house = house();
    let alice = Dialer::showing(&house.people.client("alice"));
    let mut client = alice.dial(house.gateway.address(), "strict.example").unwrap();
    assert_eq!(client.ask("GET /", &["Host: strict.example"]).status, 200);
    assert_eq!(client.ask("GET /", &["Host: sibling.example"]).status, 200, "the same certificate");
    for host in ["foreign.example", "open.example", "twin.example"] {
        assert_eq!(
            client.ask("GET /", &[&format!("Host: {host}")]).outcome(),
            "421 misdirected-request",
            "{host}"
        );
    }
}

#[test]
fn a_session_of_one_host_is_not_continued_on_another_with_another_policy() {
    let house = house();
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        let dialer = Dialer::speaking(versions, None).confusing_hosts();
        assert_eq!(house.ask(&dialer, "open.example"), Ok(200));
        let again = dialer.dial(house.gateway.address(), "open.example").unwrap();
        assert!(again.agreed().resumed, "tickets are worth something at home");
        // The ticket of `open.example` is shown where a certificate is required.
        let outcome = house.ask(&dialer, "strict.example");
        assert!(outcome.is_err(), "{outcome:?}");
    }
}

#[test]
fn a_continued_session_still_knows_who_the_client_is() {
    let house = house();
    let leaf = house.people.client("alice");
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        let alice = Dialer::speaking(versions, Some(&leaf));
        assert_eq!(house.ask(&alice, "strict.example"), Ok(200));
        let mut client = alice.dial(house.gateway.address(), "strict.example").unwrap();
        assert!(client.agreed().resumed);
        let response = client.ask("GET /", &["Host: strict.example"]);
        assert_eq!(response.fields.get("x-subject"), Some("CN=alice"));
    }
}

#[test]
fn a_session_does_not_outlive_the_certificate_that_it_began_with() {
    let house = house();
    let since = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let end = since() + 4;
    let leaf = house.people.client_until("alice", end);
    let versions: [&[&rustls::SupportedProtocolVersion]; 2] =
        [&[&rustls::version::TLS12], &[&rustls::version::TLS13]];
    let dialers = versions.map(|v| Dialer::speaking(v, Some(&leaf)));
    let resumed = || Admin::of(&house.gateway).metric("menshen_tls_resumed_handshakes_total");
    for (number, dialer) in (1..).zip(&dialers) {
        for _ in 0..2 {
            assert_eq!(house.ask(dialer, "strict.example"), Ok(200));
        }
        assert_eq!(resumed(), number, "the second time the first session was continued");
    }
    eventually("the certificate has ended", || since() > end + 1);
    for dialer in &dialers {
        assert!(house.ask(dialer, "strict.example").is_err());
    }
    assert_eq!(resumed(), 2);
    assert_eq!(house.refused("client-certificate"), 2);
}
