//! Clients that leave or read slowly (figures U5, S2): the service is told, and nothing piles up in between.

use std::time::{Duration, Instant};

use menshen_e2e::{Client, Gate, Origin, TestGateway, eventually, reply, settled};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_client_that_leaves_before_the_answer_cancels_the_call() {
    for how in ["close", "reset"] {
        let asked = Gate::new();
        let origin = Origin::scripted({
            let asked = asked.clone();
            move |c| {
                c.request();
                asked.open();
                c.wait_for_close();
            }
        });
        let gateway = TestGateway::in_front_of(&origin);
        let mut client = Client::of(&gateway);
        client.send(GET);
        asked.pass();
        let left = Instant::now();
        if how == "reset" {
            client.reset()
        } else {
            drop(client)
        }
        eventually("the call is cancelled", || origin.open_connections() == 0);
        assert!(left.elapsed() < Duration::from_secs(1), "{how}: {:?}", left.elapsed());
        assert_eq!(origin.requests().len(), 1, "{how}: not sent again");
    }
}

#[test]
fn a_client_that_leaves_within_the_answer_cancels_the_call() {
    for framing in ["Content-Length: 100000000", "Transfer-Encoding: chunked"] {
        for pace in ["quiet", "busy"] {
            let origin = Origin::scripted(move |c| {
                c.request();
                c.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n"));
                let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
                c.send(&piece);
                while pace == "busy" && c.send(&piece) {}
                c.wait_for_close();
            });
            let gateway = TestGateway::in_front_of(&origin);
            let mut client = Client::of(&gateway);
            client.send(GET).head().unwrap();
            client.reset();
            eventually("the call is cancelled", || origin.open_connections() == 0);
        }
    }
}

#[test]
fn a_client_that_leaves_within_its_request_cancels_the_call() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello");
    eventually("the start is at the service", || origin.requests().len() == 1);
    client.reset();
    eventually("the call is cancelled", || origin.open_connections() == 0);
    assert_eq!(origin.whole_requests(), 0);
}

#[test]
fn after_many_aborts_no_call_is_left_and_the_next_client_is_served() {
    let origin = Origin::scripted(|c| {
        while let Some(request) = c.request() {
            if request.target == "/canary" {
                c.send(reply("canary"));
            }
        }
    });
    let gateway = TestGateway::in_front_of(&origin);
    for i in 0..300 {
        let mut client = Client::of(&gateway);
        client.send(GET);
        if i % 2 == 0 {
            client.reset();
        }
    }
    eventually("no call is left", || origin.open_connections() == 0);
    assert_eq!(Client::of(&gateway).get("/canary").text(), "canary");
}

#[test]
fn a_slow_reader_holds_the_service_back() {
    let origin = Origin::scripted(|c| {
        c.request();
        c.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        while c.send_some(&[b'x'; 64 * 1024]) > 0 {}
    });
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::with_small_window(&gateway);
    client.send(GET).head().unwrap();
    let held = settled(|| origin.written());
    // Two sockets' buffers, as the system sizes them, and the gateway's 128 KiB.
    assert!(held < 16 * 1024 * 1024, "{held} bytes were taken from the service though nobody reads");
    client.wire().take(4 * 1024 * 1024).unwrap();
    eventually("the service goes on", || origin.written() > held);
}

#[test]
fn a_slow_service_holds_the_client_back() {
    let go_on = Gate::new();
    let origin = Origin::scripted({
        let go_on = go_on.clone();
        move |c| {
            let head = c.head().unwrap();
            go_on.pass();
            c.content(head);
            c.send(reply("got it all"));
        }
    });
    let gateway = TestGateway::start(
        "
        gateway:
          limits: { body: none }
        routes: { all: { match: /**, to: 'http://{origin}' } }
        ",
        &[&origin],
    );
    let (length, mut client) = (64 * 1024 * 1024, Client::of(&gateway));
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = sent.clone();
    let sender = std::thread::spawn(move || {
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..length / piece.len() {
            client.send(&piece);
            counter.fetch_add(piece.len() as u64, std::sync::atomic::Ordering::SeqCst);
        }
        client
    });
    let held = settled(|| sent.load(std::sync::atomic::Ordering::SeqCst));
    assert!(held < 32 * 1024 * 1024, "{held} bytes were taken from the client though the service reads none");
    go_on.open();
    assert_eq!(sender.join().unwrap().response().text(), "got it all");
}

#[test]
fn every_piece_is_passed_on_at_once_both_ways() {
    let origin = Origin::scripted(|c| {
        let head = c.head();
        assert!(head.is_some());
        c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        while let Ok(line) = c.wire().line() {
            // Each chunk of the request is answered by a chunk of the response before the next is sent.
            let size = usize::from_str_radix(&line, 16).unwrap();
            let data = c.wire().take(size).unwrap();
            c.wire().line().unwrap();
            let text = format!("{size:x}\r\n{}\r\n", String::from_utf8_lossy(&data).to_uppercase());
            c.send(text);
            if size == 0 {
                return;
            }
        }
    });
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(client.head().unwrap().status, 200);
    for i in 0..50 {
        let event = format!("data: {i}\n\n");
        client.send(format!("{:x}\r\n{event}\r\n", event.len()));
        let expected = format!("{:x}\r\n{}\r\n", event.len(), event.to_uppercase());
        assert_eq!(client.wire().take(expected.len()).unwrap(), expected.as_bytes());
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.wire().take(5).unwrap(), b"0\r\n\r\n");
}

#[test]
fn an_abort_is_logged_as_one() {
    let asked = Gate::new();
    let origin = Origin::scripted({
        let asked = asked.clone();
        move |c| {
            c.request();
            asked.open();
            c.wait_for_close();
        }
    });
    let gateway = TestGateway::start(
        "
        gateway:
          access-log: '{log}'
        routes: { all: { match: /**, to: 'http://{origin}' } }
        ",
        &[&origin],
    );
    let mut client = Client::of(&gateway);
    client.send(GET);
    asked.pass();
    drop(client);
    eventually("the line is written", || {
        let log = std::fs::read_to_string(gateway.log()).unwrap_or_default();
        log.contains("\"status\":499") && log.contains("\"code\":\"client-gone\"")
    });
}
