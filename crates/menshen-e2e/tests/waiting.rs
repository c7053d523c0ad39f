//! Clients that let the gateway wait (dangers 12 and 14, figure S1): what that may cost. One test at a time, because they
//! measure this process.

use std::sync::{Mutex, PoisonError};

use menshen_e2e::frames::{END, H2, WHOLE, frame, kind, request};
use menshen_e2e::{Client, Gate, Origin, TestGateway, reply, settled};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// SETTINGS_INITIAL_WINDOW_SIZE.
const WINDOW: u16 = 4;
/// Streams of a connection.
const STREAMS: u32 = 100;
/// A window that is not what is waited for.
const LARGE: u32 = 0x7000_0000;

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

/// A service that answers `/gated` when the gate says so, and all else with much; it holds one copy of that.
fn service() -> (Origin, Gate, Gate) {
    let (asked, go_on) = (Gate::new(), Gate::new());
    let origin = Origin::scripted({
        let (asked, go_on) = (asked.clone(), go_on.clone());
        let much = reply(&"x".repeat(256 * 1024));
        move |c| {
            while let Some(request) = c.request() {
                if request.target == "/gated" {
                    asked.open();
                    go_on.pass();
                    c.send(reply("small"));
                } else if !c.send(&much) {
                    return;
                }
            }
        }
    });
    (origin, asked, go_on)
}

/// A gateway whose connections to the service, with their other ends in this process, are there before anything is
/// measured.
fn warm(origin: &Origin, asked: &Gate, go_on: &Gate) -> (TestGateway, Vec<H2>) {
    let gateway = TestGateway::in_front_of(origin);
    let mut clients: Vec<H2> = (0..2).map(|_| H2::of(&gateway)).collect();
    for client in &mut clients {
        for n in 0..STREAMS {
            client.get(2 * n + 1, "/gated");
        }
    }
    (0..2 * STREAMS).for_each(|_| asked.pass());
    go_on.open_for(u64::from(2 * STREAMS));
    for client in &mut clients {
        (0..STREAMS)
            .for_each(|_| drop(client.until("an end", |f| f.kind == kind::DATA && f.flags & END != 0)));
    }
    (gateway, clients)
}

/// A client that has asked for much on all its streams, and takes of each what fits into a window of this size.
fn taking(gateway: &TestGateway, window: u32) -> H2 {
    let mut client = H2::connect(gateway.address(), &[(WINDOW, window)]);
    client.window(0, LARGE);
    for n in 0..STREAMS {
        client.get(2 * n + 1, "/much");
    }
    let mut left = u64::from(STREAMS * window);
    while left > 0 {
        left -= client.until("content", |f| f.kind == kind::DATA).payload.len() as u64;
    }
    client.expect_alive();
    client
}

/// A client with large windows that has asked for much on all its streams and reads nothing.
fn deaf(gateway: &TestGateway) -> Client {
    let mut client = Client::with_small_window(gateway);
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    client.send(frame(kind::SETTINGS, 0, 0, [&WINDOW.to_be_bytes()[..], &LARGE.to_be_bytes()].concat()));
    client.send(frame(kind::WINDOW_UPDATE, 0, 0, LARGE.to_be_bytes()));
    for n in 0..STREAMS {
        client.send(frame(kind::HEADERS, END | WHOLE, 2 * n + 1, request("GET", "/much", b"")));
    }
    client
}

#[test]
fn an_answer_that_waits_for_a_window_costs_little() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // Where content flows before, the worker keeps some of the buffers for the next ones who come.
    for (window, most) in [(1, 12), (20_000, 30), (65_535, 30)] {
        let (origin, asked, go_on) = service();
        let (gateway, _idle) = warm(&origin, &asked, &go_on);
        let _first = taking(&gateway, window);
        let before = resident();
        let _second = taking(&gateway, window);
        let cost = resident().saturating_sub(before) / u64::from(STREAMS);
        assert!(cost < most, "{cost} KiB for an answer that waits behind a window of {window} bytes");
    }
}

#[test]
fn an_answer_of_a_service_that_speaks_http2_costs_what_is_offered_to_who_takes_nothing() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (origin, asked, go_on) = service();
    let (back, _idle) = warm(&origin, &asked, &go_on);
    let services = format!("services: {{ back: {{ protocol: h2c, endpoints: ['{}'] }} }}", back.address());
    let routes = "routes: { all: { match: /**, to: back } }";
    let gateway = TestGateway::start(&format!("{services}\n{routes}"), &[]);
    let _first = taking(&gateway, 1);
    let before = resident();
    let _second = taking(&gateway, 1);
    let cost = resident().saturating_sub(before) / u64::from(STREAMS);
    assert!(cost < 80, "{cost} KiB for an answer of which a byte is taken, in two gateways");
}

#[test]
fn all_answers_of_a_connection_that_is_not_read_cost_a_bounded_amount() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (origin, asked, go_on) = service();
    let (gateway, _idle) = warm(&origin, &asked, &go_on);
    let before = resident();
    let _client = deaf(&gateway);
    let cost = settled(|| resident().saturating_sub(before));
    assert!(cost < 8 * 1024, "{cost} KiB for a client that reads nothing");
}

#[test]
fn half_a_head_waits_in_little_memory() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let halves = |n: u32| -> Vec<Client> {
        let mut clients: Vec<Client> = (0..n).map(|_| Client::of(&gateway)).collect();
        for client in &mut clients {
            client.send("GET / HTTP/1.1\r\nHost: a\r\nX: y");
        }
        gateway.expect_canary();
        clients
    };
    let _first = halves(100);
    let before = resident();
    let mut clients = halves(400);
    let cost = resident().saturating_sub(before) / 400;
    assert!(cost < 10, "{cost} KiB for a connection with half a head");
    for length in [2047, 2048, 2049, 16_384] {
        let mut client = Client::of(&gateway);
        client.send(format!("{:x<length$}", "GET / HTTP/1.1\r\nHost: a\r\nX: "));
        gateway.expect_canary();
        assert_eq!(
            client.send("y\r\n\r\n").response().status,
            200,
            "a head of which {length} bytes came first"
        );
    }
    let last = clients.last_mut().unwrap();
    assert_eq!(last.send("\r\n\r\n").response().status, 200);
}
