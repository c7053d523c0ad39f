//! Certificates that their authority has taken back, on both sides of the gateway.

use menshen_e2e::frames::{END, H2, Outcome, WHOLE, field, kind};
use menshen_e2e::{
    Admin, Authority, Client, Dialer, Keeper, Leaf, Origin, TestGateway, Validity, eventually, reply,
};

/// A gateway whose clients show certificates of `people`, with more about them, and these files.
fn gateway(people: &Authority, clients: &str, files: &[(&str, String)]) -> TestGateway {
    let own = Authority::new("servers").server(&["a.example"]);
    let mut all = vec![("own.pem", own.pem()), ("own.key", own.key_pem()), ("people.pem", people.pem())];
    all.extend(files.iter().cloned());
    TestGateway::start_with(&document(clients), &[], &all)
}

fn document(clients: &str) -> String {
    format!(
        "
        gateway:
          admin: 127.0.0.1:0
        listeners:
          https:
            bind: '127.0.0.1:0'
            tls:
              certificates: [{{ chain: own.pem, key: own.key }}]
              clients: {{ ca: people.pem{clients} }}
        routes: {{ all: {{ match: /**, to: {{ respond: {{ body: hello }} }} }} }}
        "
    )
}

fn list(authority: &Authority, revoked: &[&Leaf], validity: Validity) -> String {
    authority.revoking(revoked, validity).pem().unwrap()
}

fn is_in(gateway: &TestGateway, dialer: &Dialer) -> bool {
    dialer.get(gateway.address(), "a.example", "/").is_ok_and(|r| r.status == 200)
}

fn refused(gateway: &TestGateway, reason: &str) -> u64 {
    Admin::of(gateway).metric(&format!("menshen_tls_refused_handshakes_total{{reason=\"{reason}\"}}"))
}

/// Both versions of TLS, without sessions that could be continued.
fn dialers(leaf: &Leaf) -> [Dialer; 2] {
    [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]]
        .map(|versions| Dialer::speaking(versions, Some(leaf)).forgetful())
}

#[test]
fn a_client_whose_certificate_is_revoked_stays_out_and_others_come_in() {
    let people = Authority::new("people");
    let (alice, mallory) = (people.client("alice"), people.client("mallory"));
    let lists = people.revoking(&[&mallory], Validity::Long);
    let gateway = gateway(&people, ", crl: people.crl", &[("people.crl", lists.pem().unwrap())]);
    for pass in ["PEM", "DER"] {
        assert!(dialers(&alice).iter().all(|d| is_in(&gateway, d)), "{pass}");
        assert!(!dialers(&mallory).iter().any(|d| is_in(&gateway, d)), "{pass}");
        gateway.replace("people.crl", lists.der());
        gateway.reload_files().unwrap();
    }
    eventually("they are counted", || refused(&gateway, "revoked") == 4);
}

#[test]
fn of_whom_nothing_is_known_is_refused_unless_the_document_says_otherwise() {
    let (people, others) = (Authority::new("people"), Authority::new("others"));
    let files = [("others.crl", list(&others, &[], Validity::Long))];
    let alice = people.client("alice");
    let strict = gateway(&people, ", crl: [others.crl]", &files);
    assert!(!dialers(&alice).iter().any(|d| is_in(&strict, d)));
    eventually("they are counted", || refused(&strict, "revocation-unknown") == 2);
    let lenient = gateway(&people, ", crl: [others.crl], unlisted: allowed", &files);
    assert!(dialers(&alice).iter().all(|d| is_in(&lenient, d)));
}

#[test]
fn a_list_that_is_out_of_date_or_of_somebody_else_with_the_same_name_lets_nobody_in() {
    let (people, impostor) = (Authority::new("people"), Authority::new("people"));
    let alice = people.client("alice");
    for crl in [list(&people, &[], Validity::Expired), list(&impostor, &[], Validity::Long)] {
        for unlisted in ["refused", "allowed"] {
            let clients = format!(", crl: people.crl, unlisted: {unlisted}");
            let gateway = gateway(&people, &clients, &[("people.crl", crl.clone())]);
            assert!(!dialers(&alice).iter().any(|d| is_in(&gateway, d)), "{unlisted}");
            eventually("they are counted", || refused(&gateway, "revocation-unknown") == 2);
        }
    }
}

#[test]
fn who_is_revoked_later_is_out_with_sessions_and_open_connections() {
    let people = Authority::new("people");
    let (alice, mallory) = (people.client("alice"), people.client("mallory"));
    let gateway =
        gateway(&people, ", crl: people.crl", &[("people.crl", list(&people, &[], Validity::Long))]);
    let dialer = Dialer::showing(&mallory);
    let mut open = dialer.dial(gateway.address(), "a.example").unwrap();
    assert_eq!(open.ask("GET /", &["Host: a.example"]).status, 200);
    assert!(is_in(&gateway, &dialer));
    gateway.replace("people.crl", list(&people, &[&mallory], Validity::Long));
    eventually("the file is noticed without being told", || !is_in(&gateway, &dialer));
    assert_eq!(open.ask("GET /", &["Host: a.example"]).outcome(), "421 misdirected-request");
    assert!(is_in(&gateway, &Dialer::showing(&alice)));
}

#[test]
fn a_list_that_was_only_renewed_disturbs_nobody() {
    let people = Authority::new("people");
    let (alice, mallory) = (people.client("alice"), people.client("mallory"));
    let crl = |validity| list(&people, &[&mallory], validity);
    let gateway = gateway(&people, ", crl: people.crl", &[("people.crl", crl(Validity::Long))]);
    let dialer = Dialer::showing(&alice);
    let mut open = dialer.dial(gateway.address(), "a.example").unwrap();
    assert_eq!(open.ask("GET /", &["Host: a.example"]).status, 200);
    gateway.replace("people.crl", crl(Validity::Future));
    gateway.reload_files().unwrap();
    assert_eq!(open.ask("GET /", &["Host: a.example"]).status, 200);
    let mut again = dialer.dial(gateway.address(), "a.example").unwrap();
    assert!(again.agreed().resumed);
    assert_eq!(again.ask("GET /", &["Host: a.example"]).status, 200);
}

#[test]
fn a_broken_list_is_refused_and_the_one_before_holds() {
    let people = Authority::new("people");
    let mallory = people.client("mallory");
    let good = list(&people, &[&mallory], Validity::Long);
    let gateway = gateway(&people, ", crl: people.crl", &[("people.crl", good)]);
    for (text, said) in [
        (b"".to_vec(), "there is no revocation list in it"),
        (b"0\x03nonsense".to_vec(), "the revocation list cannot be read"),
        (b"-----BEGIN X509 CRL-----\n!!!\n-----END X509 CRL-----\n".to_vec(), "broken PEM"),
        (people.pem().into_bytes(), "there is no revocation list in it"),
    ] {
        gateway.replace("people.crl", text);
        let refusal = gateway.reload_files().unwrap_err();
        assert!(refusal.contains(said) && refusal.contains("clients.crl"), "{refusal}");
        assert!(!is_in(&gateway, &Dialer::showing(&mallory)), "{said}");
    }
}

#[test]
fn a_service_whose_certificate_is_revoked_gets_nothing() {
    let authority = Authority::new("services");
    let (good, bad) = (authority.server(&["127.0.0.1"]), authority.server(&["127.0.0.1"]));
    let echo = |leaf: &Leaf| Origin::answering_over_tls(&Keeper::of(leaf), |_| reply("ok"));
    let (first, second) = (echo(&good), echo(&bad));
    let document = "
        services:
          good: { endpoints: ['{origin-1}'], tls: { ca: ca.pem, crl: ca.crl } }
          bad: { endpoints: ['{origin-2}'], tls: { ca: ca.pem, crl: ca.crl } }
        routes: { good: { match: /good, to: good }, bad: { match: /bad, to: bad } }
    ";
    let files = [("ca.pem", authority.pem()), ("ca.crl", list(&authority, &[&bad], Validity::Long))];
    let gateway = TestGateway::start_with(document, &[&first, &second], &files);
    let mut client = Client::of(&gateway);
    assert_eq!(client.get("/good").text(), "ok");
    assert_eq!(client.get("/bad").outcome(), "502 service-tls-failed");
    assert_eq!(second.requests().len(), 0);
    gateway.replace("ca.crl", list(&authority, &[&good, &bad], Validity::Long));
    gateway.reload_files().unwrap();
    assert_eq!(client.get("/good").outcome(), "502 service-tls-failed", "also over connections from before");
    gateway.replace("ca.crl", list(&authority, &[], Validity::Expired));
    gateway.reload_files().unwrap();
    assert_eq!(client.get("/good").outcome(), "502 service-tls-failed", "out of date");
    gateway.replace("ca.crl", list(&authority, &[], Validity::Long));
    gateway.reload_files().unwrap();
    assert_eq!((client.get("/good").text(), client.get("/bad").text()), ("ok".into(), "ok".into()));
}

/// A GET for this host.
fn ask(h2: &mut H2, stream: u32, host: &str) -> Outcome {
    let block = [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", host)];
    let block: Vec<u8> = block.iter().flat_map(|(name, value)| field(name, value)).collect();
    h2.frame(kind::HEADERS, END | WHOLE, stream, block);
    h2.outcome(stream)
}

#[test]
fn over_http_2_a_connection_to_a_host_that_asks_for_nothing_does_not_lead_to_one_that_does() {
    let (servers, people) = (Authority::new("servers"), Authority::new("people"));
    let (open, strict) = (servers.server(&["open.example"]), servers.server(&["strict.example"]));
    let document = "
        listeners:
          https:
            bind: '127.0.0.1:0'
            tls:
              certificates:
                - { chain: open.pem, key: open.key }
                - { chain: strict.pem, key: strict.key, clients: { ca: people.pem } }
        routes: { all: { match: /**, to: { respond: { body: hello } } } }
    ";
    let files = [
        ("people.pem", people.pem()),
        ("open.pem", open.pem()),
        ("open.key", open.key_pem()),
        ("strict.pem", strict.pem()),
        ("strict.key", strict.key_pem()),
    ];
    let gateway = TestGateway::start_with(document, &[], &files);
    let dial =
        |dialer: Dialer, name| H2::over(dialer.offering(&["h2"]).dial(gateway.address(), name).unwrap());
    for host in ["strict.example", "STRICT.example", "strict.example:443"] {
        let mut h2 = dial(Dialer::new(), "open.example");
        let Outcome::Answer(421, body) = ask(&mut h2, 1, host) else { panic!("{host} was not misdirected") };
        assert!(body.contains("misdirected-request"), "{body}");
        assert!(matches!(ask(&mut h2, 3, "open.example"), Outcome::Answer(..)), "the connection goes on");
    }
    let mut alice = dial(Dialer::showing(&people.client("alice")), "strict.example");
    assert_eq!(ask(&mut alice, 1, "strict.example"), Outcome::Answer(200, "hello".to_owned()));
    let Outcome::Answer(status, body) = ask(&mut alice, 3, "open.example") else { panic!("a reset") };
    assert!(body.contains("misdirected-request"), "{status} {body}");
}
