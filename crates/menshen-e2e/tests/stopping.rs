//! Stopping (figure L4), a log that nobody takes (S7), and what a new configuration does to what is under way.

use std::process::Command;
use std::time::{Duration, Instant};

use menshen_e2e::{Broken, Client, Gate, Origin, PATIENCE, TestGateway, eventually};

#[test]
fn what_is_under_way_finishes_and_says_that_the_connection_ends() {
    let (origin, asked, go_on) = Origin::gated();
    let mut gateway = TestGateway::in_front_of(&origin);
    let mut clients: Vec<Client> = (0..20).map(|_| Client::of(&gateway)).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        asked.pass();
    }
    let stopped = gateway.stop_beside();
    eventually("nothing new is accepted", || is_refused(&gateway));
    go_on.open_for(20);
    for client in &mut clients {
        let response = client.response();
        assert_eq!((response.text().as_str(), response.says_close()), ("finished", true));
        client.expect_end();
    }
    drop(clients);
    join_soon(stopped);
    eventually("connections to the service are closed", || origin.open_connections() == 0);
}

fn is_refused(gateway: &TestGateway) -> bool {
    std::net::TcpStream::connect(gateway.address()).is_err()
}

#[track_caller]
fn join_soon(stopped: std::thread::JoinHandle<()>) {
    let end = Instant::now() + PATIENCE;
    while !stopped.is_finished() {
        assert!(Instant::now() < end, "the gateway does not stop");
        std::thread::sleep(Duration::from_millis(1));
    }
    stopped.join().unwrap();
}

#[test]
fn idle_connections_are_closed_at_once() {
    let origin = Origin::echo();
    let mut gateway = TestGateway::start(
        "gateway:\n  drain: 30s\nroutes: { all: { match: /**, to: 'http://{origin}' } }",
        &[&origin],
    );
    let mut used = Client::of(&gateway);
    assert_eq!(used.get("/").status, 200);
    let mut unused = Client::of(&gateway);
    gateway.stop();
    used.expect_end();
    unused.expect_end();
}

#[test]
fn a_request_that_takes_longer_than_the_drain_is_cut() {
    let (origin, asked, _go_on) = Origin::gated();
    let mut gateway = TestGateway::start(
        "gateway:\n  drain: 100ms\nroutes: { all: { match: /**, to: 'http://{origin}' } }",
        &[&origin],
    );
    let mut client = Client::of(&gateway);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    asked.pass();
    gateway.stop();
    let outcome = client.try_response();
    let is_told = outcome.as_ref().is_ok_and(|r| r.status == 503);
    assert!(is_told || matches!(outcome, Err(Broken::Closed | Broken::Reset)), "{outcome:?}");
}

#[test]
fn no_request_is_lost_while_the_gateway_stops() {
    let origin = Origin::echo();
    let mut gateway = TestGateway::start(
        "gateway:\n  workers: 2\nroutes: { all: { match: /**, to: 'http://{origin}' } }",
        &[&origin],
    );
    let address = gateway.address();
    let busy = Gate::new();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let busy = busy.clone();
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                for i in 0.. {
                    let target = format!("/{thread}-{i}");
                    if !client.wire().send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")) {
                        return;
                    }
                    match client.try_response() {
                        Ok(response) => {
                            assert_eq!(response.text(), format!("GET {target}\n"));
                            if response.says_close() {
                                return;
                            }
                        }
                        // An idle connection may be closed as the next request is on its way; no answer is ever cut.
                        Err(Broken::Closed | Broken::Reset) => return,
                        Err(other) => panic!("{target}: {other}"),
                    }
                    if i == 50 {
                        busy.open();
                    }
                }
            })
        })
        .collect();
    threads.iter().for_each(|_| busy.pass());
    gateway.stop();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_log_that_nobody_reads_does_not_keep_the_gateway_from_stopping() {
    let origin = Origin::echo();
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let routes = "routes: { all: { match: /**, to: 'http://{origin}' } }";
    let mut gateway =
        TestGateway::start(&format!("gateway:\n  access-log: '{}'\n{routes}", fifo.display()), &[&origin]);
    assert_eq!(Client::of(&gateway).get("/x").text(), "GET /x\n");
    join_soon(gateway.stop_beside());
}

#[test]
fn a_log_on_a_full_disk_does_not_hold_up_traffic() {
    let origin = Origin::echo();
    let document = "
        gateway:
          access-log: /dev/full
        routes: { all: { match: /**, to: 'http://{origin}' } }
    ";
    let gateway = TestGateway::start(document, &[&origin]);
    let mut client = Client::of(&gateway);
    for _ in 0..200 {
        assert_eq!(client.get("/x").status, 200);
    }
}

#[test]
fn a_new_configuration_cuts_nothing_that_is_under_way() {
    let (origin, asked, go_on) = Origin::gated();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    asked.pass();
    gateway.reload("routes: { all: { match: /**, to: { respond: { body: new } } } }").unwrap();
    assert_eq!(Client::of(&gateway).get("/").text(), "new");
    go_on.open();
    assert_eq!(client.response().text(), "finished");
    assert_eq!(client.get("/").text(), "new");
}

#[test]
fn every_answer_during_reloads_is_wholly_of_one_configuration() {
    let origin = Origin::echo();
    let document = |v: &str| {
        format!(
            "routes: {{ all: {{ match: /**, to: {{ respond: {{ headers: {{ X-V: {v} }}, body: '{v}' }} }} }} }}"
        )
    };
    let gateway = TestGateway::start(&document("a0"), &[&origin]);
    let (address, stop) = (gateway.address(), std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (mut client, mut answers) = (Client::connect(address), 0);
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        let response = client.get("/");
                        assert_eq!(
                            (response.status, response.fields.get("x-v")),
                            (200, Some(response.text().as_str()))
                        );
                        answers += 1;
                    }
                    answers
                })
            })
            .collect();
        for i in 0..60 {
            gateway.reload(&document(&format!("a{i}"))).unwrap();
            assert_eq!(
                Client::of(&gateway).get("/").text(),
                format!("a{i}"),
                "after the reload only the new one answers"
            );
            assert!(gateway.reload("routes: { all: { match: nonsense } }").is_err());
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(clients.into_iter().all(|c| c.join().unwrap() > 0));
    });
}
