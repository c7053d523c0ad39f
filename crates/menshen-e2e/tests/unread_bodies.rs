//! Bodies that nobody read (dangers 3): whoever answers early, the body never becomes a request.

use std::time::{Duration, Instant};

use menshen_e2e::{Broken, Client, Origin, TestGateway, eventually, reply};

const SMUGGLED: &str = "GET /pub/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Every way in which the gateway answers itself.
const OWN_ANSWERS: &str = "
    routes:
      pub: { match: /pub/**, to: 'http://{origin}' }
      get-only: { match: GET /get-only, to: 'http://{origin}' }
      denied: { match: /denied, to: 'http://{origin}', filters: [ ip-deny: 127.0.0.0/8 ] }
      moved: { match: /moved, to: { redirect: { to: /pub/x } } }
      fixed: { match: /fixed, to: { respond: { status: 401, body: no } } }
      small: { match: /small, to: 'http://{origin}', limits: { body: 10B } }
      shared: { match: /shared, to: 'http://{origin}', filters: [ cors: https://app.example.com ] }
";

fn own_answers() -> (Origin, TestGateway) {
    let origin = Origin::echo();
    let gateway = TestGateway::start(OWN_ANSWERS, &[&origin]);
    (origin, gateway)
}

/// What comes behind the first answer: the answer to the request behind the body, or the end.
fn next_is_no_smuggled_answer(client: &mut Client, name: &str) {
    match client.try_response() {
        Ok(next) => assert_eq!(next.text(), "GET /pub/next\n", "{name}"),
        Err(Broken::Closed | Broken::Reset) => {}
        Err(other) => panic!("{name}: {other}"),
    }
}

#[test]
fn a_body_that_the_gateway_did_not_need_is_never_a_request() {
    let (origin, gateway) = own_answers();
    let preflight = "Origin: https://app.example.com\r\nAccess-Control-Request-Method: PUT\r\n";
    let next = "GET /pub/next HTTP/1.1\r\nHost: a\r\n\r\n";
    for (method, target, status) in [
        ("POST", "/nowhere", 404),
        ("POST", "/get-only", 405),
        ("POST", "/denied", 403),
        ("POST", "/moved", 308),
        ("POST", "/fixed", 401),
        ("GET", "/fixed", 401),
        ("DELETE", "/fixed", 401),
        ("POST", "/small", 413),
        ("OPTIONS", "/shared", 204),
        ("POST", "/pub/%zz", 400),
    ] {
        let head =
            |framing: &str| format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{preflight}{framing}\r\n");
        let length = head(&format!("Content-Length: {}\r\n", SMUGGLED.len()));
        let chunked = head("Transfer-Encoding: chunked\r\n");
        let chunks = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
        for bytes in [length + SMUGGLED + next, chunked + &chunks + next] {
            let mut client = Client::of(&gateway);
            let first = client.send(&bytes).response();
            assert_eq!(first.status, status, "{method} {target}: {}", first.text());
            next_is_no_smuggled_answer(&mut client, target);
        }
    }
    assert!(origin.requests().iter().all(|r| r.target != "/pub/smuggled"));
    origin.expect_canonical();
}

#[test]
fn a_small_unread_body_does_not_cost_the_connection() {
    let (_origin, gateway) = own_answers();
    let mut client = Client::of(&gateway);
    assert_eq!(client.post("/fixed", SMUGGLED).status, 401);
    assert_eq!(client.get("/pub/next").text(), "GET /pub/next\n");
}

#[test]
fn a_large_unread_body_costs_the_connection() {
    let (origin, gateway) = own_answers();
    for framing in ["Content-Length: 10000000\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut client = Client::of(&gateway);
        let response = client.send(format!("POST /fixed HTTP/1.1\r\nHost: a\r\n{framing}\r\n")).response();
        assert_eq!(response.status, 401);
        assert!(response.says_close(), "{framing}");
        client.expect_end();
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn the_answer_is_readable_although_the_client_is_still_sending() {
    let (_origin, gateway) = own_answers();
    let mut client = Client::of(&gateway);
    let body = vec![b'x'; 200 * 1024];
    client
        .send(format!("POST /fixed HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()))
        .send(&body);
    assert_eq!(client.response().status, 401);
    client.expect_end();
}

#[test]
fn who_sends_more_than_is_thrown_away_has_time_to_look_for_the_answer() {
    let (_origin, gateway) = own_answers();
    let mut client = Client::of(&gateway);
    client.send("POST /fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
    let mut sender = client.wire().clone_sender();
    let started = Instant::now();
    let sending = std::thread::spawn(move || while sender.send(vec![b'x'; 64 * 1024]) {});
    assert_eq!(client.response().status, 401);
    sending.join().expect("a reset ends the sending");
    let took = started.elapsed();
    assert!(took > Duration::from_millis(900), "reset after {took:?}");
    assert!(took < Duration::from_secs(5), "reset after {took:?}");
}

#[test]
fn a_client_that_waits_for_100_is_answered_without_one_and_cut_off() {
    let (origin, gateway) = own_answers();
    for (target, status) in [("/fixed", 401), ("/nowhere", 404), ("/small", 413)] {
        let mut client = Client::of(&gateway);
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 41\r\n\r\n"
        );
        let response = client.send(head).response();
        assert_eq!((response.status, response.interim.len()), (status, 0), "{target}");
        assert!(response.says_close(), "{target}");
        client.expect_end();
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn a_service_that_answers_before_the_body_is_not_asked_again_on_that_connection() {
    for answer in [reply("early"), reply("")] {
        let origin = Origin::scripted(move |c| {
            while let Some(request) = c.head() {
                c.send(if request.method == "POST" { answer.clone() } else { reply("next") });
            }
        });
        let gateway = TestGateway::in_front_of(&origin);
        let mut client = Client::of(&gateway);
        client.send(format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", SMUGGLED.len()));
        assert_eq!(client.response().status, 200);
        client.send(SMUGGLED);
        assert_eq!(client.get("/next").text(), "next");
        let seen: Vec<(String, usize)> =
            origin.requests().into_iter().map(|r| (r.target, r.connection)).collect();
        assert_eq!(seen, [("/x".to_owned(), 0), ("/next".to_owned(), 1)]);
    }
}

#[test]
fn a_service_that_answers_and_closes_without_reading_is_heard() {
    let origin = Origin::scripted(|c| {
        if c.head().is_some() {
            c.send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
            c.wire().half_close();
            c.wait_for_close();
        }
    });
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n").send(vec![b'x'; 100_000]);
    let response = client.response();
    assert_eq!((response.status, response.text().as_str()), (413, "no"));
}

#[test]
fn a_body_that_ends_early_never_becomes_a_whole_request() {
    for (framing, body) in [
        ("Content-Length: 10\r\n", "hello"),
        ("Transfer-Encoding: chunked\r\n", "a\r\nhello"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n"),
    ] {
        let origin = Origin::echo();
        let gateway = TestGateway::in_front_of(&origin);
        let mut client = Client::of(&gateway);
        client.send(format!("POST /x HTTP/1.1\r\nHost: a\r\n{framing}\r\n{body}"));
        eventually("the start of the body is at the service", || !origin.requests().is_empty());
        client.half_close();
        eventually("the call is cancelled", || origin.open_connections() == 0);
        assert_eq!(origin.whole_requests(), 0, "{framing}{body}");
        drop(client);
        gateway.expect_canary();
    }
}
