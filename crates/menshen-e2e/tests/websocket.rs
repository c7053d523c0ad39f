//! WebSocket through the gateway: frames as they are, and a goodbye when the gateway stops.

use menshen_e2e::frames::{END, H2, field, kind};
use menshen_e2e::{Client, Gate, Origin, TestGateway, eventually, reply_with};

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const GOING_AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];
/// The client's answer, masked with zeros.
const ANSWER: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

fn text(words: &str) -> Vec<u8> {
    [&[0x81, words.len() as u8], words.as_bytes()].concat()
}

#[test]
fn when_the_gateway_stops_clients_are_told_between_two_frames_that_it_goes_away() {
    let (half, rest) = (Gate::new(), Gate::new());
    let origin = Origin::scripted({
        let (half, rest) = (half.clone(), rest.clone());
        move |c| {
            c.head();
            c.send(SWITCHING);
            let frame = text("hello there");
            let (first, second) = frame.split_at(5);
            c.send(first);
            half.open();
            rest.pass();
            c.send(second);
            assert_eq!(c.wire().take(ANSWER.len()).unwrap(), ANSWER);
        }
    });
    let mut gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    client.send(ASK);
    assert_eq!(client.head().unwrap().status, 101);
    half.pass();
    assert_eq!(client.wire().take(5).unwrap(), text("hello there")[..5]);
    let stopped = gateway.stop_beside();
    eventually("the gateway has begun to stop", || std::net::TcpStream::connect(gateway.address()).is_err());
    rest.open();
    assert_eq!(client.wire().take(8).unwrap(), text("hello there")[5..], "the frame under way is finished");
    assert_eq!(client.wire().take(4).unwrap(), GOING_AWAY);
    client.send(ANSWER);
    client.half_close();
    client.expect_end();
    stopped.join().unwrap();
}

#[test]
fn another_protocol_than_websocket_is_not_spoken_into() {
    let origin = Origin::scripted(|c| {
        c.head();
        c.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n");
        c.wait_for_close();
    });
    let mut gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n");
    assert_eq!(client.head().unwrap().status, 101);
    let stopped = gateway.stop_beside();
    eventually("the gateway has begun to stop", || std::net::TcpStream::connect(gateway.address()).is_err());
    client.half_close();
    assert_eq!(client.wire().take_all().unwrap(), b"");
    stopped.join().unwrap();
}

/// An extended CONNECT (RFC 8441).
fn connect(h2: &mut H2, stream: u32, protocol: &str) {
    let fields = [
        (":method", "CONNECT"),
        (":protocol", protocol),
        (":scheme", "http"),
        (":path", "/chat?room=1"),
        (":authority", "a"),
        ("sec-websocket-version", "13"),
    ];
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
    h2.frame(kind::HEADERS, END_HEADERS, stream, block);
}

const END_HEADERS: u8 = 0x4;
/// SETTINGS_INITIAL_WINDOW_SIZE.
const WINDOW: u16 = 4;

fn data(h2: &mut H2, stream: u32) -> Vec<u8> {
    h2.until("DATA", |f| f.kind == kind::DATA && f.stream == stream && !f.payload.is_empty()).payload
}

#[test]
fn a_websocket_over_http2_is_an_upgrade_for_the_service_and_carries_frames_both_ways() {
    let origin = Origin::scripted(|c| {
        let asked = c.head().unwrap();
        assert_eq!((asked.method.as_str(), asked.target.as_str()), ("GET", "/chat?room=1"));
        assert_eq!(asked.fields.get("upgrade"), Some("websocket"));
        assert_eq!(asked.fields.get("sec-websocket-version"), Some("13"));
        assert_eq!(asked.fields.get("sec-websocket-key").map(str::len), Some(24));
        c.send(SWITCHING);
        let got = c.wire().take(5).unwrap();
        c.send([&b"echo "[..], &got].concat());
        c.wait_for_close();
    });
    let mut gateway = TestGateway::in_front_of(&origin);
    let mut h2 = H2::of(&gateway);
    connect(&mut h2, 1, "websocket");
    let answer = h2.until("the answer", |f| f.kind == kind::HEADERS && f.stream == 1);
    assert_eq!(answer.flags & END, 0, "the stream stays open");
    h2.frame(kind::DATA, 0, 1, "hello");
    assert_eq!(data(&mut h2, 1), b"echo hello");
    h2.get(3, "/still-here");
    let stopped = gateway.stop_beside();
    h2.reset(3);
    h2.reset(1);
    drop(h2);
    stopped.join().unwrap();
}

