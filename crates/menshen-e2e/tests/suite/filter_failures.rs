//! What clients get when something fails: pages, fallbacks, other services.

use menshen_e2e::{Client, Conversation, Origin, TestGateway, reply, reply_with};

/// A service that closes without an answer, after it has read the request.
fn resetting() -> Origin {
    Origin::scripted(|c: &mut Conversation| {
        c.request();
    })
}

#[test]
fn the_most_precise_page_is_sent_with_the_status_of_the_failure() {
    let refusing = Origin::refusing();
    let gateway = TestGateway::start(
        "
        listeners:
          http:
            bind: 127.0.0.1:0
            filters:
              - request-id
              - error-page:
                  pages:
                    4xx: { body: 'a {status} {code}' }
                    404: { body: 'b {status} {path}' }
                    denied: { body: 'c {title}' }
                    5xx: { html: '<p>{code} {path}</p>', json: { status: '{status}', code: '{code}' } }
        routes:
          dead: { match: /dead/**, to: 'http://{origin}' }
          shut: { match: /shut, to: 'http://{origin}', filters: [ ip-deny: 127.0.0.1 ] }
          limited: { match: /limited, to: { respond: { body: x } }, filters: [ rate-limit: 1/h ] }
          own: { match: /own, to: 'http://{origin}', filters: [ error-page: { pages: { connect-failed: { body: own, status: 503, headers: { x-a: b } } } } ] }
        ",
        &[&refusing],
    );
    let mut client = Client::of(&gateway);
    client.get("/limited");
    for (target, status, body) in [
        ("/nowhere", 404, "b 404 /nowhere"),
        ("/shut", 403, "c Forbidden"),
        ("/limited", 429, "a 429 rate-limited"),
        ("/own", 503, "own"),
    ] {
        let response = client.get(target);
        assert_eq!((response.status, response.text().as_str()), (status, body));
        assert_eq!(response.fields.get("content-type"), Some("text/plain; charset=utf-8"), "{target}");
        assert!(response.fields.has("x-request-id"), "{target}");
        assert_eq!(response.fields.has("retry-after"), status == 429, "{target}");
        assert_eq!(response.fields.has("x-a"), target == "/own");
    }
    let html = client.ask("GET /dead/%3Cscript%3E&'", &["Accept: text/html"]);
    assert_eq!(html.status, 502);
    assert!(
        html.text().starts_with("<p>connect-failed /dead/") && !html.text().contains("<script>"),
        "{}",
        html.text()
    );
    let json = client.ask("GET /dead/x", &["Accept: application/json"]);
    assert_eq!(json.text(), "{\"status\":502,\"code\":\"connect-failed\"}\n");
    assert!(json.fields.lists("vary", "accept"));
    assert_eq!(
        client.ask("HEAD /dead/x", &["Accept: application/json"]).fields.get("content-length"),
        Some("39")
    );
}

#[test]
fn errors_that_a_service_words_itself_stay_unless_they_are_to_be_replaced() {
    let origin = Origin::answering(|r| {
        reply_with(if r.target == "/ok" { "200 OK" } else { "500 Oops" }, "ETag: \"x\"\r\n", "inside")
    });
    let gateway = TestGateway::start(
        "
        routes:
          kept: { match: /kept, to: 'http://{origin}', filters: [ error-page: { pages: { 5xx: { body: page } } } ] }
          replaced: { match: /**, to: 'http://{origin}', filters: [ error-page: { pages: { 5xx: { body: 'page {code}' } }, service-errors: replace } ] }
        ",
        &[&origin],
    );
    let mut client = Client::of(&gateway);
    assert_eq!(client.get("/kept").text(), "inside");
    assert_eq!(client.get("/ok").text(), "inside");
    for _ in 0..2 {
        let replaced = client.get("/replaced");
        assert_eq!((replaced.status, replaced.text().as_str()), (500, "page service-error"));
        assert!(!replaced.fields.has("etag"));
    }
}

#[test]
fn another_service_is_asked_where_that_does_no_harm() {
    let (refusing, resetting, other) = (Origin::refusing(), resetting(), Origin::echo());
    let gateway = TestGateway::start(
        "
        services:
          other: { endpoints: ['{origin-3}'], base: /base, host: other.internal }
        routes:
          dead: { match: /dead/**, strip: /dead, to: 'http://{origin-1}', filters: [ fallback: other ] }
          reset: { match: /reset/**, to: 'http://{origin-2}', filters: [ fallback: other ] }
          limited: { match: /limited, to: 'http://{origin-1}', filters: [ { fallback: { on: rate-limited, service: other } }, rate-limit: 1/h ] }
          both: { match: /both, to: 'http://{origin-1}', filters: [ fallback: { service: other, respond: { body: sorry }, on: [connect-failed] } ] }
        ",
        &[&refusing, &resetting, &other],
    );
    let mut client = Client::of(&gateway);
    assert_eq!(client.get("/dead/a?q").text(), "GET /base/a?q\n", "its own base");
    assert_eq!(other.requests().pop().unwrap().fields.get("host"), Some("other.internal"), "its own host");
    assert_eq!(client.post("/dead/a", "content").text(), "POST /base/a\ncontent");
    assert_eq!(client.get("/reset/a").text(), "GET /base/reset/a\n");
    assert_eq!(client.post("/reset/a", "content").outcome(), "502 service-reset", "it may have acted");
    assert_eq!(client.get("/limited").status, 502);
    assert_eq!(client.get("/limited").text(), "GET /base/limited\n");
    assert_eq!(client.get("/both").text(), "GET /base/both\n");
}

#[test]
fn a_fallback_has_the_limits_of_the_route() {
    let (refusing, other) = (Origin::refusing(), Origin::echo());
    let gateway = TestGateway::start(
        "
        services: { other: { endpoints: ['{origin-2}'] } }
        routes:
          r:
            match: /**
            limits: { body: 4B }
            to: 'http://{origin-1}'
            filters: [ { fallback: { on: [denied, connect-failed], service: other } }, { ip-deny: 127.0.0.1, when: /denied } ]
        ",
        &[&refusing, &other],
    );
    for target in ["/denied", "/dead"] {
        assert_eq!(Client::of(&gateway).post(target, "1234").status, 200, "{target}");
        assert_ne!(Client::of(&gateway).post(target, "12345").status, 200, "{target}");
        let chunked = format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"
        );
        assert_ne!(Client::of(&gateway).send(chunked).response().status, 200, "{target}");
    }
    assert!(other.requests().iter().all(|r| r.body.len() <= 4), "{:?}", other.requests());
}

#[test]
fn a_fixed_reply_is_sent_where_no_service_can_be_asked() {
    let refusing = Origin::refusing();
    let gateway = TestGateway::start(
        "
        services: { dead: { endpoints: ['{origin}'] } }
        routes:
          list: { match: /list, to: dead, filters: [ fallback: { respond: { json: [] } } ] }
          both: { match: /both, to: dead, filters: [ { fallback: { service: dead, respond: { body: sorry, status: 203 } } }, headers: { response: { set: { x-a: b } } } ] }
          other: { match: /other, to: dead, filters: [ fallback: { on: 404, respond: { body: x } } ] }
          code: { match: /code, to: dead, filters: [ fallback: { on: [5xx], respond: { body: '{code}' } } ] }
        ",
        &[&refusing],
    );
    let mut client = Client::of(&gateway);
    let list = client.get("/list");
    assert_eq!((list.status, list.text().as_str()), (200, "[]\n"));
    let both = client.get("/both");
    assert_eq!((both.status, both.text().as_str(), both.fields.get("x-a")), (203, "sorry", Some("b")));
    assert_eq!(client.get("/other").outcome(), "502 connect-failed");
    assert_eq!(client.get("/code").text(), "connect-failed");
}

#[test]
fn a_reply_of_a_fallback_passes_the_filters_of_the_route() {
    let (refusing, other) = (Origin::refusing(), Origin::answering(|_| reply("other")));
    let gateway = TestGateway::start(
        "
        services: { other: { endpoints: ['{origin-2}'] } }
        routes:
          r:
            match: /**
            to: 'http://{origin-1}'
            filters:
              - headers: { request: { add: { x-n: pre } }, response: { add: { x-n: post } } }
              - cors: https://app.test
              - fallback: other
        ",
        &[&refusing, &other],
    );
    let response = Client::of(&gateway).ask("GET /", &["Origin: https://app.test"]);
    assert_eq!((response.text().as_str(), response.fields.all("x-n")), ("other", vec!["post"]));
    assert_eq!(response.fields.get("access-control-allow-origin"), Some("https://app.test"));
    assert_eq!(other.only_request().fields.all("x-n"), ["pre"]);
}
