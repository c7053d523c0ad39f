//! Published limits: bodies, connections, connections of one client.

use menshen_e2e::{Broken, Client, Origin, TestGateway, eventually};

fn limited(limits: &str) -> (Origin, TestGateway) {
    let origin = Origin::echo();
    let document = format!(
        "gateway:\n  limits: {{ {limits} }}\nroutes: {{ all: {{ match: /**, to: 'http://{{origin}}' }} }}"
    );
    let gateway = TestGateway::start(&document, &[&origin]);
    (origin, gateway)
}

#[test]
fn a_body_announced_as_too_large_never_reaches_the_service() {
    let (origin, gateway) = limited("body: 10B");
    let mut client = Client::of(&gateway);
    assert_eq!(client.post("/", "0123456789").status, 200);
    let response = client.post("/", "0123456789x");
    assert_eq!(response.outcome(), "413 body-too-large");
    assert_eq!(origin.requests().len(), 1);
    gateway.expect_canary();
}

#[test]
fn a_chunked_body_that_grows_too_large_never_becomes_a_whole_request() {
    let (origin, gateway) = limited("body: 10B");
    for body in ["b\r\n0123456789x\r\n0\r\n\r\n", "5\r\n01234\r\n5\r\n56789\r\n1\r\nx\r\n0\r\n\r\n"] {
        let mut client = Client::of(&gateway);
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
        assert_eq!(client.response().outcome(), "413 body-too-large", "{body:?}");
        assert_eq!(origin.whole_requests(), 0, "{body:?}");
    }
    let mut client = Client::of(&gateway);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n");
    assert_eq!(client.response().text(), "POST /\n0123456789");
}

#[test]
fn an_endless_body_is_cut_off() {
    let (origin, gateway) = limited("body: 1MiB");
    let mut client = Client::of(&gateway);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let mut sent = 0;
    while sent < 1000 && client.wire().send(&piece) {
        sent += 1;
    }
    assert!(sent < 1000, "64 MiB were taken");
    // The answer may be lost in the reset, as bytes were still on their way; it must not be anything else.
    let response = client.try_response();
    assert!(matches!(&response, Err(Broken::Reset)) || response.is_ok_and(|r| r.status == 413));
    assert_eq!(origin.whole_requests(), 0);
}

#[test]
fn more_connections_than_allowed_are_told_so() {
    let (_origin, gateway) = limited("connections: 3");
    let mut clients: Vec<Client> = (0..3).map(|_| Client::of(&gateway)).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").status, 200);
    }
    for _ in 0..5 {
        let mut refused = Client::of(&gateway);
        let response = refused.response();
        assert_eq!(response.outcome(), "503 too-many-connections");
        assert_eq!(response.fields.get("retry-after"), Some("1"));
        assert!(response.says_close());
        refused.expect_end();
    }
    assert_eq!(clients[0].get("/").status, 200, "those inside are not touched");
    clients.pop();
    eventually("there is room again", || {
        Client::of(&gateway)
            .send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .try_response()
            .is_ok_and(|r| r.status == 200)
    });
}

#[test]
fn a_client_that_asks_at_once_can_read_that_there_is_no_room() {
    let (_origin, gateway) = limited("connections: 1");
    let mut inside = Client::of(&gateway);
    assert_eq!(inside.get("/").status, 200);
    for _ in 0..50 {
        let mut refused = Client::of(&gateway);
        refused.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(refused.response().outcome(), "503 too-many-connections");
    }
}

#[test]
fn one_client_cannot_take_all_connections() {
    let (_origin, gateway) = limited("connections-per-client: 2");
    let mut clients: Vec<Client> = (0..2).map(|_| Client::of(&gateway)).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(Client::of(&gateway).response().status, 503);
    // Another address of this machine is another client.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
    socket.connect(&gateway.address().into()).unwrap();
    let mut other = menshen_e2e::Wire::new(socket.into(), None);
    other.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(other.take_all().unwrap().starts_with(b"HTTP/1.1 200 "));
}