#[test]
fn when_the_gateway_stops_a_websocket_over_http2_is_told_too() {
    let origin = Origin::scripted(|c| {
        c.head();
        c.send(SWITCHING);
        c.send(text("hi"));
        c.wait_for_close();
    });
    let mut gateway = TestGateway::in_front_of(&origin);
    let mut h2 = H2::of(&gateway);
    connect(&mut h2, 1, "websocket");
    assert_eq!(data(&mut h2, 1), text("hi"));
    let stopped = gateway.stop_beside();
    assert_eq!(data(&mut h2, 1), GOING_AWAY);
    drop(h2);
    stopped.join().unwrap();
}

#[test]
fn a_goodbye_over_http2_waits_for_its_window_and_holds_up_no_other_stream() {
    let origin = Origin::scripted(|c| {
        let asked = c.head().unwrap();
        if asked.target == "/chat?room=1" {
            c.send(SWITCHING);
            c.send(text("hi"));
            c.wait_for_close();
        } else if c.content(asked).is_some() {
            c.send(reply_with("200 OK", "", "late"));
        }
    });
    let mut gateway = TestGateway::in_front_of(&origin);
    // The frame of the service fits, and not a byte more.
    let mut h2 = H2::connect(gateway.address(), &[(WINDOW, 4)]);
    connect(&mut h2, 1, "websocket");
    assert_eq!(data(&mut h2, 1), text("hi"));
    h2.post(3, "/other");
    let stopped = gateway.stop_beside();
    h2.until("goodbye to the connection", |f| f.kind == kind::GOAWAY);
    h2.frame(kind::PING, 0, 0, b"anything");
    let next =
        h2.until("content, or an answer to PING", |f| f.kind == kind::DATA || f.payload == b"anything");
    assert_eq!(next.kind, kind::PING, "nothing is sent that does not fit");
    h2.window(1, 3);
    assert_eq!(data(&mut h2, 1), GOING_AWAY[..3]);
    h2.frame(kind::DATA, END, 3, b"");
    assert_eq!(data(&mut h2, 3), b"late", "the others go on");
    h2.window(1, 1);
    let last = h2.until("the end", |f| f.kind == kind::DATA && f.stream == 1);
    assert_eq!((&last.payload[..], last.flags), (&GOING_AWAY[3..], END));
    drop(h2);
    stopped.join().unwrap();
}

#[test]
fn a_service_that_refuses_the_upgrade_answers_as_to_any_request() {
    let origin = Origin::answering(|_| reply_with("403 Forbidden", "", "no"));
    let gateway = TestGateway::in_front_of(&origin);
    let mut h2 = H2::of(&gateway);
    connect(&mut h2, 1, "websocket");
    assert_eq!(data(&mut h2, 1), b"no");
    connect(&mut h2, 3, "something-else");
    let refused = String::from_utf8(data(&mut h2, 3)).unwrap();
    assert!(refused.contains("connect-not-offered"), "{refused}");
    assert_eq!(origin.requests().len(), 1);
}

/// A Close frame with the code 1009, "message too big".
const TOO_BIG: [u8; 4] = [0x88, 0x02, 0x03, 0xf1];

/// A service that has read enough: it says why and closes, although more is on its way to it.
fn impatient() -> Origin {
    Origin::scripted(|c| {
        c.head();
        c.send(SWITCHING);
        let _ = c.wire().take(1);
        c.send(TOO_BIG);
    })
}

#[test]
fn why_a_service_takes_no_more_arrives_although_the_client_is_still_sending() {
    let origin = impatient();
    let gateway = TestGateway::in_front_of(&origin);
    for _ in 0..20 {
        let mut client = Client::of(&gateway);
        client.send(ASK);
        assert_eq!(client.head().unwrap().status, 101);
        let mut sender = client.wire().clone_sender();
        let sending = std::thread::spawn(move || while sender.send(vec![0; 64 * 1024]) {});
        assert_eq!(client.wire().take(4).unwrap(), TOO_BIG);
        client.half_close();
        sending.join().unwrap();
    }
}

#[test]
fn over_http2_it_arrives_too_even_if_it_has_to_wait_for_a_window() {
    let origin = impatient();
    let gateway = TestGateway::in_front_of(&origin);
    let mut h2 = H2::connect(gateway.address(), &[(WINDOW, 0)]);
    connect(&mut h2, 1, "websocket");
    h2.frame(kind::DATA, 0, 1, [0; 100]);
    eventually("the service has gone", || origin.connections() == 1 && origin.open_connections() == 0);
    for _ in 0..3 {
        h2.frame(kind::DATA, 0, 1, [0; 100]).expect_alive();
    }
    h2.window(1, 4);
    assert_eq!(data(&mut h2, 1), TOO_BIG);
    h2.until("the end", |f| f.stream == 1 && f.flags & END != 0);
}
