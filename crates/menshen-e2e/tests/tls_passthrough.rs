//! TLS that ends at a service: the gateway reads the name in the hello and nothing else.

use menshen_e2e::{
    Admin, Authority, Client, Dialer, Gate, Keeper, Leaf, Origin, TestGateway, eventually, reply,
};

const DOCUMENT: &str = "
    gateway:
      admin: 127.0.0.1:0
      access-log: '{log}'
    listeners:
      https:
        bind: '127.0.0.1:0'
        tls:
          strangers: refused
          certificates: [{ chain: a.pem, key: a.key }]
          passthrough: { db.example.com: database, '*.shop.example': database }
    services:
      database: { endpoints: [ENDPOINTS], timeouts: { tunnel: 300ms } }
    routes: { all: { match: /**, to: { respond: { body: gateway } } } }
";

fn gateway(origins: &[&Origin]) -> (TestGateway, Leaf) {
    let leaf = Authority::new("gateway").server(&["*.example.com"]);
    let endpoints: Vec<String> = (1..=origins.len()).map(|i| format!("'{{origin-{i}}}'")).collect();
    let document = DOCUMENT.replace("ENDPOINTS", &endpoints.join(", "));
    let files = [("a.pem", leaf.pem()), ("a.key", leaf.key_pem())];
    (TestGateway::start_with(&document, origins, &files), leaf)
}

fn database(leaf: &Leaf) -> Origin {
    Origin::answering_over_tls(&Keeper::of(leaf), |r| reply(&format!("database {}", r.target)))
}

#[test]
fn a_name_is_carried_to_its_service_whose_own_certificate_the_client_sees() {
    let leaf = Authority::new("database").server(&["db.example.com"]);
    let origin = database(&leaf);
    let (gateway, own) = gateway(&[&origin]);
    for dialer in [Dialer::of_tls12(), Dialer::of_tls13()] {
        for name in ["db.example.com", "DB.Example.com", "one.shop.example"] {
            let mut client = dialer.dial(gateway.address(), name).unwrap();
            assert_eq!(client.agreed().certificate.as_ref(), Some(leaf.der()), "{name}");
            for i in 0..3 {
                assert_eq!(client.get(&format!("/{i}")).text(), format!("database /{i}"));
            }
        }
    }
    let client = Dialer::new().dial(gateway.address(), "web.example.com").unwrap();
    assert_eq!(client.agreed().certificate.as_ref(), Some(own.der()));
    assert!(Dialer::new().dial(gateway.address(), "a.b.shop.example").is_err());
}

#[test]
fn a_request_for_that_name_over_another_connection_is_misdirected() {
    let origin = database(&Leaf::self_signed(&["db.example.com"]));
    let (gateway, _) = gateway(&[&origin]);
    let mut client = Dialer::new().dial(gateway.address(), "web.example.com").unwrap();
    assert_eq!(client.ask("GET /", &["Host: db.example.com"]).outcome(), "421 misdirected-request");
    assert_eq!(origin.connections(), 0);
}

#[test]
fn content_of_any_size_passes_and_both_sides_can_end_it() {
    let origin = Origin::over_tls(&Keeper::of(&Leaf::self_signed(&["db.example.com"])), |c| {
        let sent = c.wire().take(4 * 1024 * 1024).unwrap_or_default();
        c.send(sent);
        c.wire().half_close();
    });
    let (gateway, _) = gateway(&[&origin]);
    let mut client = Dialer::new().dial(gateway.address(), "db.example.com").unwrap();
    let sent: Vec<u8> = (0..4 * 1024 * 1024u32).map(|i| (i / 7) as u8).collect();
    client.send(&sent);
    assert!(client.wire().take(sent.len()).unwrap() == sent);
    assert_eq!(client.rest(), Ok(Vec::new()));
    drop(client);
    eventually("it is over", || Admin::of(&gateway).metric("menshen_connections") == 0);
}

#[test]
fn a_connection_on_which_nothing_moves_is_closed() {
    let origin =
        Origin::over_tls(&Keeper::of(&Leaf::self_signed(&["db.example.com"])), |c| c.wait_for_close());
    let (gateway, _) = gateway(&[&origin]);
    let mut client = Dialer::new().dial(gateway.address(), "db.example.com").unwrap();
    client.expect_closed();
    eventually("the service is told", || origin.open_connections() == 0);
}

#[test]
fn endpoints_take_turns_and_one_that_is_away_is_passed_over() {
    let leaf = Leaf::self_signed(&["db.example.com"]);
    let (one, two, away) = (database(&leaf), database(&leaf), Origin::refusing());
    let (gateway, _) = gateway(&[&one, &away, &two]);
    for _ in 0..6 {
        let mut client = Dialer::new().dial(gateway.address(), "db.example.com").unwrap();
        assert_eq!(client.get("/").text(), "database /");
    }
    assert!(one.connections() >= 2 && two.connections() >= 2);
    let failures = Admin::of(&gateway).metric("menshen_service_failures_total{service=\"database\"}");
    assert_eq!(failures, 2);
}

#[test]
fn when_no_endpoint_is_there_the_connection_is_closed_and_counted() {
    let (gateway, _) = gateway(&[&Origin::refusing()]);
    assert!(Dialer::new().dial(gateway.address(), "db.example.com").is_err());
    let series = "menshen_tls_refused_handshakes_total{reason=\"no-service\"}";
    eventually("it is counted", || Admin::of(&gateway).metric(series) == 1);
    let mut log = String::new();
    eventually("there is a line", || {
        log = std::fs::read_to_string(gateway.log()).unwrap_or_default();
        log.ends_with('\n')
    });
    assert!(log.contains("\"code\":\"connect-failed\""), "{log}");
}

#[test]
fn a_connection_is_counted_and_logged() {
    let origin = database(&Leaf::self_signed(&["db.example.com"]));
    let (gateway, _) = gateway(&[&origin]);
    let admin = Admin::of(&gateway);
    let mut client = Dialer::new().dial(gateway.address(), "db.example.com").unwrap();
    assert_eq!(client.get("/").text(), "database /");
    assert_eq!(admin.metric("menshen_service_active{service=\"database\"}"), 1);
    drop(client);
    eventually("it has ended", || admin.metric("menshen_tls_passed_on_connections_total") == 1);
    assert_eq!(admin.metric("menshen_service_active{service=\"database\"}"), 0);
    assert_eq!(admin.metric("menshen_tls_handshakes_total"), 0);
    let mut log = String::new();
    eventually("there is a line", || {
        log = std::fs::read_to_string(gateway.log()).unwrap_or_default();
        log.ends_with('\n')
    });
    let line: serde_json::Value = serde_json::from_str(&log).unwrap();
    assert_eq!((&line["server-name"], &line["service"]), (&"db.example.com".into(), &"database".into()));
    assert_eq!(line["endpoint"], origin.address().to_string());
    assert!(line["received"].as_u64().unwrap() > 300 && line["sent"].as_u64().unwrap() > 300, "{line}");
}

#[test]
fn a_reload_leaves_open_connections_alone() {
    let done = Gate::new();
    let origin = Origin::over_tls(&Keeper::of(&Leaf::self_signed(&["db.example.com"])), {
        let done = done.clone();
        move |c| {
            c.request();
            done.pass();
            c.send(reply("late"));
        }
    });
    let (gateway, own) = gateway(&[&origin]);
    let mut client = Dialer::new().dial(gateway.address(), "db.example.com").unwrap();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let without = DOCUMENT.replace("ENDPOINTS", "'127.0.0.1:1'").replace("db.example.com", "other.example");
    gateway.reload(&without).unwrap();
    done.open();
    assert_eq!(client.response().text(), "late");
    let other = Dialer::new().dial(gateway.address(), "db.example.com").unwrap();
    assert_eq!(other.agreed().certificate.as_ref(), Some(own.der()));
}

#[test]
fn what_the_hello_says_reaches_the_service_byte_for_byte() {
    let origin = Origin::scripted(|c| {
        let _ = c.wire().take(5);
        c.wait_for_close();
    });
    let (gateway, _) = gateway(&[&origin]);
    let hello = Dialer::new().hello("db.example.com");
    let mut client = Client::of(&gateway);
    client.send(&hello[..20]);
    client.send(&hello[20..]);
    client.send("and more");
    let expected = [&hello[..], b"and more"].concat();
    eventually("all is there", || origin.bytes().concat() == expected);
}

#[test]
fn a_service_that_wants_to_know_is_told_who_the_client_is_before_the_hello() {
    let origin = Origin::scripted(|c| c.wait_for_close());
    let document = DOCUMENT.replace("[ENDPOINTS]", "['{origin}'], proxy-protocol: v1");
    let leaf = Leaf::self_signed(&["a.example"]);
    let files = [("a.pem", leaf.pem()), ("a.key", leaf.key_pem())];
    let gateway = TestGateway::start_with(&document, &[&origin], &files);
    let hello = Dialer::new().hello("db.example.com");
    let mut client = Client::of(&gateway);
    client.send(&hello);
    eventually("all is there", || origin.bytes().concat().ends_with(&hello));
    let told = origin.bytes().concat();
    let line = String::from_utf8_lossy(&told[..told.len() - hello.len()]).into_owned();
    assert!(line.starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 ") && line.ends_with("\r\n"), "{line}");
    assert!(line.contains(&format!(" {}\r\n", gateway.address().port())), "{line}");
}

/// The same hello in records of so many bytes (RFC 8446 §5.1).
fn in_records(hello: &[u8], length: usize) -> Vec<u8> {
    let (header, message) = hello.split_at(5);
    let record = |part: &[u8]| [&header[..3], &(part.len() as u16).to_be_bytes(), part].concat();
    message.chunks(length).flat_map(record).collect()
}

#[test]
fn a_hello_may_come_in_many_records_and_segments() {
    let origin = Origin::scripted(|c| c.wait_for_close());
    let (gateway, _) = gateway(&[&origin]);
    let mut sent = Vec::new();
    for (hello, length, segment) in [
        (Dialer::new().hello("db.example.com"), 100, 7),
        (Dialer::of_tls12().hello("one.shop.example"), 1, 64),
        (Dialer::greasing().hello("db.example.com"), 600, 500),
    ] {
        let bytes = in_records(&hello, length);
        let mut client = Client::of(&gateway);
        for part in bytes.chunks(segment) {
            client.send(part);
        }
        eventually("all is there", || origin.bytes().last().is_some_and(|b| *b == bytes));
        sent.push(hello.len());
    }
    // With a post-quantum key in it a hello does not fit into one segment of the internet.
    assert!(sent[0] > 1_400 && sent[2] > sent[0], "{sent:?}");
    // Where TLS ends here it is understood too.
    let hello = Dialer::new().hello("web.example.com");
    let mut client = Client::of(&gateway);
    for part in in_records(&hello, 100).chunks(7) {
        client.send(part);
    }
    assert_eq!(client.wire().take(1), Ok(vec![22]), "a handshake record, no alert");
}

#[test]
fn a_client_that_pretends_to_hide_the_name_is_led_by_the_name_that_is_seen() {
    let leaf = Authority::new("database").server(&["db.example.com"]);
    let origin = database(&leaf);
    let (gateway, own) = gateway(&[&origin]);
    let mut client = Dialer::greasing().dial(gateway.address(), "db.example.com").unwrap();
    assert_eq!(client.get("/").text(), "database /");
    let client = Dialer::greasing().dial(gateway.address(), "web.example.com").unwrap();
    assert_eq!(client.agreed().certificate.as_ref(), Some(own.der()));
}

#[test]
fn without_a_name_nothing_is_passed_through() {
    let origin = database(&Leaf::self_signed(&["db.example.com"]));
    let (gateway, _) = gateway(&[&origin]);
    assert!(Dialer::new().dial_unnamed(gateway.address()).is_err());
    assert_eq!(origin.connections(), 0);
    let unknown = r#"menshen_tls_refused_handshakes_total{reason="unknown-name"}"#;
    eventually("it is counted", || Admin::of(&gateway).metric(unknown) == 1);
}

#[test]
fn a_service_behind_another_proxy_is_told_the_client_that_the_first_one_has_named() {
    let origin = Origin::scripted(|c| c.wait_for_close());
    let document = DOCUMENT
        .replace("[ENDPOINTS]", "['{origin}'], proxy-protocol: v2")
        .replace("bind: '127.0.0.1:0'", "bind: '127.0.0.1:0'\n        proxy-protocol-from: [127.0.0.1]");
    let leaf = Leaf::self_signed(&["a.example"]);
    let files = [("a.pem", leaf.pem()), ("a.key", leaf.key_pem())];
    let gateway = TestGateway::start_with(&document, &[&origin], &files);
    let hello = Dialer::new().hello("db.example.com");
    let mut client = Client::of(&gateway);
    client.send("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n").send(&hello);
    eventually("all is there", || origin.bytes().concat().ends_with(&hello));
    let told = origin.bytes().concat();
    let expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\x00\x02\x07";
    assert_eq!(told.len(), 28 + hello.len());
    assert_eq!(&told[..20], expected);
    assert_eq!(told[24..26], 4711u16.to_be_bytes());
}
