//! What `retry` says: what is worth another attempt, of which requests, how often, and within which budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use menshen_e2e::{Admin, Client, Gate, Origin, TestGateway, reply, reply_with};

/// Answers this many requests with a status, then well.
fn failing(times: usize, status: &'static str) -> Origin {
    let count = Arc::new(AtomicUsize::new(0));
    Origin::answering(move |r| match count.fetch_add(1, Ordering::SeqCst) {
        n if n < times => reply_with(status, "", "no"),
        _ => reply(&format!("{} {}", r.method, r.text())),
    })
}

fn start(retry: &str, origins: &[&Origin]) -> TestGateway {
    let endpoints: Vec<_> = (1..=origins.len()).map(|n| format!("'{{origin-{n}}}'")).collect();
    let document = format!(
        "
        gateway:
          admin: 127.0.0.1:0
        services: {{ s: {{ endpoints: [{}], retry: {retry} }} }}
        routes: {{ all: {{ match: /**, to: s }} }}
        ",
        endpoints.join(", ")
    );
    TestGateway::start(&document, origins)
}

#[test]
fn chosen_statuses_are_asked_again_and_others_are_not() {
    for (on, status, outcome) in [
        ("5xx", "500 Oops", "200 "),
        ("gateway-error", "503 Busy", "200 "),
        ("gateway-error", "500 Oops", "500 "),
        ("429", "429 Later", "200 "),
        ("[connect-failure, reset, timeout]", "503 Busy", "503 "),
    ] {
        let origin = failing(2, status);
        let gateway = start(&format!("{{ on: {on} }}"), &[&origin]);
        assert_eq!(Client::of(&gateway).get("/").outcome(), outcome, "{on} {status}");
    }
}

#[test]
fn when_all_attempts_are_used_up_the_last_answer_goes_to_the_client() {
    let origin = failing(9, "503 Busy");
    let gateway = start("{ on: 503, attempts: 4, attempts-field: on }", &[&origin]);
    let response = Client::of(&gateway).get("/");
    assert_eq!((response.outcome().as_str(), response.text().as_str()), ("503 ", "no"));
    assert_eq!(response.fields.get("x-menshen-attempts"), Some("4"));
    assert_eq!(origin.requests().len(), 4);
    let retries = "menshen_service_retries_total{service=\"s\",reason=\"status\"}";
    assert_eq!(Admin::of(&gateway).metric(retries), 3);
}

#[test]
fn one_attempt_is_never_again() {
    let (refusing, good) = (Origin::refusing(), Origin::echo());
    let gateway = start("{ attempts: 1 }", &[&refusing, &good]);
    let mut client = Client::of(&gateway);
    let mut outcomes = [client.get("/").outcome(), client.get("/").outcome()];
    outcomes.sort();
    assert_eq!(outcomes, ["200 ", "502 connect-failed"]);
}

#[test]
fn a_post_is_asked_again_only_with_its_key_and_with_the_same_content() {
    let again = "{ on: 503, idempotency-key: Idempotency-Key, keep: 1KiB }";
    for (retry, key, body, outcome) in [
        (again, "Idempotency-Key: 7", "hello".to_owned(), "200 "),
        (again, "X-Other: 7", "hello".to_owned(), "503 "),
        ("{ on: 503, keep: 1KiB }", "Idempotency-Key: 7", "hello".to_owned(), "503 "),
        ("{ on: 503, idempotency-key: Idempotency-Key }", "Idempotency-Key: 7", "hello".to_owned(), "503 "),
        (again, "Idempotency-Key: 7", "x".repeat(1025), "503 "),
    ] {
        let origin = failing(1, "503 Busy");
        let gateway = start(retry, &[&origin]);
        let request =
            format!("POST / HTTP/1.1\r\nHost: a\r\n{key}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let response = Client::of(&gateway).send(request).response();
        assert_eq!(response.outcome(), outcome, "{retry} {key}");
        if response.status == 200 {
            assert_eq!(response.text(), "POST hello");
        }
    }
}

#[test]
fn an_attempt_that_takes_too_long_is_given_up_for_another() {
    let gate = Gate::new();
    let hanging = gate.clone();
    let slow = Origin::scripted(move |c| {
        c.request();
        hanging.pass();
    });
    let good = Origin::echo();
    let gateway = start("{ on: timeout, per-try: 500ms }", &[&slow, &good]);
    let mut client = Client::of(&gateway);
    for _ in 0..4 {
        let begun = Instant::now();
        assert_eq!(client.get("/").outcome(), "200 ");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    gate.open_for(99);
}

#[test]
fn the_time_of_the_whole_request_bounds_all_attempts() {
    let origin = failing(99, "503 Busy");
    let gateway = TestGateway::start(
        "
        routes:
          all:
            match: /**
            to: 'http://{origin}'
            timeouts: { total: 2s }
            retry: { on: 503, attempts: 10, back-off: { base: 1500ms, max: 1500ms } }
        ",
        &[&origin],
    );
    let begun = Instant::now();
    assert_eq!(Client::of(&gateway).get("/").outcome(), "503 ", "the last answer is better than none");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(origin.requests().len() < 10);
}

#[test]
fn in_a_full_outage_retries_end_with_the_budget() {
    let origin = failing(usize::MAX, "503 Busy");
    let gateway = start("{ on: 503, attempts: 5, budget: 20%, back-off: { base: 1ms } }", &[&origin]);
    let mut client = Client::of(&gateway);
    for _ in 0..200 {
        assert_eq!(client.get("/").outcome(), "503 ");
    }
    let attempts = origin.requests().len();
    assert!((230..=240).contains(&attempts), "{attempts} attempts for 200 requests");
    let over = Admin::of(&gateway).metric("menshen_service_retries_over_budget_total{service=\"s\"}");
    assert!(over > 100, "{over}");
}

#[test]
fn another_endpoint_is_asked_where_there_is_one() {
    let (bad, good) = (failing(usize::MAX, "503 Busy"), Origin::echo());
    let gateway = start("{ on: 503, budget: none }", &[&bad, &good]);
    let mut client = Client::of(&gateway);
    for _ in 0..20 {
        assert_eq!(client.get("/").outcome(), "200 ");
    }
    assert_eq!(bad.requests().len(), 10);
}
