//! A second attempt when the first takes long: the first answer counts, the other attempt is ended at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use menshen_e2e::{Admin, Client, Origin, TestGateway, eventually, reply};

/// Never answers; counts those that gave up.
fn hanging(given_up: &Arc<AtomicUsize>) -> Origin {
    let given_up = given_up.clone();
    Origin::scripted(move |c| {
        c.request();
        c.wait_for_close();
        given_up.fetch_add(1, Ordering::SeqCst);
    })
}

fn start(hedge: &str, origins: &[&Origin]) -> TestGateway {
    start_within("25s", hedge, origins)
}

fn start_within(first_byte: &str, hedge: &str, origins: &[&Origin]) -> TestGateway {
    let document = format!(
        "
        gateway:
          admin: 127.0.0.1:0
        services: {{ s: {{ endpoints: ['{{origin-1}}', '{{origin-2}}'], hedge: {hedge} }} }}
        routes: {{ all: {{ match: /**, to: s, timeouts: {{ first-byte: {first_byte} }}, retry: {{ attempts-field: on }} }} }}
        "
    );
    TestGateway::start(&document, origins)
}

fn counted(gateway: &TestGateway, name: &str) -> u64 {
    Admin::of(gateway).metric(&format!("menshen_service_{name}_total{{service=\"s\"}}"))
}

#[test]
fn the_answer_that_comes_first_counts_and_the_other_attempt_is_ended_at_once() {
    let given_up = Arc::new(AtomicUsize::new(0));
    let (slow, quick) = (hanging(&given_up), Origin::echo());
    let gateway = start("{ after: 400ms, at-most: 100% }", &[&slow, &quick]);
    let mut client = Client::of(&gateway);
    for _ in 0..6 {
        let response = client.get("/a");
        assert_eq!(response.text(), "GET /a\n");
    }
    let hung = slow.requests().len();
    assert_eq!((hung, quick.requests().len()), (3, 6));
    eventually("the slow ones are given up", || given_up.load(Ordering::SeqCst) == hung);
    assert_eq!((counted(&gateway, "hedges"), counted(&gateway, "hedges_won")), (3, 3));
}

#[test]
fn a_first_attempt_that_answers_in_time_is_the_only_one() {
    let (a, b) = (Origin::echo(), Origin::echo());
    let gateway = start("{ after: 20s, at-most: 100% }", &[&a, &b]);
    let mut client = Client::of(&gateway);
    for _ in 0..10 {
        assert_eq!(client.get("/").fields.get("x-menshen-attempts"), Some("1"));
    }
    assert_eq!((a.requests().len() + b.requests().len(), counted(&gateway, "hedges")), (10, 0));
}

#[test]
fn what_changes_something_is_never_made_twice() {
    let given_up = Arc::new(AtomicUsize::new(0));
    let (slow, other) = (hanging(&given_up), hanging(&given_up));
    let gateway = start_within("1s", "{ after: 20ms, at-most: 100% }", &[&slow, &other]);
    let mut client = Client::of(&gateway);
    assert_eq!(client.post("/", "").outcome(), "504 first-byte-timeout");
    assert_eq!(slow.requests().len() + other.requests().len(), 1);
}

#[test]
fn no_more_than_a_share_is_made_twice() {
    let answer = |_: &menshen_e2e::Request| {
        std::thread::sleep(std::time::Duration::from_millis(60));
        reply("slow")
    };
    let (a, b) = (Origin::answering(answer), Origin::answering(answer));
    let gateway = start("{ after: 5ms, at-most: 10% }", &[&a, &b]);
    let mut client = Client::of(&gateway);
    for _ in 0..40 {
        assert_eq!(client.get("/").text(), "slow");
    }
    assert!((1..=4).contains(&counted(&gateway, "hedges")), "{}", counted(&gateway, "hedges"));
}
