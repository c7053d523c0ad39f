//! Circuit breakers: a service that fails too often is left alone, and asked again carefully.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use menshen_e2e::{Admin, Client, Origin, TestGateway, eventually, reply, reply_with};

const DOCUMENT: &str = "
    gateway:
      admin: 127.0.0.1:0
      workers: 2
    services:
      s: { endpoints: ['{origin}'], breaker: { requests: 10, open-for: 1s, on: 5xx } }
    routes:
      plain: { match: /**, to: s }
      kind: { match: /kind, to: s, filters: [ { fallback: { on: [circuit-open], respond: { body: later } } } ] }
";

/// Answers 500 as long as it is ill.
fn moody(ill: &Arc<AtomicBool>) -> Origin {
    let ill = ill.clone();
    Origin::answering(move |_| match ill.load(Ordering::SeqCst) {
        true => reply_with("500 Oops", "", ""),
        false => reply("well"),
    })
}

fn circuit(gateway: &TestGateway) -> u64 {
    Admin::of(gateway).metric("menshen_service_circuit{service=\"s\"}")
}

#[test]
fn it_opens_tries_one_request_and_closes() {
    let ill = Arc::new(AtomicBool::new(true));
    let origin = moody(&ill);
    let gateway = TestGateway::start(DOCUMENT, &[&origin]);
    let mut client = Client::of(&gateway);
    for _ in 0..10 {
        assert_eq!(client.get("/").outcome(), "500 ");
    }
    let response = client.get("/");
    assert_eq!(
        (response.outcome().as_str(), response.fields.get("retry-after")),
        ("503 circuit-open", Some("1"))
    );
    assert_eq!((origin.requests().len(), circuit(&gateway)), (10, 1));
    assert_eq!(client.get("/kind").text(), "later");
    // The trial fails: open for another sleep.
    eventually("somebody tries", || client.get("/").outcome() == "500 ");
    assert_eq!(client.get("/").outcome(), "503 circuit-open");
    assert_eq!(origin.requests().len(), 11);
    ill.store(false, Ordering::SeqCst);
    eventually("the service is asked again", || client.get("/").outcome() == "200 ");
    assert_eq!((client.get("/").outcome().as_str(), circuit(&gateway)), ("200 ", 0));
    assert_eq!(Admin::of(&gateway).metric("menshen_service_circuit_opened_total{service=\"s\"}"), 2);
}

#[test]
fn an_open_circuit_survives_a_reload() {
    let origin = moody(&Arc::new(AtomicBool::new(true)));
    let document = DOCUMENT.replace("open-for: 1s", "open-for: 1h");
    let gateway = TestGateway::start(&document, &[&origin]);
    let mut client = Client::of(&gateway);
    for _ in 0..10 {
        client.get("/");
    }
    assert_eq!(client.get("/").outcome(), "503 circuit-open");
    gateway.reload(&document.replace("/kind", "/other")).unwrap();
    assert_eq!(Client::of(&gateway).get("/").outcome(), "503 circuit-open");
}

#[test]
fn no_answer_counts_and_what_the_client_does_wrong_does_not() {
    let origin = Origin::scripted(|c| {
        c.request();
        c.reset_at_end();
    });
    let document = DOCUMENT.replace(", on: 5xx", "");
    let gateway = TestGateway::start(&document, &[&origin]);
    for _ in 0..20 {
        Client::of(&gateway).get("/..%2f");
    }
    assert_eq!(circuit(&gateway), 0);
    for _ in 0..10 {
        assert_eq!(Client::of(&gateway).get("/").outcome(), "502 service-reset");
    }
    assert_eq!(Client::of(&gateway).get("/").outcome(), "503 circuit-open");
}
