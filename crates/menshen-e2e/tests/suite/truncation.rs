//! Honesty about missing content (dangers 24, figure U4): a cut response is never a clean one.

use menshen_e2e::{Broken, Client, Origin, TestGateway, eventually};

/// Starts of responses whose rest never comes.
const CUT: [&str; 6] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
];

/// Sends the start of a response and closes, with a reset on every second connection.
fn cutting(start: &'static str) -> Origin {
    Origin::scripted(move |c| {
        if c.request().is_some() {
            c.send(start);
            if c.number() % 2 == 1 {
                c.reset_at_end();
            }
        }
    })
}

#[test]
fn a_cut_response_is_visibly_cut_for_every_client() {
    for start in CUT {
        let origin = cutting(start);
        let gateway = TestGateway::in_front_of(&origin);
        for _ in 0..20 {
            let outcome = Client::of(&gateway).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").try_response();
            assert!(
                matches!(outcome, Err(Broken::Truncated(_) | Broken::Reset)) || is_own_502(&outcome),
                "{start:?}: {outcome:?}"
            );
        }
        assert_eq!(origin.connections(), origin.requests().len(), "{start:?}: no connection is used again");
    }
}

/// With a reset the gateway may not even get the head.
fn is_own_502(outcome: &Result<menshen_e2e::Response, Broken>) -> bool {
    outcome.as_ref().is_ok_and(|r| r.outcome() == "502 service-reset")
}

#[test]
fn a_cut_response_is_a_reset_for_a_client_that_could_not_tell_otherwise() {
    // HTTP/1.0 knows no chunks: only a reset shows that the end is not the end.
    let origin = Origin::scripted(|c| {
        c.request();
        c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    });
    let gateway = TestGateway::in_front_of(&origin);
    for _ in 0..20 {
        let outcome = Client::of(&gateway).send("GET / HTTP/1.0\r\n\r\n").try_response();
        assert_eq!(outcome, Err(Broken::Reset));
    }
}

#[test]
fn content_until_the_close_that_ends_in_a_reset_is_cut() {
    let origin = Origin::scripted(|c| {
        c.request();
        c.send("HTTP/1.1 200 OK\r\n\r\nhello");
        c.wire().take(1).ok();
    });
    let gateway = TestGateway::start(
        "
        gateway:
          timeouts: { between-bytes: 200ms }
        routes: { all: { match: /**, to: 'http://{origin}' } }
        ",
        &[&origin],
    );
    let outcome = Client::of(&gateway).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").try_response();
    assert!(matches!(outcome, Err(Broken::Truncated(_) | Broken::Reset)), "{outcome:?}");
}

#[test]
fn the_log_says_what_the_client_saw() {
    let origin = cutting(CUT[1]);
    let gateway = TestGateway::start(
        "
        gateway:
          access-log: '{log}'
        routes: { all: { match: /**, to: 'http://{origin}' } }
        ",
        &[&origin],
    );
    let outcome = Client::of(&gateway).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").try_response();
    assert!(outcome.is_err());
    eventually("the line is written", || {
        std::fs::read_to_string(gateway.log()).is_ok_and(|log| log.contains("\"code\":\"service-truncated\""))
    });
}
