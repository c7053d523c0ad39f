//! Every wait has an end, and the code says whose (dangers 14 and 24).

use std::net::{SocketAddr, TcpStream};

use menshen_e2e::{Broken, Client, Gate, Origin, TestGateway, eventually, reply};

/// A gateway with this limit of this kind; all others are far longer than the test.
fn limited(kind: &str, origin: &Origin) -> TestGateway {
    let document = format!(
        "gateway:\n  access-log: '{{log}}'\n  timeouts: {{ {kind}: 150ms }}\nroutes: {{ all: {{ match: /**, to: 'http://{{origin}}' }} }}"
    );
    TestGateway::start(&document, &[origin])
}

fn expect_logged(gateway: &TestGateway, code: &str) {
    eventually(&format!("{code} is logged"), || {
        std::fs::read_to_string(gateway.log()).is_ok_and(|log| log.contains(&format!("\"code\":\"{code}\"")))
    });
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn silent() -> Origin {
    Origin::scripted(|c| {
        c.request();
        c.wait_for_close();
    })
}

#[test]
fn a_service_that_never_answers_is_504_and_is_let_go() {
    let origin = silent();
    let gateway = limited("first-byte", &origin);
    let mut client = Client::of(&gateway);
    assert_eq!(client.get("/").outcome(), "504 first-byte-timeout");
    eventually("the call is cancelled", || origin.open_connections() == 0);
    assert_eq!(origin.requests().len(), 1, "a timeout is not tried again");
    // The client may go on.
    assert_eq!(client.get("/").outcome(), "504 first-byte-timeout");
    assert_eq!(client.post("/", "hello").outcome(), "504 first-byte-timeout");
}

#[test]
fn half_a_head_is_no_answer() {
    let origin = Origin::scripted(|c| {
        c.request();
        c.send("HTTP/1.1 200 OK\r\nContent-");
        c.wait_for_close();
    });
    let gateway = limited("first-byte", &origin);
    assert_eq!(Client::of(&gateway).get("/").outcome(), "504 first-byte-timeout");
}

#[test]
fn a_head_that_drips_from_the_service_has_one_deadline() {
    let origin = Origin::scripted(|c| {
        c.request();
        c.send("HTTP/1.1 200 OK\r\nX: ");
        while c.send("x") {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    });
    let gateway = limited("first-byte", &origin);
    assert_eq!(Client::of(&gateway).get("/").outcome(), "504 first-byte-timeout");
    eventually("the call is cancelled", || origin.open_connections() == 0);
}

#[test]
fn a_service_that_takes_no_more_of_the_request_is_504() {
    let done = Gate::new();
    let origin = Origin::scripted({
        let done = done.clone();
        move |c| {
            c.head();
            done.pass();
        }
    });
    let gateway = TestGateway::start(
        "
        gateway:
          timeouts: { write: 150ms }
          limits: { body: none }
        routes: { all: { match: /**, to: 'http://{origin}' } }
        ",
        &[&origin],
    );
    let mut client = Client::of(&gateway);
    let mut sender = client.wire().clone_sender();
    let sending = std::thread::spawn(move || {
        sender.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
        while sender.send(vec![b'x'; 64 * 1024]) {}
    });
    assert_eq!(client.response().outcome(), "504 first-byte-timeout");
    done.open();
    drop(client);
    sending.join().unwrap();
}

#[test]
fn an_exchange_that_takes_too_long_as_a_whole_is_504() {
    let origin = silent();
    let gateway = limited("total", &origin);
    assert_eq!(Client::of(&gateway).get("/").outcome(), "504 total-timeout");
    eventually("the call is cancelled", || origin.open_connections() == 0);
}

#[test]
fn the_total_time_ends_a_response_that_drips() {
    let origin = Origin::scripted(|c| {
        c.request();
        c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while c.send("1\r\nx\r\n") {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    });
    let gateway = limited("total", &origin);
    let outcome = Client::of(&gateway).send(GET).try_response();
    assert!(matches!(outcome, Err(Broken::Truncated(_) | Broken::Reset)), "{outcome:?}");
    expect_logged(&gateway, "total-timeout");
}

#[test]
fn a_response_that_stalls_is_cut() {
    let origin = Origin::scripted(|c| {
        c.request();
        c.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        c.wait_for_close();
    });
    let gateway = limited("between-bytes", &origin);
    let outcome = Client::of(&gateway).send(GET).try_response();
    assert!(matches!(outcome, Err(Broken::Truncated(_) | Broken::Reset)), "{outcome:?}");
    expect_logged(&gateway, "between-bytes-timeout");
    eventually("the call is cancelled", || origin.open_connections() == 0);
}

#[test]
fn a_request_body_that_stalls_is_408() {
    let origin = Origin::echo();
    let gateway = limited("body", &origin);
    for framing in ["Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"] {
        let mut client = Client::of(&gateway);
        let response = client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}")).response();
        assert_eq!(response.outcome(), "408 body-timeout", "{framing}");
        assert!(response.says_close(), "{framing}: the rest of the body may still come");
        client.expect_end();
    }
    assert_eq!(origin.whole_requests(), 0);
}

#[test]
fn a_head_that_drips_is_408_at_its_one_deadline() {
    let origin = Origin::echo();
    let gateway = limited("header", &origin);
    let mut client = Client::of(&gateway);
    for byte in "GET / HTTP/1.1\r\nHost: a\r\nX: ".bytes().chain(std::iter::repeat_n(b'x', 5000)) {
        if !client.wire().send([byte]) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        client.wire().set_patience(std::time::Duration::from_micros(1));
        if client.wire().read_more() != Err(Broken::Silent) {
            break;
        }
    }
    client.wire().set_patience(menshen_e2e::PATIENCE);
    let rest = client.rest();
    assert!(rest.as_ref().is_ok_and(|b| b.starts_with(b"HTTP/1.1 408 ")), "{rest:?}");
    assert_eq!(origin.connections(), 0);
}

#[test]
fn half_a_head_is_408_and_silence_is_closed_without_a_word() {
    let origin = Origin::echo();
    let gateway = limited("header", &origin);
    let mut client = Client::of(&gateway);
    let response = client.send("GET / HTTP/1.1\r\nHo").response();
    assert_eq!((response.outcome().as_str(), response.says_close()), ("408 head-timeout", true));
    client.expect_end();
    Client::of(&gateway).expect_end();
    Client::of(&gateway).send("\r\n").expect_end();
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let origin = Origin::echo();
    let gateway = limited("idle", &origin);
    let mut client = Client::of(&gateway);
    for _ in 0..3 {
        assert_eq!(client.get("/").status, 200);
    }
    client.expect_end();
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let origin = Origin::scripted(|c| {
        c.request();
        c.send("HTTP/1.1 200 OK\r\n\r\n");
        while c.send_some(&[b'x'; 64 * 1024]) > 0 {}
    });
    let gateway = limited("write", &origin);
    let mut client = Client::with_small_window(&gateway);
    client.send(GET);
    expect_logged(&gateway, "write-timeout");
    eventually("the call is cancelled", || origin.open_connections() == 0);
    drop(client);
}

#[test]
fn a_service_that_does_not_accept_is_504() {
    let (address, _queue) = full_backlog();
    let origin = Origin::echo();
    let gateway = TestGateway::start(
        &format!(
            "gateway:\n  timeouts: {{ connect: 150ms }}\nroutes: {{ all: {{ match: /**, to: 'http://{address}' }} }}"
        ),
        &[&origin],
    );
    assert_eq!(Client::of(&gateway).get("/").outcome(), "504 connect-timeout");
}

/// A listener whose queue is full, so that further connections are neither accepted nor refused.
fn full_backlog() -> (SocketAddr, Vec<Box<dyn std::any::Any>>) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut queue: Vec<Box<dyn std::any::Any>> = vec![Box::new(socket)];
    while let Ok(stream) = TcpStream::connect_timeout(&address, std::time::Duration::from_millis(100)) {
        queue.push(Box::new(stream));
    }
    (address, queue)
}

#[test]
fn a_tunnel_without_a_byte_is_closed() {
    let origin = Origin::scripted(|c| {
        c.head();
        c.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n");
        c.wait_for_close();
    });
    let gateway = limited("tunnel", &origin);
    let mut client = Client::of(&gateway);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n");
    assert_eq!(client.response().status, 101);
    client.expect_end();
    eventually("the service's side is closed", || origin.open_connections() == 0);
}

#[test]
fn slow_but_steady_peers_are_not_cut_off() {
    let origin = Origin::scripted(|c| {
        c.request();
        for piece in reply("0123456789").as_bytes().chunks(16) {
            std::thread::sleep(std::time::Duration::from_millis(30));
            c.send(piece);
        }
        c.wait_for_close();
    });
    let document = "
        gateway:
          timeouts: { body: 150ms, first-byte: 150ms, between-bytes: 150ms }
        routes: { all: { match: /**, to: 'http://{origin}' } }
    ";
    let gateway = TestGateway::start(document, &[&origin]);
    let mut client = Client::of(&gateway);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    for byte in "0123456789".bytes() {
        std::thread::sleep(std::time::Duration::from_millis(30));
        client.send([byte]);
    }
    assert_eq!(client.response().text(), "0123456789");
}
