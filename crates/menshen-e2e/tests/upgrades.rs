//! Tunnels (dangers 2): raw bytes only after a matching 101, policy for everything else.

use menshen_e2e::{Broken, Client, Gate, Origin, TestGateway, eventually, reply_with};

const ROUTES: &str = "
    routes:
      pub: { match: /pub/**, to: 'http://{origin}' }
      admin: { match: /admin/**, to: { respond: { status: 401, body: 'admin: no' } } }
";
const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

#[test]
fn what_follows_a_refused_upgrade_is_a_new_request_through_full_policy() {
    for (fields, status) in [
        ("Connection: Upgrade\r\nUpgrade: foo\r\n", "200 OK"),
        ("Connection: Upgrade\r\nUpgrade: websocket\r\n", "200 OK"),
        ("Connection: Upgrade\r\nUpgrade: websocket\r\n", "426 Upgrade Required"),
        (
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\n",
            "426 Upgrade Required",
        ),
        ("Connection: Upgrade\r\nUpgrade: websocket\r\n", "400 Bad Request"),
    ] {
        let origin = Origin::answering(move |_| reply_with(status, "Upgrade: websocket\r\n", "no"));
        let gateway = TestGateway::start(ROUTES, &[&origin]);
        let mut client = Client::of(&gateway);
        client.send(get("/pub/x", fields) + &get("/admin", "") + &get("/pub/y", ""));
        let first = client.response();
        assert_eq!(first.status.to_string(), status[..3], "{fields}");
        assert_eq!(client.response().text(), "admin: no", "{fields} {status}");
        assert_eq!(client.response().text(), "no");
        let targets: Vec<String> = origin.requests().into_iter().map(|r| r.target).collect();
        assert_eq!(targets, ["/pub/x", "/pub/y"]);
        assert_eq!(origin.connections(), 2, "a connection that refused an upgrade is not used again");
    }
}

#[test]
fn before_the_101_the_service_gets_no_byte_behind_the_head() {
    let (asked, switch) = (Gate::new(), Gate::new());
    let origin = Origin::scripted({
        let (asked, switch) = (asked.clone(), switch.clone());
        move |c| {
            c.head();
            asked.open();
            switch.pass();
            assert!(c.wire().pending().is_empty());
            c.send(SWITCHING);
            let early = c.wire().take(5).unwrap();
            c.send(early);
        }
    });
    let gateway = TestGateway::start(ROUTES, &[&origin]);
    let mut client = Client::of(&gateway);
    client.send(get("/pub/x", WEBSOCKET) + "early");
    asked.pass();
    let before = origin.bytes().concat();
    assert!(before.ends_with(b"\r\n\r\n"), "{}", String::from_utf8_lossy(&before));
    switch.open();
    assert_eq!(client.response().status, 101);
    assert_eq!(client.rest(), Ok(b"early".to_vec()));
}

#[test]
fn a_websocket_carries_bytes_both_ways_and_ends_with_either_side() {
    let origin = Origin::scripted(|c| {
        c.head();
        c.send(format!("{SWITCHING}greeting"));
        while let Ok(piece) = c.wire().take(4) {
            c.send(piece.to_ascii_uppercase());
        }
        c.send("bye");
    });
    let gateway = TestGateway::start(ROUTES, &[&origin]);
    let mut client = Client::of(&gateway);
    let head = client.send(get("/pub/x", WEBSOCKET)).response();
    assert_eq!(head.fields.get("upgrade"), Some("websocket"));
    assert!(head.fields.lists("connection", "upgrade"));
    assert!(!head.fields.has("content-length") && !head.fields.has("transfer-encoding"));
    assert_eq!(client.wire().take(8).unwrap(), b"greeting");
    for word in ["ping", "\0\r\n\r", "pong"] {
        client.send(word);
        assert_eq!(client.wire().take(4).unwrap(), word.to_ascii_uppercase().as_bytes());
    }
    // Half a close: the service still has the last word.
    client.half_close();
    assert_eq!(client.rest(), Ok(b"bye".to_vec()));
    let request = origin.only_request();
    assert_eq!(request.fields.get("upgrade"), Some("websocket"));
    assert!(request.fields.lists("connection", "upgrade"));
    assert_eq!(request.fields.get("sec-websocket-version"), Some("13"));
    eventually("the service's side is closed", || origin.open_connections() == 0);
}

#[test]
fn when_the_service_ends_first_the_client_can_still_talk() {
    let origin = Origin::scripted(|c| {
        c.head();
        c.send(SWITCHING);
        c.wire().half_close();
        c.wire().take(4).ok();
    });
    let gateway = TestGateway::start(ROUTES, &[&origin]);
    let mut client = Client::of(&gateway);
    assert_eq!(client.send(get("/pub/x", WEBSOCKET)).response().status, 101);
    assert_eq!(client.rest(), Ok(Vec::new()));
    client.send("last");
    eventually("the service got it", || origin.bytes().concat().ends_with(b"last"));
}

#[test]
fn a_client_that_vanishes_ends_the_tunnel_at_the_service() {
    let origin = Origin::scripted(|c| {
        c.head();
        c.send(SWITCHING);
        c.wait_for_close();
    });
    let gateway = TestGateway::start(ROUTES, &[&origin]);
    let mut client = Client::of(&gateway);
    assert_eq!(client.send(get("/pub/x", WEBSOCKET)).response().status, 101);
    client.reset();
    eventually("the service's side is closed", || origin.open_connections() == 0);
}

#[test]
fn a_101_that_does_not_match_the_wish_is_a_failure() {
    let plain = "";
    for (fields, answer) in [
        (plain, SWITCHING),
        (WEBSOCKET, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n"),
        (
            WEBSOCKET,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket, foo\r\n\r\n",
        ),
        (WEBSOCKET, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n"),
        ("Upgrade: websocket\r\n", SWITCHING),
    ] {
        let origin = Origin::scripted(move |c| {
            c.head();
            c.send(answer);
            c.wait_for_close();
        });
        let gateway = TestGateway::start(ROUTES, &[&origin]);
        let mut client = Client::of(&gateway);
        let response = client.send(get("/pub/x", fields)).response();
        assert_eq!(response.outcome(), "502 bad-interim", "{fields} {answer}");
        eventually("the connection to the service is closed", || origin.open_connections() == 0);
    }
}

#[test]
fn h2c_is_never_asked_of_the_service() {
    let settings = "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
    for fields in [
        format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n{settings}"),
        format!("Connection: Upgrade\r\nUpgrade: H2C\r\n{settings}"),
        format!("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n{settings}"),
        format!("Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n{settings}"),
    ] {
        let origin = Origin::echo();
        let gateway = TestGateway::start(ROUTES, &[&origin]);
        assert_eq!(Client::of(&gateway).send(get("/pub/x", &fields)).response().status, 200);
        let request = origin.only_request();
        assert!(!request.fields.lists("upgrade", "h2c"), "{fields}: {}", request.fields);
        assert!(!request.fields.has("http2-settings"), "{fields}: {}", request.fields);
    }
}

#[test]
fn a_request_with_content_asks_for_no_upgrade() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(ROUTES, &[&origin]);
    let mut client = Client::of(&gateway);
    client.send(format!("POST /pub/x HTTP/1.1\r\nHost: a\r\n{WEBSOCKET}Content-Length: 5\r\n\r\nhello"));
    assert_eq!(client.response().text(), "POST /pub/x\nhello");
    assert!(!origin.only_request().fields.has("upgrade"));
    assert_eq!(client.get("/admin").text(), "admin: no");
}

#[test]
fn a_length_of_nothing_is_no_content() {
    let origin = Origin::scripted(|c| {
        c.head();
        c.send(SWITCHING);
        let early = c.wire().take(5).unwrap();
        c.send(early);
    });
    let gateway = TestGateway::start(ROUTES, &[&origin]);
    let mut client = Client::of(&gateway);
    // As the WebSocket client of Java's own library asks.
    client.send(get("/pub/x", &format!("{WEBSOCKET}Content-Length: 0\r\n")));
    assert_eq!(client.response().status, 101);
    client.send("hello");
    assert_eq!(client.rest(), Ok(b"hello".to_vec()));
}

#[test]
fn connect_opens_no_tunnel() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(ROUTES, &[&origin]);
    for head in
        ["CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "CONNECT /pub/x HTTP/1.1\r\nHost: a\r\n\r\n"]
    {
        let mut client = Client::of(&gateway);
        assert_eq!(client.send(head).response().outcome(), "405 connect-not-offered");
        assert_eq!(client.get("/admin").text(), "admin: no");
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn a_tunnel_that_still_stands_when_the_drain_ends_is_closed() {
    let origin = Origin::scripted(|c| {
        c.head();
        c.send(SWITCHING);
        c.wait_for_close();
    });
    let mut gateway = TestGateway::start(&format!("    gateway:\n      drain: 100ms\n{ROUTES}"), &[&origin]);
    let mut client = Client::of(&gateway);
    assert_eq!(client.send(get("/pub/x", WEBSOCKET)).response().status, 101);
    gateway.stop();
    assert!(matches!(client.rest(), Ok(_) | Err(Broken::Reset)));
    eventually("the service's side is closed", || origin.open_connections() == 0);
}
