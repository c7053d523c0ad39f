//! Filters that look at requests: sizes, times, addresses, fields, queries, ids, faults.

use std::time::{Duration, Instant};

use menshen_e2e::{Client, Conversation, Origin, TestGateway, reply_with};

/// A gateway that believes this machine about clients, with these filters on its only route.
fn with(filters: &str, origin: &Origin) -> TestGateway {
    let head = "gateway:\n  trusted-proxies: [127.0.0.1]\n  access-log: off\n";
    let document = format!(
        "{head}routes: {{ r: {{ match: '/{{id}}/**', to: 'http://{{origin}}', filters: [ {filters} ] }} }}"
    );
    TestGateway::start(&document, &[origin])
}

#[test]
fn content_is_limited_whether_its_length_is_announced_or_not() {
    let origin = Origin::echo();
    let gateway = with("body-limit: 5B", &origin);
    let chunked = |size: usize| {
        let content = "x".repeat(size);
        format!(
            "POST /a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n{content}\r\n0\r\n\r\n"
        )
    };
    assert_eq!(Client::of(&gateway).post("/a/", "12345").status, 200);
    assert_eq!(Client::of(&gateway).send(chunked(5)).response().status, 200);
    assert_eq!(Client::of(&gateway).post("/a/", "123456").outcome(), "413 body-too-large");
    assert_eq!(Client::of(&gateway).send(chunked(6)).response().outcome(), "413 body-too-large");
    assert_eq!(origin.whole_requests(), 2);
}

