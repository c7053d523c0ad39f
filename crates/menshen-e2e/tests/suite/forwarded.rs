//! What a client says about itself (dangers 8), and fields of one hop (dangers 9).

use menshen_e2e::{Client, Fields, Origin, Pair, TestGateway};

/// The fields that the service gets.
fn at_service(gateway: &TestGateway, origin: &Origin, fields: &str) -> Fields {
    let response =
        Client::of(gateway).send(format!("GET /p/x HTTP/1.1\r\nHost: front\r\n{fields}\r\n")).response();
    assert_eq!(response.status, 200, "{fields}: {}", response.text());
    origin.requests().pop().unwrap().fields
}

fn gateway(section: &str) -> (Origin, TestGateway) {
    let origin = Origin::echo();
    let document = format!(
        "gateway:\n  via: front\n{section}routes:\n  p: {{ match: /p/**, strip: /p, to: 'http://{{origin}}' }}\n"
    );
    let gateway = TestGateway::start(&document, &[&origin]);
    (origin, gateway)
}

const ALL_ON: &str = "  forwarded: { x-real-ip: on, forwarded: on }\n";
const TRUSTING: &str = "  trusted-proxies: [127.0.0.0/8, 10.0.0.0/8]\n";

/// The scheme of this process's clients.
fn scheme() -> &'static str {
    if Pair::current().client.is_tls() { "https" } else { "http" }
}

/// What the gateway adds to Via.
fn via() -> String {
    format!("{} front", if Pair::current().client.is_h2() { "2.0" } else { "1.1" })
}

#[test]
fn an_untrusted_client_cannot_speak_for_a_gateway() {
    let (origin, gateway) = gateway(ALL_ON);
    let port = gateway.address().port();
    for name in [
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Server",
        "X-Forwarded-Client-Cert",
        "Forwarded",
        "X-Real-IP",
        "X-Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-Original-Host",
    ] {
        for name in [name.to_owned(), name.to_ascii_lowercase(), name.to_ascii_uppercase()] {
            let seen = at_service(&gateway, &origin, &format!("{name}: evil\r\n{name}: evil\r\n"));
            assert!(!seen.to_string().contains("evil"), "{name}:\n{seen}");
            assert_eq!(seen.get("x-forwarded-for"), Some("127.0.0.1"));
            assert_eq!(seen.get("x-forwarded-host"), Some("front"));
            assert_eq!(seen.get("x-forwarded-proto"), Some(scheme()));
            assert_eq!(seen.get("x-forwarded-port"), Some(port.to_string().as_str()));
            assert_eq!(seen.get("x-forwarded-prefix"), Some("/p"));
            assert_eq!(seen.get("x-real-ip"), Some("127.0.0.1"));
            let forwarded = format!("for=127.0.0.1;host=\"front\";proto={}", scheme());
            assert_eq!(seen.get("forwarded"), Some(forwarded.as_str()));
            assert_eq!(seen.get("via"), Some(via().as_str()));
        }
    }
}

