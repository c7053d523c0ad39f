//! TLS toward services: whom is believed, what is shown, and that nothing is sent to anybody else.

use menshen_e2e::{Admin, Authority, Client, Keeper, Leaf, Origin, TestGateway, Validity, eventually, reply};

/// A gateway with a service that is believed by `ca.pem`, with these settings of its TLS.
fn gateway(authority: &Authority, tls: &str, origins: &[&Origin], files: &[(&str, String)]) -> TestGateway {
    let endpoints: Vec<String> = (1..=origins.len()).map(|i| format!("'{{origin-{i}}}'")).collect();
    let document = format!(
        "
        gateway:
          admin: 127.0.0.1:0
        services:
          safe: {{ endpoints: [{}], tls: {{ ca: ca.pem{tls} }} }}
        routes: {{ all: {{ match: /**, to: safe }} }}
        ",
        endpoints.join(", ")
    );
    let mut all = vec![("ca.pem", authority.pem())];
    all.extend(files.iter().cloned());
    TestGateway::start_with(&document, origins, &all)
}

fn echo(leaf: &Leaf) -> Origin {
    Origin::answering_over_tls(&Keeper::of(leaf), |r| reply(&format!("{} {}", r.method, r.target)))
}

fn bytes(origin: &Origin) -> usize {
    origin.bytes().iter().map(Vec::len).sum()
}

#[test]
fn a_service_is_verified_by_its_authority_and_its_connections_are_used_again() {
    let authority = Authority::new("services");
    let origin = echo(&authority.server(&["127.0.0.1"]));
    let gateway = gateway(&authority, "", &[&origin], &[]);
    let mut client = Client::of(&gateway);
    for i in 0..5 {
        // After the first answer the session tickets have come too.
        assert_eq!(client.get(&format!("/{i}")).text(), format!("GET /{i}"));
    }
    assert_eq!(origin.connections(), 1);
    origin.expect_canonical();
    assert_eq!(Admin::of(&gateway).metric("menshen_service_reuses_total{service=\"safe\"}"), 4);
}

#[test]
fn tickets_that_come_while_a_connection_idles_do_not_end_it() {
    let authority = Authority::new("services");
    let keeper = Keeper::of(&authority.server(&["127.0.0.1"]));
    let origin = Origin::over_tls(&keeper, |c| {
        while c.request().is_some() {
            c.send(reply("ok"));
            // Bytes of TLS that are no content: a new key (RFC 8446 §4.6.3).
            c.wire().refresh_keys();
        }
    });
    let gateway = gateway(&authority, "", &[&origin], &[]);
    let mut client = Client::of(&gateway);
    for _ in 0..5 {
        assert_eq!(client.get("/").text(), "ok");
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn who_cannot_prove_to_be_the_service_gets_nothing() {
    let authority = Authority::new("services");
    for (what, leaf) in [
        ("another name", authority.server(&["other.example"])),
        ("another address", authority.server(&["127.0.0.2"])),
        ("expired", authority.server_valid(&["127.0.0.1"], Validity::Expired)),
        ("not yet", authority.server_valid(&["127.0.0.1"], Validity::Future)),
        ("self-signed", Leaf::self_signed(&["127.0.0.1"])),
        ("of another authority", Authority::new("services").server(&["127.0.0.1"])),
        ("of a client", authority.client("127.0.0.1")),
    ] {
        let origin = echo(&leaf);
        let gateway = gateway(&authority, "", &[&origin], &[]);
        let mut client = Client::of(&gateway);
        assert_eq!(client.post("/", "secret").outcome(), "502 service-tls-failed", "{what}");
        eventually("the service knows", || origin.failed_handshakes().len() == origin.connections());
        assert_eq!((bytes(&origin), origin.requests().len()), (0, 0), "{what}");
    }
}

#[test]
fn a_service_that_speaks_no_tls_is_a_failure_of_tls() {
    let authority = Authority::new("services");
    let origin = Origin::scripted(|c| {
        c.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let gateway = gateway(&authority, "", &[&origin], &[]);
    assert_eq!(Client::of(&gateway).get("/").outcome(), "502 service-tls-failed");
    let sent = origin.bytes().concat();
    assert!(!sent.windows(4).any(|w| w == b"HTTP"), "nothing but a hello was sent");
}

#[test]
fn the_name_can_be_another_than_the_endpoints() {
    let authority = Authority::new("services");
    let origin = Origin::over_tls(&Keeper::of(&authority.server(&["users.internal"])), |c| {
        let asked = c.wire().agreed().and_then(|a| a.server_name);
        while c.request().is_some() {
            c.send(reply(asked.as_deref().unwrap_or("nobody")));
        }
    });
    let named = gateway(&authority, ", name: users.internal", &[&origin], &[]);
    assert_eq!(Client::of(&named).get("/").text(), "users.internal");
    let by_address = gateway(&authority, "", &[&origin], &[]);
    assert_eq!(Client::of(&by_address).get("/").outcome(), "502 service-tls-failed");
}

#[test]
fn a_certificate_is_shown_to_a_service_that_wants_one() {
    let (services, gateways) = (Authority::new("services"), Authority::new("gateways"));
    let own = gateways.client("menshen");
    let origin = Origin::over_tls(&Keeper::demanding(&services.server(&["127.0.0.1"]), &gateways), |c| {
        while c.request().is_some() {
            c.send(reply("welcome"));
        }
    });
    let files = [("own.pem", own.pem()), ("own.key", own.key_pem())];
    let known = gateway(&services, ", certificate: { chain: own.pem, key: own.key }", &[&origin], &files);
    assert_eq!(Client::of(&known).get("/").text(), "welcome");
    let unknown = gateway(&services, "", &[&origin], &[]);
    // With TLS 1.3 it says so after the handshake, when the request may be on its way.
    eventually("it is known that TLS failed", || {
        Client::of(&unknown).post("/", "secret").outcome() == "502 service-tls-failed"
    });
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn another_endpoint_is_asked_when_one_cannot_prove_itself() {
    let authority = Authority::new("services");
    let (bad, good) = (echo(&Leaf::self_signed(&["127.0.0.1"])), echo(&authority.server(&["127.0.0.1"])));
    let gateway = gateway(&authority, "", &[&bad, &good], &[]);
    for i in 0..4 {
        assert_eq!(Client::of(&gateway).get(&format!("/{i}")).text(), format!("GET /{i}"));
    }
    assert_eq!(bytes(&bad), 0);
    assert_eq!(good.requests().len(), 4);
}

#[test]
fn a_url_with_https_is_believed_by_the_authorities_of_the_system_only() {
    let origin = echo(&Authority::new("nobody knows").server(&["127.0.0.1"]));
    let gateway = TestGateway::start("routes: { all: { match: /**, to: 'https://{origin}' } }", &[&origin]);
    assert_eq!(Client::of(&gateway).get("/").outcome(), "502 service-tls-failed");
    assert_eq!(bytes(&origin), 0);
}

#[test]
fn a_service_that_changes_its_certificate_is_still_believed() {
    let authority = Authority::new("services");
    let first = echo(&authority.server(&["127.0.0.1"]));
    let gateway = gateway(&authority, "", &[&first], &[]);
    assert_eq!(Client::of(&gateway).get("/a").text(), "GET /a");
    gateway.reload_files().unwrap();
    assert_eq!(Client::of(&gateway).get("/b").text(), "GET /b");
}

#[test]
fn another_authority_after_a_reload_means_new_connections() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let origin = echo(&old.server(&["127.0.0.1"]));
    let gateway = gateway(&old, "", &[&origin], &[]);
    assert_eq!(Client::of(&gateway).get("/").status, 200);
    gateway.replace("ca.pem", new.pem());
    gateway.reload_files().unwrap();
    assert_eq!(Client::of(&gateway).get("/").outcome(), "502 service-tls-failed");
}

#[test]
fn an_intermediate_that_was_missing_is_shown_after_a_reload() {
    let (services, gateways) = (Authority::new("services"), Authority::new("gateways"));
    let below = gateways.below("below");
    let own = below.client("menshen");
    let origin = Origin::over_tls(&Keeper::demanding(&services.server(&["127.0.0.1"]), &gateways), |c| {
        while c.request().is_some() {
            c.send(reply("welcome"));
        }
    });
    let files = [("own.pem", own.pem()), ("own.key", own.key_pem())];
    let gateway = gateway(&services, ", certificate: { chain: own.pem, key: own.key }", &[&origin], &files);
    assert!(Client::of(&gateway).get("/").outcome().starts_with("502 "));
    gateway.replace("own.pem", own.pem() + &below.pem());
    gateway.reload_files().unwrap();
    assert_eq!(Client::of(&gateway).get("/").text(), "welcome");
}

#[test]
fn an_instance_without_a_name_to_verify_is_left_out() {
    let authority = Authority::new("services");
    let origin = Origin::answering(|_| reply("in plain text"));
    let document = "
        services: { safe: { discover: 'file:safe.json', tls: { ca: ca.pem } } }
        routes: { all: { match: /**, to: safe } }
    ";
    let list = r#"["unix:app.sock"]"#.to_owned();
    let files = [("ca.pem", authority.pem()), ("safe.json", list)];
    let gateway = TestGateway::start_with(document, &[], &files);
    assert_eq!(Client::of(&gateway).get("/").outcome(), "503 no-endpoint");
    assert_eq!(origin.connections(), 0);
}

#[test]
fn endpoints_are_followed_also_while_the_file_with_their_authority_is_away() {
    let authority = Authority::new("services");
    let leaf = authority.server(&["127.0.0.1"]);
    let (first, second) = (echo(&leaf), echo(&leaf));
    let document = "
        services: { safe: { discover: 'file:safe.json', tls: { ca: ca.pem } } }
        routes: { all: { match: /**, to: safe } }
    ";
    let list = |origin: &Origin| format!(r#"["{}"]"#, origin.address());
    let files = [("ca.pem", authority.pem()), ("safe.json", list(&first))];
    let gateway = TestGateway::start_with(document, &[], &files);
    eventually("the first one answers", || Client::of(&gateway).get("/").status == 200);
    std::fs::remove_file(gateway.file("ca.pem")).unwrap();
    gateway.replace("safe.json", list(&second));
    eventually("the second one answers", || {
        Client::of(&gateway).get("/").status == 200 && !second.requests().is_empty()
    });
}
