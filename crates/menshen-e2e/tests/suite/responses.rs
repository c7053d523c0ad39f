//! Responses of services: what has content, what is malformed, and which connections carry another request.

use menshen_e2e::{Client, Gate, Origin, TestGateway, reply};

fn answered(answer: impl AsRef<[u8]> + Send + Sync + 'static) -> (Origin, TestGateway) {
    let answer = answer.as_ref().to_vec();
    let origin = Origin::answering(move |_| answer.clone());
    let gateway = TestGateway::in_front_of(&origin);
    (origin, gateway)
}

const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn responses_without_content_keep_both_connections() {
    for (request, answer, length) in [
        (HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", Some("7")),
        (HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        (HEAD, "HTTP/1.1 200 OK\r\n\r\n", None),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n", None),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
            Some("7"),
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n\r\n", None),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Some("0")),
    ] {
        let (origin, gateway) = answered(answer);
        let mut client = Client::of(&gateway);
        for _ in 0..3 {
            let response = client.send(request).response_to_head();
            assert_eq!(response.fields.get("content-length"), length, "{answer}");
            assert!(!response.fields.has("transfer-encoding") && !response.says_close(), "{answer}");
        }
        assert_eq!(origin.connections(), 1, "{answer}");
    }
}

#[test]
fn the_gateway_s_own_answers_have_no_content_where_none_may_be() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(
        "
        routes:
          fixed: { match: /fixed, to: { respond: { body: content } } }
          empty: { match: /empty, to: { respond: { status: 204 } } }
          echo: { match: /echo, to: 'http://{origin}' }
        ",
        &[&origin],
    );
    let mut client = Client::of(&gateway);
    for (target, status) in [("/nowhere", 404), ("/fixed", 200), ("/echo%zz", 400)] {
        let response = client.send(format!("HEAD {target} HTTP/1.1\r\nHost: a\r\n\r\n")).response_to_head();
        assert_eq!(response.status, status);
        assert!(response.fields.get("content-length").is_some_and(|n| n != "0"), "{target}");
    }
    let empty = client.get("/empty");
    assert!(!empty.fields.has("content-length") && !empty.fields.has("transfer-encoding"));
    assert_eq!(client.get("/echo").text(), "GET /echo\n");
}

#[test]
fn bytes_behind_a_response_are_no_answer_to_the_next_request() {
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    for (request, surplus) in [
        ("GET", format!("{}X", reply("good"))),
        ("GET", reply("good") + evil),
        ("GET", format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n{evil}")),
        ("GET", format!("HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n{evil}")),
        ("GET", format!("HTTP/1.1 304 Not Modified\r\n\r\n{evil}")),
        ("HEAD", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{evil}", evil.len())),
    ] {
        let (origin, gateway) = answered(surplus.clone());
        let mut client = Client::of(&gateway);
        for round in 1..=3 {
            client.send(format!("{request} /x HTTP/1.1\r\nHost: a\r\n\r\n"));
            let response = if request == "HEAD" { client.response_to_head() } else { client.response() };
            assert!(matches!(response.text().as_str(), "good" | ""), "{surplus}: {}", response.text());
            assert_eq!(origin.connections(), round, "{surplus}: the connection must not be used again");
        }
    }
}

#[test]
fn bytes_that_come_late_are_no_answer_to_the_next_request_either() {
    let (again, sent) = (Gate::new(), Gate::new());
    let talkative = Origin::scripted({
        let (again, sent) = (again.clone(), sent.clone());
        move |c| {
            c.request();
            c.send(reply("good"));
            again.pass();
            c.send(reply("evil"));
            sent.open();
            c.wait_for_close();
        }
    });
    let other = Origin::echo();
    let gateway = TestGateway::start(
        "
        routes:
          a: { match: /a, to: 'http://{origin-1}' }
          b: { match: /b, to: 'http://{origin-2}' }
        ",
        &[&talkative, &other],
    );
    let mut client = Client::of(&gateway);
    for connections in 1..=5 {
        assert_eq!(client.get("/a").text(), "good");
        again.open();
        sent.pass();
        // The worker looks at its sockets at least once before the next request.
        assert_eq!(Client::of(&gateway).get("/b").text(), "GET /b\n");
        assert_eq!(talkative.connections(), connections);
    }
}

#[test]
fn a_connection_of_the_service_is_used_again_only_if_it_stays_open() {
    for (answer, connections) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 1),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 1),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", 1),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", 3),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 3),
    ] {
        let (origin, gateway) = answered(answer);
        let mut client = Client::of(&gateway);
        for _ in 0..3 {
            assert_eq!(client.get("/").text(), "hi");
        }
        assert_eq!(origin.connections(), connections, "{answer}");
    }
}

#[test]
fn content_that_ends_with_the_connection_becomes_chunked() {
    let origin = Origin::scripted(|c| {
        c.request();
        c.send("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    });
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    for _ in 0..2 {
        let response = client.get("/");
        assert_eq!(response.text(), "until the end");
        assert_eq!(response.fields.get("transfer-encoding"), Some("chunked"));
    }
}

#[test]
fn a_response_head_in_doubt_is_a_failure_of_the_service() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\nhi",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
        "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "ICY 200 OK\r\n\r\nhi",
        "hello",
    ] {
        let origin = Origin::scripted(move |c| {
            c.request();
            c.send(head);
            c.send("\r\n\r\n");
            c.wait_for_close();
        });
        let gateway = TestGateway::in_front_of(&origin);
        let mut client = Client::of(&gateway);
        assert_eq!(client.get("/").outcome(), "502 bad-response-head", "{head:?}");
        assert_eq!(origin.requests().len(), 1, "{head:?}: not asked again");
    }
}

#[test]
fn a_response_head_without_end_is_cut_off() {
    let origin = Origin::scripted(|c| {
        c.request();
        c.send("HTTP/1.1 200 OK\r\n");
        while c.send(format!("X: {}\r\n", "y".repeat(1000))) {}
    });
    let gateway = TestGateway::in_front_of(&origin);
    assert_eq!(Client::of(&gateway).get("/").outcome(), "502 bad-response-head");
}

#[test]
fn large_content_arrives_whole_in_either_framing_and_both_directions() {
    let origin = Origin::scripted(|c| {
        while let Some(request) = c.request() {
            let chunks: Vec<u8> = request
                .body
                .chunks(70_001)
                .flat_map(|p| [format!("{:x}\r\n", p.len()).as_bytes(), p, b"\r\n"].concat())
                .collect();
            c.send(
                [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &chunks[..], b"0\r\n\r\n"]
                    .concat(),
            );
        }
    });
    let gateway = TestGateway::in_front_of(&origin);
    let body: Vec<u8> = (0..3_000_000u32).map(|i| (i * 31 % 251) as u8).collect();
    for framing in ["length", "chunked"] {
        let mut client = Client::of(&gateway);
        let mut bytes = Vec::new();
        if framing == "length" {
            bytes.extend(
                format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(),
            );
            bytes.extend(&body);
        } else {
            bytes.extend(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
            for piece in body.chunks(99_999) {
                bytes.extend(format!("{:x}\r\n", piece.len()).as_bytes());
                bytes.extend(piece);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
        }
        let response = client.send(bytes).response();
        assert!(response.body == body, "{framing}: {} bytes came", response.body.len());
    }
}
