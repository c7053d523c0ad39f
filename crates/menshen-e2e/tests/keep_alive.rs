//! Which connections stay open, and requests sent ahead.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use menshen_e2e::{Client, Gate, Origin, TestGateway, eventually, reply};

fn get(target: &str, version: &str, fields: &str) -> String {
    format!("GET {target} HTTP/{version}\r\nHost: a\r\n{fields}\r\n")
}

#[test]
fn a_connection_stays_open_as_version_and_connection_field_say() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    for (version, fields, stays) in [
        ("1.1", "", "stays"),
        ("1.1", "Connection: keep-alive\r\n", "stays"),
        ("1.1", "Connection: close\r\n", "ends"),
        ("1.1", "Connection: x, CLOSE\r\n", "ends"),
        ("1.1", "Connection: keep-alive, close\r\n", "ends"),
        ("1.0", "", "ends"),
        ("1.0", "Connection: keep-alive\r\n", "stays"),
        ("1.0", "Connection: Keep-Alive\r\n", "stays"),
        ("1.0", "Connection: close, keep-alive\r\n", "ends"),
    ] {
        let mut client = Client::of(&gateway);
        let response = client.send(get("/x", version, fields)).response();
        assert_eq!(response.text(), "GET /x\n");
        assert_eq!(response.says_close(), stays == "ends", "HTTP/{version} {fields}");
        if stays == "ends" {
            client.expect_end();
        } else {
            let says = response.fields.lists("connection", "keep-alive");
            assert_eq!(says, version == "1.0", "HTTP/{version} {fields}");
            assert_eq!(client.get("/y").text(), "GET /y\n");
        }
    }
    assert_eq!(origin.connections(), 1, "what the client's connection does is nothing to the service's");
}

#[test]
fn a_client_of_http_1_0_gets_plain_content_and_its_service_http_1_1() {
    let origin =
        Origin::answering(|_| "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    let response = client.send(get("/", "1.0", "Connection: keep-alive\r\n")).response();
    assert_eq!(response.text(), "abc");
    assert!(!response.fields.has("transfer-encoding") && response.says_close());
    let response = Client::of(&gateway).send("GET / HTTP/1.0\r\n\r\n").response();
    assert_eq!(response.text(), "abc", "HTTP/1.0 needs no Host");
    origin.expect_canonical();
}

#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    let ahead: String = (0..16).map(|i| get(&format!("/{i}"), "1.1", "")).collect();
    client.send(&ahead);
    for i in 0..16 {
        assert_eq!(client.response().text(), format!("GET /{i}\n"));
    }
    assert_eq!(client.get("/after").text(), "GET /after\n");
}

#[test]
fn requests_in_pieces_are_put_together() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    let bytes = get("/a", "1.1", "")
        + "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
        + &get("/c", "1.1", "");
    for byte in bytes.as_bytes() {
        client.send([*byte]);
    }
    let texts: Vec<String> = (0..3).map(|_| client.response().text()).collect();
    assert_eq!(texts, ["GET /a\n", "POST /b\nhi", "GET /c\n"]);
}

#[test]
fn more_requests_ahead_than_allowed_cost_the_connection() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(
        "
        gateway:
          limits: { pipelined: 3 }
        routes: { all: { match: /**, to: 'http://{origin}' } }
        ",
        &[&origin],
    );
    let mut client = Client::of(&gateway);
    client.send((0..50).map(|i| get(&format!("/{i}"), "1.1", "")).collect::<String>());
    let mut answered = 0;
    loop {
        let response = client.response();
        assert_eq!(response.text(), format!("GET /{answered}\n"));
        answered += 1;
        if response.says_close() {
            break;
        }
    }
    client.expect_end();
    assert_eq!(answered, 4, "one being served and three ahead");
    assert_eq!(origin.requests().len(), 4);
}

#[test]
fn a_client_that_leaves_behind_requests_that_it_sent_ahead_is_noticed() {
    let asked = Gate::new();
    let origin = Origin::scripted({
        let asked = asked.clone();
        move |c| {
            while let Some(request) = c.request() {
                if request.target == "/slow" {
                    asked.open();
                    c.wait_for_close();
                    return;
                }
                c.send(reply("done"));
            }
        }
    });
    let gateway = TestGateway::in_front_of(&origin);
    let (mut client, mut other) = (Client::of(&gateway), Client::of(&gateway));
    client.send(get("/slow", "1.1", ""));
    asked.pass();
    // Little by little: what waits is kept in as little memory as it needs, which has to grow with it.
    for _ in 0..40 {
        client.send(get("/ahead", "1.1", "X-Some: more of it, so that it adds up\r\n"));
        assert_eq!(other.get("/other").text(), "done");
    }
    drop(client);
    eventually("the call is cancelled", || origin.open_connections() == 1);
}

#[test]
fn a_request_ahead_of_a_slow_answer_waits_its_turn() {
    let gate = Gate::new();
    let origin = Origin::scripted({
        let gate = gate.clone();
        move |c| {
            while let Some(request) = c.request() {
                if request.target == "/slow" {
                    gate.pass();
                }
                c.send(reply(&request.target));
            }
        }
    });
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    client.send(get("/slow", "1.1", ""));
    client.send(get("/fast", "1.1", ""));
    client.expect_nothing();
    assert_eq!(origin.requests().len(), 1);
    gate.open();
    assert_eq!((client.response().text().as_str(), client.response().text().as_str()), ("/slow", "/fast"));
}

#[test]
fn a_request_behind_connection_close_is_not_served() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    client.send(get("/a", "1.1", "Connection: close\r\n") + &get("/b", "1.1", ""));
    assert_eq!(client.response().text(), "GET /a\n");
    client.expect_end();
    assert_eq!(origin.only_request().target, "/a");
}

#[test]
fn the_end_of_a_connection_within_a_head_is_no_request() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    for start in ["G", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let mut client = Client::of(&gateway);
        client.send(start).half_close();
        client.expect_end();
    }
    assert_eq!(origin.connections(), 0);
}

/// A service as programs are written that know nothing of TCP: a head, and then its content.
fn in_two_writes() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut lines = BufReader::new(&stream).lines();
                while let Some(Ok(line)) = lines.next() {
                    if line.is_empty() {
                        (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").expect("a head");
                        (&stream).write_all(b"hello").expect("content");
                    }
                }
            });
        }
    });
    address
}

#[test]
fn a_service_that_writes_its_head_and_then_its_content_is_not_waited_for() {
    // Its system holds the second back until the first is acknowledged: 40 ms each time, unless somebody hurries.
    let document = format!("routes: {{ all: {{ match: /**, to: 'http://{}' }} }}", in_two_writes());
    let gateway = TestGateway::start(&document, &[]);
    let mut client = Client::of(&gateway);
    let started = Instant::now();
    for _ in 0..100 {
        assert_eq!(client.get("/").text(), "hello");
    }
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?} for what would take 4 s if each was held back");
}

#[test]
fn a_client_that_writes_its_head_and_then_its_content_is_not_waited_for() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    // Not `Client`, which would turn off what is looked for here.
    let stream = std::net::TcpStream::connect(gateway.address()).expect("the gateway listens");
    let mut answers = BufReader::new(&stream).lines();
    let started = Instant::now();
    for _ in 0..100 {
        (&stream).write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n").expect("a head");
        (&stream).write_all(b"hello\n").expect("content");
        assert!(answers.any(|line| line.is_ok_and(|line| line == "hello")));
    }
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?} for what would take 4 s if each was held back");
}
