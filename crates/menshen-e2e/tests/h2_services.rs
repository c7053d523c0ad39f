//! Services that speak HTTP/2 (RFC 9113), also those that speak it badly: what a client sees of it, and that other
//! requests on the same connection see nothing.

use menshen_e2e::frames::{END, H2, Outcome, WHOLE, field, frame, kind, request};
use menshen_e2e::{Broken, Client, Conversation, Origin, TestGateway, reply};

const DOCUMENT: &str = "
    services: { s: { endpoints: ['{origin}'], protocol: h2c } }
    routes: { all: { match: /**, to: s } }
    ";

/// Greets, and waits for so many requests; their streams.
fn asked(c: &mut Conversation, requests: usize) -> Vec<u32> {
    c.send(frame(kind::SETTINGS, 0, 0, b""));
    let mut streams = Vec::new();
    if c.wire().take(24).is_err() {
        return streams;
    }
    while streams.len() < requests {
        let Ok(head) = c.wire().take(9) else { break };
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        if c.wire().take(length as usize).is_err() {
            break;
        }
        if head[3] == kind::HEADERS {
            streams.push(u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
        }
    }
    streams
}

/// The head of a 200, with more fields.
fn ok(stream: u32, more: &[u8]) -> Vec<u8> {
    frame(kind::HEADERS, WHOLE, stream, [&[0x88], more].concat())
}

#[test]
fn an_answer_right_before_the_end_of_the_connection_arrives() {
    let service = Origin::scripted(|c| {
        for stream in asked(c, 1) {
            let goodbye = frame(kind::GOAWAY, 0, 0, [stream.to_be_bytes(), [0; 4]].concat());
            c.send([ok(stream, b""), frame(kind::DATA, END, stream, b"whole"), goodbye].concat());
        }
    });
    let gateway = TestGateway::start(DOCUMENT, &[&service]);
    for _ in 0..20 {
        let mut client = Client::of(&gateway);
        let answer = client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").response();
        assert_eq!((answer.status, answer.text()), (200, "whole".into()));
    }
}

#[test]
fn an_answer_that_is_shorter_than_its_length_is_seen_to_be_cut() {
    let service = Origin::scripted(|c| {
        for stream in asked(c, 1) {
            c.send(
                [ok(stream, &field("content-length", "10")), frame(kind::DATA, END, stream, b"short")]
                    .concat(),
            );
        }
        c.wait_for_close();
    });
    let gateway = TestGateway::start(DOCUMENT, &[&service]);
    let cut = Client::of(&gateway).send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").try_response();
    assert!(matches!(cut, Err(Broken::Truncated(_) | Broken::Reset)), "{cut:?}");
    let other = TestGateway::start(DOCUMENT, &[&service]);
    assert_eq!(H2::of(&other).get(1, "/").outcome(1), Outcome::Reset(2));
}

#[test]
fn an_answer_that_is_longer_than_its_length_costs_no_other_request() {
    let service = Origin::scripted(|c| {
        if let [bad, good] = asked(c, 2)[..] {
            let long = frame(kind::DATA, 0, bad, b"too long").repeat(3);
            c.send([ok(bad, &field("content-length", "3")), long].concat());
            c.send([ok(good, b""), frame(kind::DATA, END, good, b"good")].concat());
        }
        c.wait_for_close();
    });
    let gateway = TestGateway::start(DOCUMENT, &[&service]);
    let mut client = H2::of(&gateway);
    client.get(1, "/").get(3, "/");
    let (mut resets, mut ends) = (0, 0);
    while (resets, ends) != (1, 1) {
        let frame = client
            .until("end of a stream", |f| f.kind == kind::RST_STREAM || f.flags & END != 0 && f.stream > 0);
        if frame.kind == kind::RST_STREAM { resets += 1 } else { ends += 1 }
    }
    client.expect_alive();
    assert_eq!(service.connections(), 1);
}

#[test]
fn a_service_that_stops_uploads_behind_its_answers_is_no_flood() {
    let service = Origin::scripted(|c| {
        let mut streams = asked(c, 1);
        while let Some(stream) = streams.pop() {
            let refusal = frame(kind::HEADERS, WHOLE | END, stream, [0x88]);
            c.send([refusal, frame(kind::RST_STREAM, 0, stream, [0; 4])].concat());
            while let Ok(head) = c.wire().take(9) {
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let _ = c.wire().take(length as usize);
                if head[3] == kind::HEADERS {
                    streams.push(u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
                    break;
                }
            }
        }
    });
    let gateway = TestGateway::start(DOCUMENT, &[&service]);
    let mut client = H2::of(&gateway);
    for n in 0..400 {
        client.post(2 * n + 1, "/");
        let fits = |f: &menshen_e2e::frames::Frame| f.stream == 2 * n + 1 && f.flags & END != 0;
        assert_eq!(client.until("answer", fits).kind, kind::HEADERS);
        client.frame(kind::DATA, END, 2 * n + 1, b"");
    }
    assert_eq!(service.connections(), 1);
}

/// A gateway that speaks h2c to another.
fn in_front_of(back: &TestGateway) -> TestGateway {
    let document = DOCUMENT.replace("{origin}", &back.address().to_string());
    let front = "    listeners: { web: { bind: '127.0.0.1:0', limits: { streams: 1000 } } }";
    TestGateway::start(&format!("\n{front}{document}"), &[])
}

#[test]
fn clients_that_take_nothing_keep_no_other_client_of_the_service_waiting() {
    let origin = Origin::answering(|r| reply(&"x".repeat(if r.target == "/big" { 600_000 } else { 3 })));
    let back = TestGateway::in_front_of(&origin);
    let gateway = in_front_of(&back);
    let mut client = H2::connect(gateway.address(), &[(4, 0)]);
    for n in 0..60 {
        client.get(2 * n + 1, "/big");
    }
    for _ in 0..60 {
        client.until("head", |f| f.kind == kind::HEADERS);
    }
    client.get(201, "/small").window(201, 1000);
    let answer = client.until("an end", |f| f.stream == 201 && f.flags & END != 0);
    assert_eq!(answer.payload, b"xxx");
}

#[test]
fn more_requests_at_once_than_a_connection_carries_find_others() {
    // Slow enough that no connection has room again before all have looked for one.
    let back = TestGateway::start(
        "routes: { all: { match: /**, to: { respond: { body: hello } }, filters: [{ fault: { delay: 500ms } }] } }",
        &[],
    );
    let gateway = in_front_of(&back);
    let mut client = H2::of(&gateway);
    let get = |n: u32| frame(kind::HEADERS, END | WHOLE, 2 * n + 1, request("GET", "/", b""));
    client.send((0..1000).flat_map(get).collect::<Vec<u8>>());
    let heads = (0..1000).map(|_| client.until("head", |f| f.kind == kind::HEADERS));
    assert_eq!(heads.filter(|head| head.payload.first() != Some(&0x88)).count(), 0);
}

#[test]
fn what_a_filter_holds_back_to_the_end_waits_for_the_windows() {
    let origin = Origin::answering(|_| {
        menshen_e2e::reply_with("200 OK", "Content-Type: text/plain\r\n", &"compress me ".repeat(10_000))
    });
    let gateway = TestGateway::start(
        "
        listeners: { web: { bind: '127.0.0.1:0', filters: [ compress ] } }
        routes: { all: { match: /**, to: 'http://{origin}' } }
        ",
        &[&origin],
    );
    let mut client = H2::connect(gateway.address(), &[(4, 0)]);
    client.frame(kind::HEADERS, END | WHOLE, 1, request("GET", "/", field("accept-encoding", "gzip")));
    loop {
        client.window(1, 1);
        let piece = client.until("content", |f| f.kind == kind::DATA && f.stream == 1);
        if piece.flags & END != 0 && piece.payload.is_empty() {
            break;
        }
        assert_eq!(piece.payload.len(), 1, "more than the window");
    }
}