#[test]
fn what_a_trusted_proxy_says_is_continued() {
    let (origin, gateway) = gateway(&(ALL_ON.to_owned() + TRUSTING));
    let seen = at_service(
        &gateway,
        &origin,
        "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nX-Forwarded-For: 10.1.1.1\r\nX-Forwarded-Proto: https\r\n\
         X-Forwarded-Host: shop.example\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Prefix: /outer\r\n\
         Forwarded: for=203.0.113.9\r\nVia: 1.1 edge\r\n",
    );
    assert_eq!(seen.get("x-forwarded-for"), Some("6.6.6.6, 203.0.113.9, 10.1.1.1, 127.0.0.1"));
    assert_eq!(seen.get("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.get("x-forwarded-host"), Some("shop.example"));
    assert_eq!(seen.get("x-forwarded-port"), Some("443"));
    assert_eq!(seen.get("x-forwarded-prefix"), Some("/outer/p"));
    assert_eq!(seen.get("x-real-ip"), Some("203.0.113.9"), "the rightmost address that is not trusted");
    assert_eq!(seen.get("via"), Some(format!("1.1 edge, {}", via()).as_str()));
    assert!(seen.get("forwarded").unwrap().starts_with("for=203.0.113.9, for=127.0.0.1"), "{seen}");
}

#[test]
fn garbage_from_a_trusted_proxy_does_not_become_an_address() {
    let (origin, gateway) = gateway(&(ALL_ON.to_owned() + TRUSTING));
    for (value, address) in [
        ("evil", "127.0.0.1"),
        ("203.0.113.9, evil", "127.0.0.1"),
        ("evil, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("10.9.9.9", "10.9.9.9"),
        ("", "127.0.0.1"),
    ] {
        let seen = at_service(&gateway, &origin, &format!("X-Forwarded-For: {value}\r\n"));
        assert_eq!(seen.get("x-real-ip"), Some(address), "{value}");
    }
}

#[test]
fn fields_of_one_hop_do_not_cross() {
    let (origin, gateway) = gateway("");
    let seen = at_service(
        &gateway,
        &origin,
        "Connection: x-foo, X-Bar\r\nX-Foo: 1\r\nx-bar: 2\r\nX-Baz: 3\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n\
         Proxy-Authorization: Basic x\r\nTE: trailers, gzip\r\nTrailer: X\r\nUpgrade: foo\r\n",
    );
    for name in [
        "connection",
        "x-foo",
        "x-bar",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "trailer",
        "upgrade",
    ] {
        assert!(!seen.has(name), "{name}:\n{seen}");
    }
    assert_eq!(seen.get("x-baz"), Some("3"));
}

#[test]
fn a_client_cannot_have_fields_removed_that_matter() {
    let (origin, gateway) = gateway(ALL_ON);
    let nominated = "X-Forwarded-For, X-Real-IP, Forwarded, Authorization, Host, Content-Length, Transfer-Encoding, Cookie, Via";
    let fields = format!(
        "Connection: {nominated}\r\nConnection: x-forwarded-host\r\nAuthorization: a\r\nCookie: b\r\n"
    );
    let seen = at_service(&gateway, &origin, &fields);
    assert_eq!((seen.get("authorization"), seen.get("cookie")), (Some("a"), Some("b")));
    for name in ["x-forwarded-for", "x-real-ip", "forwarded", "host", "via", "x-forwarded-host"] {
        assert!(seen.has(name), "{name}:\n{seen}");
    }
    let post =
        "POST /p/x HTTP/1.1\r\nHost: front\r\nConnection: content-length\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(Client::of(&gateway).send(post).response().text(), "POST /x\nhi");
    let post = "POST /p/x HTTP/1.1\r\nHost: front\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    assert_eq!(Client::of(&gateway).send(post).response().text(), "POST /x\nhi");
    origin.expect_canonical();
}

#[test]
fn fields_of_the_service_s_hop_do_not_reach_the_client() {
    let origin = Origin::answering(|_| {
        "HTTP/1.1 200 OK\r\nConnection: x-foo, keep-alive\r\nX-Foo: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: x\r\n\
         Upgrade: h2c\r\nX-Bar: 2\r\nContent-Length: 2\r\n\r\nhi"
    });
    let gateway = TestGateway::in_front_of(&origin);
    let response = Client::of(&gateway).get("/");
    for name in ["connection", "x-foo", "keep-alive", "upgrade"] {
        assert!(!response.fields.has(name), "{name}:\n{}", response.fields);
    }
    assert_eq!((response.fields.get("x-bar"), response.text().as_str()), (Some("2"), "hi"));
}

#[test]
fn a_request_that_comes_back_is_a_loop() {
    let (_origin, gateway) = gateway("");
    let head = |via: &str| format!("GET /p/x HTTP/1.1\r\nHost: a\r\nVia: {via}\r\n\r\n");
    assert_eq!(Client::of(&gateway).send(head("1.1 other, 1.1 front")).response().status, 200);
    assert_eq!(Client::of(&gateway).send(head("1.1 front, 1.1 front")).response().outcome(), "508 loop");
}

#[test]
fn a_route_to_the_gateway_itself_ends() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let own = format!("routes: {{ all: {{ match: /**, to: 'http://{}' }} }}", gateway.address());
    gateway.reload(&own).unwrap();
    assert_eq!(Client::of(&gateway).get("/x").outcome(), "508 loop");
}
