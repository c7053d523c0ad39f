//! Mirrors: another service gets copies of requests as the first one gets them, and nothing that it does is seen.

use menshen_e2e::{Client, Gate, Origin, TestGateway, eventually, reply, reply_with};

const DOCUMENT: &str = "
    services:
      users: { endpoints: ['{origin-1}'] }
      next: { endpoints: ['{origin-2}'] }
    routes:
      r:
        match: /api/**
        strip: /api
        prefix: /v2
        to: users
        mirror: { to: next, body-limit: 1KiB }
        filters: [ { headers: { request: { set: { X-Added: by a filter } } } } ]
    ";

fn mirrored(main: &Origin, mirror: &Origin) -> TestGateway {
    TestGateway::start(DOCUMENT, &[main, mirror])
}

#[test]
fn a_copy_is_the_request_as_the_service_gets_it_and_a_mark() {
    let (main, mirror) = (Origin::echo(), Origin::echo());
    let gateway = mirrored(&main, &mirror);
    let fields = ["Authorization: Bearer a", "X-Own: 1", "X-Menshen-Mirror: forged"];
    let response = Client::of(&gateway).ask("GET /api/users?page=2", &fields);
    assert_eq!((response.status, response.text().as_str()), (200, "GET /v2/users?page=2\n"));
    eventually("the copy comes", || mirror.whole_requests() == 1);
    let (request, copy) = (main.only_request(), mirror.only_request());
    assert_eq!((&copy.method, &copy.target), (&request.method, &request.target));
    for name in ["host", "authorization", "x-own", "x-added", "x-forwarded-for", "x-forwarded-prefix", "via"]
    {
        assert!(request.fields.has(name), "{name}");
        assert_eq!(copy.fields.get(name), request.fields.get(name), "{name}");
    }
    assert_eq!(copy.fields.get("x-menshen-mirror"), Some("r"));
    assert!(!request.fields.has("x-menshen-mirror"), "the first one knows nothing of it");
    mirror.expect_canonical();
}

#[test]
fn content_is_copied_however_it_is_framed() {
    let (main, mirror) = (Origin::echo(), Origin::echo());
    let gateway = mirrored(&main, &mirror);
    let mut client = Client::of(&gateway);
    assert_eq!(client.post("/api/a", "0123456789").text(), "POST /v2/a\n0123456789");
    let chunked = "POST /api/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(client.send(chunked).response().text(), "POST /v2/b\nabcde");
    assert_eq!(client.post("/api/c", "").text(), "POST /v2/c\n");
    eventually("the copies come", || mirror.whole_requests() == 3);
    let mut copies: Vec<_> = mirror.requests().iter().map(|r| format!("{} {}", r.target, r.text())).collect();
    copies.sort();
    assert_eq!(copies, ["/v2/a 0123456789", "/v2/b abcde", "/v2/c "]);
    mirror.expect_canonical();
}

#[test]
fn a_request_with_more_content_than_is_copied_goes_on_alone() {
    let (main, mirror) = (Origin::echo(), Origin::echo());
    let gateway = mirrored(&main, &mirror);
    let mut client = Client::of(&gateway);
    let large = "x".repeat(1025);
    assert_eq!(client.post("/api/large", &large).text(), format!("POST /v2/large\n{large}"));
    let chunked = format!(
        "POST /api/large HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n{large}\r\n0\r\n\r\n"
    );
    assert_eq!(client.send(chunked).response().text(), format!("POST /v2/large\n{large}"));
    client.post("/api/exact", &large[1..]);
    eventually("the copy of the last one comes", || mirror.whole_requests() == 1);
    assert_eq!(mirror.only_request().target, "/v2/exact");
}

#[test]
fn nothing_that_a_mirror_does_is_seen_in_the_answer() {
    let plain = |main: &Origin| {
        TestGateway::start(
            "routes: { r: { match: /api/**, strip: /api, prefix: /v2, to: 'http://{origin}' } }",
            &[main],
        )
    };
    let main = Origin::answering(|r| reply_with("201 Created", "X-From: main\r\n", &r.target));
    let expected = Client::of(&plain(&main)).get("/api/x");
    let hangs = Gate::new();
    let waits = hangs.clone();
    let mirrors = [
        ("answers 500", Origin::answering(|_| reply_with("500 Oh", "", "mirror"))),
        ("answers more than is read", Origin::answering(|_| reply(&"x".repeat(3 << 20)))),
        (
            "says nonsense",
            Origin::scripted(|c| {
                c.head();
                c.send("nonsense\r\n\r\n");
            }),
        ),
        (
            "closes",
            Origin::scripted(|c| {
                c.head();
            }),
        ),
        ("is not there", Origin::refusing()),
        (
            "hangs",
            Origin::scripted(move |c| {
                c.head();
                waits.pass();
            }),
        ),
    ];
    for (what, mirror) in &mirrors {
        let gateway = mirrored(&main, mirror);
        let mut client = Client::of(&gateway);
        for _ in 0..3 {
            let mut response = client.get("/api/x");
            response.fields.0.retain(|(name, _)| name != "date");
            let mut expected = expected.clone();
            expected.fields.0.retain(|(name, _)| name != "date");
            assert_eq!(response, expected, "a mirror that {what}");
        }
    }
    hangs.open_for(3);
}

#[test]
fn a_request_that_is_sent_again_is_copied_once() {
    let first = Origin::scripted(|c| {
        c.head();
        c.reset_at_end();
    });
    let (second, mirror) = (Origin::echo(), Origin::echo());
    let gateway = TestGateway::start(
        "
        services:
          s: { endpoints: ['{origin-1}', '{origin-2}'] }
          next: { endpoints: ['{origin-3}'] }
        routes: { r: { match: /**, to: s, retry: { keep: 1KiB }, mirror: next } }
        ",
        &[&first, &second, &mirror],
    );
    let mut client = Client::of(&gateway);
    for n in 0..4 {
        let put = format!("PUT /{n} HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\ncontent");
        assert_eq!(client.send(put).response().text(), format!("PUT /{n}\ncontent"));
        assert_eq!(client.get(&format!("/{n}")).status, 200);
    }
    assert!(!first.requests().is_empty(), "some were sent again");
    eventually("the copies come", || mirror.whole_requests() == 8);
    assert!(mirror.requests().iter().all(|r| r.method == "GET" || r.text() == "content"));
}

#[test]
fn a_fallback_is_not_copied_and_neither_is_what_was_refused() {
    let (main, mirror) = (Origin::echo(), Origin::echo());
    let gateway = TestGateway::start(
        "
        services:
          s: { endpoints: ['{origin-1}'] }
          next: { endpoints: ['{origin-2}'] }
        routes:
          refused: { match: /refused, to: s, mirror: next, filters: [ { ip-deny: 0.0.0.0/0 } ] }
          others: { match: /**, to: s, mirror: next }
        ",
        &[&main, &mirror],
    );
    let mut client = Client::of(&gateway);
    assert_eq!(client.get("/refused").status, 403);
    assert_eq!(client.get("/passed").status, 200);
    eventually("the copy comes", || mirror.whole_requests() == 1);
    assert_eq!(mirror.only_request().target, "/passed");
}
