//! Attacks over HTTP/2 (dangers 12 and 13, figure S3): the offender is told to calm down within 10,000 frames, others are
//! served meanwhile, the service hears of a bounded number of requests and that they are taken back.

use menshen_e2e::frames::{END, FIRST, H2, Outcome, WHOLE, code, field, frame, kind, remembered, request};
use std::time::Duration;

use menshen_e2e::{Admin, Broken, Client, Origin, PATIENCE, TestGateway, eventually};

/// Frames after which an offender is gone at the latest.
const ENOUGH: usize = 10_000;
/// Requests that one connection can start before it is stopped: those that may be under way at once, and those that it
/// may take back.
const STARTED: usize = 100 + 200;

/// Never answers; sees how many requests there are, and whether they are taken back.
fn silent() -> Origin {
    Origin::scripted(|c| {
        c.head();
        c.wait_for_close();
    })
}

/// A gateway with the canary's echo at `/` and the silent service at `/silent`.
fn gateway(echo: &Origin, silent: &Origin) -> TestGateway {
    TestGateway::start(
        "
        routes:
          canary: { match: /**, to: 'http://{origin-1}' }
          silent: { match: /silent/**, to: 'http://{origin-2}' }
        ",
        &[echo, silent],
    )
}

/// Sends this many rounds, or as many as are taken, and reads nothing.
fn flood(client: &mut H2, rounds: usize, round: impl Fn(u32) -> Vec<u8>) {
    let streams = (0..rounds).map(|n| 2 * n as u32 + 3);
    let bytes: Vec<u8> = streams.flat_map(round).collect();
    client.send(bytes);
}

#[test]
fn floods_of_frames_that_ask_for_nothing() {
    let (echo, silent) = (Origin::echo(), silent());
    let gateway = gateway(&echo, &silent);
    let table = |size: u32| [&[0, 1][..], &size.to_be_bytes()].concat();
    for (name, bytes) in [
        ("PING", frame(kind::PING, 0, 0, [0; 8])),
        ("answers to PING", frame(kind::PING, END, 0, [0; 8])),
        ("SETTINGS", frame(kind::SETTINGS, 0, 0, b"")),
        ("table sizes", frame(kind::SETTINGS, 0, 0, [table(0), table(4096)].concat())),
        ("PRIORITY", frame(kind::PRIORITY, 0, 1, [0, 0, 0, 0, 1])),
        ("WINDOW_UPDATE", frame(kind::WINDOW_UPDATE, 0, 0, 1u32.to_be_bytes())),
        ("WINDOW_UPDATE of a stream", frame(kind::WINDOW_UPDATE, 0, 1, 1u32.to_be_bytes())),
        ("unknown frames", frame(0xee, 0, 0, b"")),
        ("RST_STREAM", frame(kind::RST_STREAM, 0, 1, [0; 4])),
        ("empty DATA", frame(kind::DATA, 0, 1, b"")),
        ("DATA of padding", frame(kind::DATA, 8, 1, [1, 0])),
    ] {
        let mut client = H2::of(&gateway);
        client.post(1, "/silent");
        flood(&mut client, ENOUGH, |_| bytes.clone());
        gateway.expect_canary();
        assert_eq!(client.goaway(), code::CALM, "{name}");
        eventually("the request is taken back", || silent.open_connections() == 0);
    }
}

#[test]
fn floods_of_continuations() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    for (name, piece) in [("empty", vec![]), ("a byte", vec![0x90]), ("a field", field("x-a", "b"))] {
        let mut client = H2::of(&gateway);
        client.frame(kind::HEADERS, END, 1, request("GET", "/", b""));
        flood(&mut client, ENOUGH, |_| frame(kind::CONTINUATION, 0, 1, &piece));
        gateway.expect_canary();
        assert_eq!(client.goaway(), code::CALM, "{name}");
    }
}

#[test]
fn large_continuations_end_at_the_size_of_a_head() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = H2::of(&gateway);
    client.frame(kind::HEADERS, END, 1, request("GET", "/", b""));
    flood(&mut client, 20, |_| frame(kind::CONTINUATION, 0, 1, field("x-a", [b'v'; 16_000])));
    gateway.expect_canary();
    assert_eq!(client.goaway(), code::CALM);
}

#[test]
fn requests_that_are_taken_back_at_once() {
    let (echo, silent) = (Origin::echo(), silent());
    let gateway = gateway(&echo, &silent);
    let mut client = H2::of(&gateway);
    flood(&mut client, ENOUGH / 2, |stream| {
        let request = frame(kind::HEADERS, END | WHOLE, stream, request("GET", "/silent", b""));
        [request, frame(kind::RST_STREAM, 0, stream, code::CANCEL.to_be_bytes())].concat()
    });
    gateway.expect_canary();
    assert_eq!(client.goaway(), code::CALM);
    eventually("every request is taken back", || silent.open_connections() == 0);
    assert!(silent.requests().len() <= STARTED, "{} requests", silent.requests().len());
}

#[test]
fn a_request_that_is_taken_back_before_anybody_looked_costs_no_service_anything() {
    let (echo, silent) = (Origin::echo(), silent());
    let gateway = gateway(&echo, &silent);
    let mut client = H2::of(&gateway);
    client.expect_alive();
    flood(&mut client, 50, |stream| {
        let request = frame(kind::HEADERS, END | WHOLE, stream, request("GET", "/silent", b""));
        [request, frame(kind::RST_STREAM, 0, stream, code::CANCEL.to_be_bytes())].concat()
    });
    client.expect_alive();
    gateway.expect_canary();
    assert_eq!((silent.connections(), silent.requests().len()), (0, 0));
}

#[test]
fn resets_that_the_gateway_is_made_to_send() {
    let (echo, silent) = (Origin::echo(), silent());
    let gateway = gateway(&echo, &silent);
    let most = ((1u32 << 31) - 1).to_be_bytes();
    let variants: [(&str, &dyn Fn(u32) -> Vec<u8>); 6] = [
        ("WINDOW_UPDATE of nothing", &|s| frame(kind::WINDOW_UPDATE, 0, s, [0; 4])),
        ("a PRIORITY of the wrong size", &|s| frame(kind::PRIORITY, 0, s, [0; 4])),
        ("a PRIORITY on itself", &|s| frame(kind::PRIORITY, 0, s, [&s.to_be_bytes()[..], &[1]].concat())),
        ("a window that overflows", &|s| frame(kind::WINDOW_UPDATE, 0, s, most)),
        ("HEADERS after the end", &|s| frame(kind::HEADERS, END | WHOLE, s, request("GET", "/", b""))),
        ("DATA after the end", &|s| frame(kind::DATA, END, s, b"x")),
    ];
    for (name, offence) in variants {
        let before = silent.requests().len();
        let mut client = H2::of(&gateway);
        flood(&mut client, ENOUGH / 2, |stream| {
            let request = frame(kind::HEADERS, END | WHOLE, stream, request("GET", "/silent", b""));
            [request, offence(stream)].concat()
        });
        gateway.expect_canary();
        assert_ne!(client.goaway(), code::NONE, "{name}");
        eventually("every request is taken back", || silent.open_connections() == 0);
        let started = silent.requests().len() - before;
        assert!(started <= STARTED, "{name}: {started} requests");
    }
}

#[test]
fn malformed_requests_without_end() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = H2::of(&gateway);
    let malformed = request("GET", "/", field("x-a", " b"));
    flood(&mut client, ENOUGH, |stream| frame(kind::HEADERS, END | WHOLE, stream, &malformed));
    gateway.expect_canary();
    assert_eq!(client.goaway(), code::CALM);
}

/// A request whose `n` further fields are a byte each.
fn bomb(n: usize, name: &str) -> Vec<u8> {
    request("GET", "/", [remembered(name, "a"), vec![FIRST; n]].concat())
}

#[test]
fn more_fields_than_a_request_may_have_are_refused_however_short_they_are() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    for name in ["cookie", "x-a"] {
        let mut client = H2::of(&gateway);
        client.frame(kind::HEADERS, END | WHOLE, 1, bomb(99, name));
        assert_eq!(client.outcome(1), Outcome::Answer(200, "GET /\n".to_owned()), "{name}: 100 fields");
        let mut client = H2::of(&gateway);
        client.frame(kind::HEADERS, END | WHOLE, 1, bomb(100, name));
        assert!(matches!(client.outcome(1), Outcome::Answer(431, _)), "{name}: 101 fields");
        for n in [1_000, 16_000] {
            let mut client = H2::of(&gateway);
            client.frame(kind::HEADERS, END | WHOLE, 1, bomb(n, name));
            assert_eq!(client.goaway(), code::CALM, "{name}: {n} fields");
        }
    }
    assert_eq!(origin.requests().len(), 2);
    assert_eq!(origin.requests()[0].fields.get("cookie").map(str::len), Some(100 * "a; ".len() - 2));
}

#[test]
fn a_large_value_that_is_referred_to_again_and_again_counts_each_time() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let bomb = |n| request("GET", "/", [remembered("x-a", [b'v'; 1000]), vec![FIRST; n]].concat());
    let mut client = H2::of(&gateway);
    client.frame(kind::HEADERS, END | WHOLE, 1, bomb(25));
    assert_eq!(client.outcome(1), Outcome::Answer(200, "GET /\n".to_owned()));
    let mut client = H2::of(&gateway);
    client.frame(kind::HEADERS, END | WHOLE, 1, bomb(40));
    assert!(matches!(client.outcome(1), Outcome::Answer(431, _)));
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn bombs_on_every_stream_of_a_connection_that_takes_no_answers() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = H2::connect(gateway.address(), &[(4, 0)]);
    let first = bomb(0, "cookie");
    let others = request("GET", "/", [FIRST; 300]);
    client.frame(kind::HEADERS, END | WHOLE, 1, first);
    flood(&mut client, 99, |stream| frame(kind::HEADERS, END | WHOLE, stream, &others));
    gateway.expect_canary();
    client.expect_alive();
    // The first may still be on its way; the others were refused before the PING was answered.
    eventually("the first and the canary's arrive", || origin.requests().len() >= 2);
    assert_eq!(origin.requests().len(), 2, "the first and the canary's");
}

#[test]
fn a_window_that_opens_byte_by_byte_is_no_progress() {
    let origin = Origin::answering(|_| menshen_e2e::reply(&"x".repeat(100_000)));
    let gateway = TestGateway::start(
        "
        listeners: { http: { bind: '127.0.0.1:0', timeouts: { write: 150ms } } }
        routes: { all: { match: /**, to: 'http://{origin}' } }
        ",
        &[&origin],
    );
    let mut client = H2::connect(gateway.address(), &[(4, 0)]);
    client.get(1, "/");
    client.wire().set_patience(Duration::from_millis(20));
    let outcome = loop {
        match client.read() {
            Ok(frame) if frame.kind == kind::RST_STREAM => break frame,
            Ok(_) => {}
            // Whenever it is quiet, the window opens by a byte.
            Err(Broken::Silent) => drop(client.window(1, 1)),
            Err(broken) => panic!("no reset: {broken}"),
        }
    };
    client.wire().set_patience(PATIENCE);
    assert_eq!((outcome.kind, outcome.code() == code::NONE), (kind::RST_STREAM, false));
    client.expect_alive();
    eventually("the service is let go", || origin.open_connections() <= 1);
}

#[test]
fn uploads_that_nobody_takes_are_held_within_the_connections_window() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(
        "
        routes:
          canary: { match: /**, to: 'http://{origin}' }
          slow: { match: /slow, to: 'http://{origin}', filters: [{ fault: { delay: 1m } }] }
        ",
        &[&origin],
    );
    let mut client = H2::of(&gateway);
    for n in 0..100 {
        client.post(2 * n + 1, "/slow");
    }
    // A mebibyte in all, for a hundred streams that could have a quarter of it each.
    for n in 0..64 {
        client.frame(kind::DATA, 0, 2 * n + 1, [0; 16_384]);
    }
    gateway.expect_canary();
    client.expect_alive();
    assert_eq!(client.frame(kind::DATA, 0, 1, b"x").goaway(), code::FLOW_CONTROL);
}

#[test]
fn who_never_reads_is_gone_all_the_same() {
    let origin = Origin::answering(|_| menshen_e2e::reply(&"x".repeat(100_000)));
    let gateway = TestGateway::start(
        "
        listeners: { http: { bind: '127.0.0.1:0', timeouts: { write: 200ms, idle: 200ms } } }
        routes: { all: { match: /**, to: 'http://{origin}' } }
        gateway:
          admin: 127.0.0.1:0
        ",
        &[&origin],
    );
    let mut client = Client::with_small_window(&gateway);
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").send(frame(
        kind::SETTINGS,
        0,
        0,
        [0, 4, 127, 255, 255, 255],
    ));
    client.send(frame(kind::WINDOW_UPDATE, 0, 0, 0x7000_0000u32.to_be_bytes()));
    for stream in 0..100 {
        client.send(frame(kind::HEADERS, END | WHOLE, 2 * stream + 1, request("GET", "/", b"")));
    }
    let admin = Admin::of(&gateway);
    eventually("the connection is given up", || {
        admin.metric("menshen_connections_accepted_total") == 1 && admin.metric("menshen_connections") == 0
    });
    assert!(matches!(client.rest(), Err(Broken::Reset) | Ok(_)));
}

#[test]
fn floods_are_counted() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(
        "gateway:\n  admin: 127.0.0.1:0\nroutes: { all: { match: /**, to: 'http://{origin}' } }",
        &[&origin],
    );
    let mut client = H2::of(&gateway);
    let ping = frame(kind::PING, 0, 0, [0; 8]);
    assert_eq!(client.send(ping.repeat(5000)).goaway(), code::CALM);
    assert_eq!(Admin::of(&gateway).metric("menshen_connections_calmed_total"), 1);
}
