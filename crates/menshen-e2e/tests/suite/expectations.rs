//! `Expect: 100-continue` and interim responses.

use menshen_e2e::{Client, Gate, Origin, Probe, TestGateway, reply, reply_with};

const HEAD: &str = "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

/// Says 100 when asked to, then answers like an echo.
fn polite() -> Origin {
    Origin::scripted(|c| {
        while let Some(head) = c.head() {
            if head.fields.has("expect") {
                c.send("HTTP/1.1 100 Continue\r\n\r\n");
            }
            let Some(request) = c.content(head) else { return };
            c.send(reply(&request.text()));
        }
    })
}

#[test]
fn the_100_of_the_service_reaches_the_client_before_it_sends_the_body() {
    let origin = polite();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    for _ in 0..2 {
        assert_eq!(client.send(HEAD).head().unwrap().status, 100);
        assert_eq!(client.send("hello").response().text(), "hello");
    }
    assert_eq!(origin.requests()[0].fields.get("expect"), Some("100-continue"));
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_body_sent_without_waiting_is_forwarded() {
    let origin = polite();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    let response = client.send(format!("{HEAD}hello")).response();
    assert_eq!(response.text(), "hello");
    assert_eq!(
        client.send(HEAD.replace("100-continue", "100-Continue") + "hello").response().text(),
        "hello"
    );
}

#[test]
fn an_unknown_expectation_is_417() {
    let probe = Probe::new();
    for fields in [
        "Expect: y\r\n",
        "Expect: y 100-continue\r\n",
        "Expect: 100-continue, y\r\n",
        "Expect: 100-continue\r\nExpect: 100-continue\r\n",
        "Expect: 100-continued\r\n",
        "Expect:\r\n",
    ] {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n{fields}\r\nhello");
        probe.expect_refused(bytes.as_bytes(), "417 unknown-expectation");
    }
}

#[test]
fn an_expectation_without_a_body_is_not_forwarded() {
    let probe = Probe::new();
    let head = "GET /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(Client::of(&probe.gateway).send(head).response().text(), "GET /x\n");
    assert!(!probe.origin.only_request().fields.has("expect"));
}

#[test]
fn a_service_that_refuses_the_expectation_costs_the_connection_and_nothing_else() {
    for status in ["417 Expectation Failed", "200 OK", "401 Unauthorized"] {
        let origin = Origin::scripted(move |c| {
            c.head();
            c.send(reply_with(status, "", "no"));
            c.wait_for_close();
        });
        let gateway = TestGateway::in_front_of(&origin);
        let mut client = Client::of(&gateway);
        let response = client.send(HEAD).response();
        assert_eq!((response.status.to_string().as_str(), response.text().as_str()), (&status[..3], "no"));
        assert!(response.says_close());
        client.expect_end();
        assert_eq!(origin.only_request().target, "/x");
    }
}

#[test]
fn early_hints_are_passed_on_at_once() {
    let (hinted, go_on) = (Gate::new(), Gate::new());
    let origin = Origin::scripted({
        let (hinted, go_on) = (hinted.clone(), go_on.clone());
        move |c| {
            c.head();
            c.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x-secret\r\nX-Secret: 1\r\n\r\n");
            hinted.open();
            go_on.pass();
            c.send(reply("done"));
            c.wait_for_close();
        }
    });
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    hinted.pass();
    let hints = client.head().unwrap();
    assert_eq!((hints.status, hints.fields.get("link")), (103, Some("</a.css>; rel=preload")));
    assert!(!hints.fields.has("x-secret") && !hints.fields.has("connection"));
    go_on.open();
    assert_eq!(client.response().text(), "done");
}

#[test]
fn a_storm_of_interim_responses_is_cut_off() {
    for (count, outcome) in [(16, "200 "), (17, "502 bad-interim"), (1000, "502 bad-interim")] {
        let origin = Origin::scripted(move |c| {
            c.head();
            c.send("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n".repeat(count) + &reply("done"));
            c.wait_for_close();
        });
        let gateway = TestGateway::in_front_of(&origin);
        let response = Client::of(&gateway).get("/");
        assert_eq!(response.outcome(), outcome, "{count}");
        assert!(response.interim.len() <= 16);
    }
}

#[test]
fn a_client_of_http_1_0_gets_no_interim_response() {
    let origin =
        Origin::answering(|_| "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n".to_owned() + &reply("done"));
    let gateway = TestGateway::in_front_of(&origin);
    let response = Client::of(&gateway).send("GET / HTTP/1.0\r\nHost: a\r\n\r\n").response();
    assert_eq!((response.text().as_str(), response.interim.len()), ("done", 0));
}