#[test]
fn a_timeout_ends_the_wait_for_a_service() {
    let origin = Origin::scripted(|c: &mut Conversation| {
        if c.request().is_some() {
            c.wait_for_close();
        }
    });
    for (timeout, code) in [("30ms", "total-timeout"), ("{ first-byte: 30ms }", "first-byte-timeout")] {
        let gateway = with(&format!("timeout: {timeout}"), &origin);
        let start = Instant::now();
        assert_eq!(Client::of(&gateway).get("/a").outcome(), format!("504 {code}"));
        assert!((30..5_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    }
}

#[test]
fn addresses_are_allowed_and_denied() {
    let origin = Origin::echo();
    let gateway = with("ip-allow: [10.0.0.0/8, '2001:db8::/32'], ip-deny: 10.9.0.0/16", &origin);
    let mut client = Client::of(&gateway);
    for (address, status) in [
        ("10.1.2.3", 200),
        ("10.9.2.3", 403),
        ("11.1.2.3", 403),
        ("2001:db8::1", 200),
        ("::ffff:10.9.0.1", 403),
    ] {
        let response = client.ask("GET /a", &[&format!("X-Forwarded-For: {address}")]);
        assert_eq!(response.status, status, "{address}");
    }
    assert_eq!(client.get("/a").outcome(), "403 denied");
}

#[test]
fn fields_are_removed_renamed_set_added_and_told_once() {
    let origin = Origin::answering(|_| {
        reply_with(
            "200 OK",
            "Server: x\r\nX-Old: 1\r\nX-Old: 2\r\nX-There: service\r\nVary: a, b\r\nVary: A\r\n",
            "",
        )
    });
    let gateway = with(
        "headers: { request: { remove: [cookie, 'x-drop'], rename: { x-old: x-new }, set: { x-id: '{id}', x-agent: '{header:user-agent}' }, set-if-absent: { x-there: gateway }, add: { x-more: [a, b] } }, \
         response: { remove: server, rename: { x-old: x-new }, set: { x-method: '{method}' }, set-if-absent: { x-there: gateway, x-not: gateway }, dedupe: vary } }",
        &origin,
    );
    let fields =
        ["Cookie: a=b", "X-Drop: 1", "x-drop: 2", "X-OLD: 1", "X-There: client", "X-Id: forged", "X-More: 0"];
    let response = Client::of(&gateway).ask("GET /7/x", &fields);
    let request = origin.only_request();
    for (name, values) in [
        ("cookie", vec![]),
        ("x-drop", vec![]),
        ("x-old", vec![]),
        ("x-new", vec!["1"]),
        ("x-id", vec!["7"]),
        ("x-agent", vec![]),
        ("x-there", vec!["client"]),
        ("x-more", vec!["0", "a", "b"]),
    ] {
        assert_eq!(request.fields.all(name), values, "request {name}");
    }
    for (name, values) in [
        ("server", vec![]),
        ("x-old", vec![]),
        ("x-new", vec!["1", "2"]),
        ("x-method", vec!["GET"]),
        ("x-there", vec!["service"]),
        ("x-not", vec!["gateway"]),
        ("vary", vec!["a, b"]),
    ] {
        assert_eq!(response.fields.all(name), values, "reply {name}");
    }
    origin.expect_canonical();
}

#[test]
fn values_from_a_client_cannot_end_a_field() {
    let origin = Origin::echo();
    let gateway = with(
        "headers: { request: { set: { x-id: '{id}', x-q: '{query:q}' } }, response: { set: { x-id: '{id}' } } }",
        &origin,
    );
    let response = Client::of(&gateway).get("/a%0d%0ax-evil:%201/?q=%0d%0ax-evil:1");
    assert_eq!(response.outcome(), "400 escaped-control-byte");
    let response = Client::of(&gateway).get("/a%C2%85b/?q=%0d%0ax-evil:1");
    assert_eq!(response.status, 200);
    assert_eq!(origin.only_request().fields.get("x-q"), Some("%0d%0ax-evil:1"), "still escaped");
    origin.expect_canonical();
}

#[test]
fn queries_are_edited_and_the_rest_of_them_stays_as_it_came() {
    let origin = Origin::echo();
    let gateway = with(
        "query: { remove: debug, rename: { q: term }, set: { v: '{id}' }, add: { tag: [x, 'y z'] } }",
        &origin,
    );
    let mut client = Client::of(&gateway);
    for (sent, got) in [
        ("/7/?a=%2b+&debug=1&q=%41&v=0&&b", "/7/?a=%2b+&term=%41&&b&v=7&tag=x&tag=y%20z"),
        ("/7/", "/7/?v=7&tag=x&tag=y%20z"),
        ("/7/?%64ebug&term=old&q=new", "/7/?term=new&v=7&tag=x&tag=y%20z"),
    ] {
        assert_eq!(client.get(sent).text().trim_end(), format!("GET {got}"), "{sent}");
    }
}

#[test]
fn an_id_is_one_and_the_same_for_service_client_and_failure() {
    let (origin, refusing) = (Origin::echo(), Origin::refusing());
    let gateway = TestGateway::start(
        "
        gateway:
          trusted-proxies: [127.0.0.2]
        routes:
          trusted: { match: /trusted, to: 'http://{origin-1}', filters: [ request-id ] }
          anyone: { match: /anyone, to: 'http://{origin-1}', filters: [ request-id: anyone ] }
          hidden: { match: /hidden, to: 'http://{origin-1}', filters: [ request-id: { reply: hidden } ] }
          dead: { match: /dead, to: 'http://{origin-2}', filters: [ request-id ] }
        ",
        &[&origin, &refusing],
    );
    let mut client = Client::of(&gateway);
    let mut ids = Vec::new();
    for (target, sent, is_kept) in [
        ("/trusted", "mine", false),
        ("/trusted", "mine", false),
        ("/anyone", "mine-1.2:3/4+5=", true),
        ("/anyone", "a b", false),
        ("/anyone", "\"quoted\"", false),
        ("/anyone", "", false),
    ] {
        let id = client
            .ask(&format!("GET {target}"), &[&format!("X-Request-Id: {sent}")])
            .fields
            .get("x-request-id")
            .unwrap()
            .to_owned();
        assert_eq!(origin.requests().pop().unwrap().fields.get("x-request-id"), Some(id.as_str()));
        let is_new = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        assert_eq!((id == sent, is_new), (is_kept, !is_kept), "{target} {sent}: {id}");
        ids.push(id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6, "ids differ");
    let long = client.ask("GET /anyone", &[&format!("X-Request-Id: {}", "x".repeat(129))]);
    assert_eq!(long.fields.get("x-request-id").unwrap().len(), 32);
    assert!(!client.get("/hidden").fields.has("x-request-id"));
    assert!(origin.requests().pop().unwrap().fields.has("x-request-id"));
    let failed = client.get("/dead");
    let id = failed.fields.get("x-request-id").unwrap();
    assert!(failed.text().contains(&format!("\"request-id\":\"{id}\"")), "{}", failed.text());
}

#[test]
fn browsers_are_told_to_be_careful_unless_the_service_knows_better() {
    let origin = Origin::answering(|r| {
        reply_with("200 OK", if r.target == "/a/own" { "X-Frame-Options: SAMEORIGIN\r\n" } else { "" }, "")
    });
    let gateway = with(
        "secure-headers: { referrer-policy: 'off', content-security-policy: \"default-src 'none'\" }",
        &origin,
    );
    let mut client = Client::of(&gateway);
    let plain = client.get("/a/");
    for (name, value) in [
        ("x-content-type-options", Some("nosniff")),
        ("x-frame-options", Some("DENY")),
        ("content-security-policy", Some("default-src 'none'")),
        ("referrer-policy", None),
        ("strict-transport-security", None),
    ] {
        assert_eq!(plain.fields.get(name), value, "{name}");
    }
    assert_eq!(client.get("/a/own").fields.get("x-frame-options"), Some("SAMEORIGIN"));
    let https = client.ask("GET /a/", &["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https"]);
    assert_eq!(https.fields.get("strict-transport-security"), Some("max-age=31536000"));
}

#[test]
fn faults_delay_and_end_requests() {
    let origin = Origin::echo();
    let gateway = with(
        "{ fault: { delay: 30ms, abort: 418 }, when: { headers: { x-fault: present } } }, { fault: { abort: 500, abort-share: 0% } }",
        &origin,
    );
    let mut client = Client::of(&gateway);
    assert_eq!(client.get("/a").status, 200);
    let start = Instant::now();
    assert_eq!(client.ask("GET /a", &["X-Fault: 1"]).outcome(), "418 fault-injected");
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert_eq!(origin.whole_requests(), 1);
}
