//! Limits of requests under way: never more than may be, who waits and for how long, and who goes first.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use menshen_e2e::{Admin, Client, Gate, Origin, TestGateway, eventually, reply};

/// Answers each request when the gate lets it.
fn gated(gate: &Gate) -> Origin {
    let gate = gate.clone();
    Origin::answering(move |r| {
        if r.target != "/free" {
            gate.pass();
        }
        reply(&r.target)
    })
}

fn start(concurrency: &str, origin: &Origin) -> TestGateway {
    start_with(2, concurrency, &[origin, origin])
}

fn start_with(workers: usize, concurrency: &str, origins: &[&Origin]) -> TestGateway {
    let document = "
        gateway:
          admin: 127.0.0.1:0
          workers: #
        services: { s: { endpoints: ['{origin}'], concurrency: $ } }
        routes:
          normal: { match: /**, to: s }
          low: { match: '/low/**', to: s, priority: low }
          high: { match: '/high/**', to: s, priority: high }
          said: { match: '/said/**', to: s, priority: { field: X-Priority } }
          other: { match: /other, to: 'http://{origin-2}' }
    ";
    let document = document.replace('$', concurrency).replace('#', &workers.to_string());
    TestGateway::start(&document, origins)
}

/// Asks from a thread of its own.
fn ask(gateway: &TestGateway, target: &'static str) -> JoinHandle<String> {
    let address = gateway.address();
    std::thread::spawn(move || Client::connect(address).get(target).outcome())
}

fn gauge(gateway: &TestGateway, name: &str) -> u64 {
    Admin::of(gateway).metric(&format!("menshen_service_{name}{{service=\"s\"}}"))
}

#[test]
fn what_is_too_much_is_refused_at_once_and_places_come_back() {
    let gate = Gate::new();
    let origin = gated(&gate);
    let gateway = start("2", &origin);
    let held = [ask(&gateway, "/a"), ask(&gateway, "/b")];
    eventually("both are under way", || origin.requests().len() == 2);
    let response = Client::of(&gateway).get("/c");
    assert_eq!(
        (response.outcome().as_str(), response.fields.get("retry-after")),
        ("503 overloaded", Some("1"))
    );
    gate.open_for(2);
    assert_eq!(held.map(|h| h.join().unwrap()), ["200 ", "200 "]);
    eventually("all places are back", || gauge(&gateway, "in_flight") == 0);
    assert_eq!(Client::of(&gateway).get("/free").outcome(), "200 ");
    assert_eq!((origin.requests().len(), gauge(&gateway, "overloaded_total")), (3, 1));
}

#[test]
fn a_client_that_goes_away_gives_its_place_back() {
    let gate = Gate::new();
    let origin = gated(&gate);
    let gateway = start("1", &origin);
    let mut client = Client::of(&gateway);
    client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is under way", || gauge(&gateway, "in_flight") == 1);
    client.reset();
    eventually("its place is back", || gauge(&gateway, "in_flight") == 0);
    gate.open_for(9);
}

/// Fills the queue behind one request that is under way.
fn fill_queue(gateway: &TestGateway, origin: &Origin) -> Vec<JoinHandle<String>> {
    let mut asked = vec![ask(gateway, "/0")];
    eventually("one is under way", || origin.requests().len() == 1);
    for (n, target) in (1..).zip(["/1", "/2", "/3", "/4", "/5"]) {
        asked.push(ask(gateway, target));
        eventually("it waits", || gauge(gateway, "waiting") == n);
    }
    asked
}

#[test]
fn those_who_wait_are_served_in_the_order_in_which_they_came() {
    let gate = Gate::new();
    let origin = gated(&gate);
    let gateway = start_with(1, "{ limit: 1, queue: { length: 5, wait: 20s } }", &[&origin, &origin]);
    let asked = fill_queue(&gateway, &origin);
    assert_eq!(Client::of(&gateway).get("/9").outcome(), "503 overloaded", "the queue is full");
    gate.open_for(6);
    asked.into_iter().for_each(|h| assert_eq!(h.join().unwrap(), "200 "));
    let order: Vec<_> = origin.requests().into_iter().map(|r| r.target).collect();
    assert_eq!(order, ["/0", "/1", "/2", "/3", "/4", "/5"]);
}

#[test]
fn those_who_wait_are_served_on_whatever_worker() {
    let gate = Gate::new();
    let origin = gated(&gate);
    let gateway = start("{ limit: 1, queue: { length: 5, wait: 20s } }", &origin);
    let asked = fill_queue(&gateway, &origin);
    gate.open_for(6);
    asked.into_iter().for_each(|h| assert_eq!(h.join().unwrap(), "200 "));
    eventually("nobody waits", || gauge(&gateway, "waiting") + gauge(&gateway, "in_flight") == 0);
    assert_eq!(gauge(&gateway, "queued_total"), 5);
}

#[test]
fn who_has_waited_too_long_is_told_so() {
    let gate = Gate::new();
    let origin = gated(&gate);
    let gateway = start("{ limit: 1, queue: { length: 8, wait: 200ms } }", &origin);
    let held = ask(&gateway, "/a");
    eventually("it is under way", || origin.requests().len() == 1);
    let begun = Instant::now();
    assert_eq!(Client::of(&gateway).get("/b").outcome(), "503 overloaded");
    let took = begun.elapsed();
    assert!((Duration::from_millis(190)..Duration::from_secs(2)).contains(&took), "{took:?}");
    gate.open();
    assert_eq!(held.join().unwrap(), "200 ");
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn low_priority_is_shed_before_the_limit_is_reached() {
    let gate = Gate::new();
    let origin = gated(&gate);
    let gateway = start("5", &origin);
    let mut held: Vec<_> = (0..4).map(|_| ask(&gateway, "/n")).collect();
    eventually("four are under way", || origin.requests().len() == 4);
    let mut client = Client::of(&gateway);
    assert_eq!(client.get("/low/a").outcome(), "503 shed");
    assert_eq!(client.ask("GET /said/a", &["X-Priority: low"]).outcome(), "503 shed");
    held.push(ask(&gateway, "/said/a"));
    eventually("normal priority passes", || origin.requests().len() == 5);
    assert_eq!(client.get("/low/a").outcome(), "503 overloaded");
    gate.open_for(5);
    held.into_iter().for_each(|h| assert_eq!(h.join().unwrap(), "200 "));
}

#[test]
fn high_priority_takes_the_place_of_low_priority_in_a_full_queue() {
    let gate = Gate::new();
    let origin = gated(&gate);
    let gateway = start_with(1, "{ limit: 1, queue: { length: 1, wait: 20s } }", &[&origin, &origin]);
    let held = ask(&gateway, "/a");
    eventually("it is under way", || origin.requests().len() == 1);
    let low = ask(&gateway, "/low/a");
    eventually("low priority waits", || gauge(&gateway, "waiting") == 1);
    let high = ask(&gateway, "/high/a");
    assert_eq!(low.join().unwrap(), "503 overloaded");
    gate.open_for(2);
    assert_eq!([held, high].map(|h| h.join().unwrap()), ["200 ", "200 "]);
}

#[test]
fn a_service_that_hangs_does_not_disturb_another_route() {
    let gate = Gate::new();
    let (origin, other) = (gated(&gate), Origin::echo());
    let gateway = start_with(2, "4", &[&origin, &other]);
    let held: Vec<_> = (0..4).map(|_| ask(&gateway, "/hang")).collect();
    eventually("all hang", || origin.requests().len() == 4);
    let mut client = Client::of(&gateway);
    for _ in 0..50 {
        assert_eq!(client.get("/more").outcome(), "503 overloaded");
        assert_eq!(client.get("/other").outcome(), "200 ");
    }
    gate.open_for(4);
    held.into_iter().for_each(|h| assert_eq!(h.join().unwrap(), "200 "));
}

#[test]
fn an_adaptive_limit_starts_at_its_least() {
    let gate = Gate::new();
    let origin = gated(&gate);
    let gateway = start("{ adaptive: { min: 2, max: 10 } }", &origin);
    let held = [ask(&gateway, "/a"), ask(&gateway, "/b")];
    eventually("both are under way", || origin.requests().len() == 2);
    assert_eq!(Client::of(&gateway).get("/c").outcome(), "503 overloaded");
    gate.open_for(2);
    assert_eq!(held.map(|h| h.join().unwrap()), ["200 ", "200 "]);
}

#[test]
fn an_endpoint_that_has_enough_is_passed_over() {
    let gate = Gate::new();
    let (slow, quick) = (gated(&gate), Origin::echo());
    let gateway = TestGateway::start(
        "
        services: { s: { endpoints: ['{origin-1}', '{origin-2}'], concurrency: { per-endpoint: 2 } } }
        routes: { all: { match: /**, to: s } }
        ",
        &[&slow, &quick],
    );
    let held: Vec<_> = (0..4).map(|_| ask(&gateway, "/a")).collect();
    eventually("two hang", || slow.requests().len() == 2);
    let mut client = Client::of(&gateway);
    eventually("the other two are over", || held.iter().filter(|h| h.is_finished()).count() == 2);
    eventually("their places are back", || client.get("/b").status == 200);
    for _ in 0..10 {
        assert_eq!(client.get("/b").text(), "GET /b\n");
    }
    gate.open_for(2);
    held.into_iter().for_each(|h| assert_eq!(h.join().unwrap(), "200 "));
    assert_eq!(slow.requests().len(), 2);
}

#[test]
fn when_every_endpoint_has_enough_that_is_the_answer() {
    let gate = Gate::new();
    let (a, b) = (gated(&gate), gated(&gate));
    let gateway = TestGateway::start(
        "
        services: { s: { endpoints: ['{origin-1}', '{origin-2}'], concurrency: { per-endpoint: 1 } } }
        routes: { all: { match: /**, to: s } }
        ",
        &[&a, &b],
    );
    let held = [ask(&gateway, "/a"), ask(&gateway, "/b")];
    eventually("both hang", || a.requests().len() + b.requests().len() == 2);
    assert_eq!(Client::of(&gateway).get("/c").outcome(), "503 overloaded");
    gate.open_for(2);
    assert_eq!(held.map(|h| h.join().unwrap()), ["200 ", "200 "]);
    eventually("the places are back", || Client::of(&gateway).get("/free").outcome() == "200 ");
}
