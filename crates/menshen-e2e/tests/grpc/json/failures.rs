//! What clients are told when something is wrong with a request, at the service, or on the way.

use menshen_e2e::{Client, Response, eventually};
use serde_json::json;

use super::{DOCUMENT, Desk, parsed, problem};

#[test]
fn what_is_wrong_with_a_request_is_told_with_its_field_and_costs_no_call() {
    let desk = Desk::open();
    for (method, target, content, field, detail) in [
        ("POST", "/v1/books", r#"{"titel":"a"}"#, "titel", "no such field"),
        ("POST", "/v1/books", r#"{"sequel":{"author":{"nam":1}}}"#, "sequel.author.nam", "no such field"),
        ("POST", "/v1/books", r#"{"tags":["a",7]}"#, "tags[1]", "invalid type"),
        ("POST", "/v1/books", r#"{"pages":"x"}"#, "pages", "invalid digit"),
        ("POST", "/v1/books", r#"{"kind":"DRAMA"}"#, "kind", "DRAMA"),
        ("POST", "/v1/books", r#"{"published":"now"}"#, "published", "timestamp"),
        ("POST", "/v1/books", r#"{"title":"a""#, "", "not JSON"),
        ("POST", "/v1/books", r#"{"title":"a"}}"#, "", "not JSON"),
        ("POST", "/v1/books", "[]", "", "invalid type"),
        ("POST", "/v1/books?title=a", "{}", "title", "no such parameter"),
        ("PATCH", "/v1/books/1", r#"{"nam":"a"}"#, "author.nam", "no such field"),
        ("PATCH", "/v1/books/1?author.name=a", "{}", "author.name", "no such parameter"),
        ("GET", "/v1/books/1?name=2", "", "name", "no such parameter"),
        ("GET", "/v1/books/1?author=2", "", "author", "no such parameter"),
        ("GET", "/v1/books/1?stock=2", "", "stock", "no such parameter"),
        ("GET", "/v1/books/1?lent=yes", "", "lent", "neither `true` nor `false`"),
        ("GET", "/v1/books/1?shelf_number=-1", "", "shelf_number", "invalid digit"),
        ("GET", "/v1/books/1?title=a&title=b", "", "title", "twice"),
        ("GET", "/v1/books/1?title=%ff", "", "", "UTF-8"),
        ("GET", "/v1/books/1", "{}", "", "without content"),
    ] {
        let response = desk.ask(method, target, content);
        assert_eq!(response.outcome(), "400 bad-content", "{method} {target} {content}: {}", response.text());
        let problem = problem(&response);
        assert_eq!(
            problem["field"].as_str().unwrap_or_default(),
            field,
            "{method} {target} {content}: {problem}"
        );
        assert!(
            problem["detail"].as_str().unwrap().contains(detail),
            "{method} {target} {content}: {problem}"
        );
        let (status, text) = desk.ask_h2(method, target, content);
        assert_eq!((status, parsed(&text)), (400, problem), "over HTTP/2");
    }
    assert!(desk.calls.lock().unwrap().is_empty(), "{:?}", desk.calls);
}

#[test]
fn requests_for_no_method_are_refused() {
    let desk = Desk::open();
    assert_eq!(desk.ask("GET", "/v2/books", "").outcome(), "404 no-route");
    let response = desk.ask("GET", "/v1/books", "");
    assert_eq!(response.outcome(), "405 method-not-allowed");
    assert_eq!(response.fields.get("allow"), Some("POST, REPORT"));
    for more in
        ["Content-Type: text/plain\r\n", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"]
    {
        let head = format!("POST /v1/books HTTP/1.1\r\nHost: a\r\n{more}Content-Length: 2\r\n\r\n{{}}");
        let response = Client::of(&desk.gateway).send(head).response();
        assert_eq!(response.outcome(), "415 unsupported-media-type", "{more}");
    }
    assert!(desk.calls.lock().unwrap().is_empty(), "{:?}", desk.calls);
}

#[test]
fn a_status_of_the_service_becomes_one_of_http() {
    let desk = Desk::open();
    for (code, status, name) in [
        (1, 499, "cancelled"),
        (2, 500, "unknown"),
        (3, 400, "invalid-argument"),
        (4, 504, "deadline-exceeded"),
        (5, 404, "not-found"),
        (6, 409, "already-exists"),
        (7, 403, "permission-denied"),
        (8, 429, "resource-exhausted"),
        (9, 400, "failed-precondition"),
        (10, 409, "aborted"),
        (11, 400, "out-of-range"),
        (12, 501, "unimplemented"),
        (13, 500, "internal"),
        (14, 503, "unavailable"),
        (15, 500, "data-loss"),
        (16, 401, "unauthenticated"),
    ] {
        let response =
            desk.ask("POST", "/v1/fail", &json!({ "code": code, "title": "é 1+1 100%" }).to_string());
        assert_eq!(response.outcome(), format!("{status} service-error"), "{name}");
        let problem = problem(&response);
        assert_eq!((&problem["grpc-status"], &problem["detail"]), (&json!(name), &json!("é 1+1 100%")));
        assert!(
            !response.fields.has("grpc-status") && !response.fields.has("grpc-message"),
            "{}",
            response.fields
        );
    }
}

#[test]
fn details_of_known_types_are_told() {
    let desk = Desk::open();
    let problem = problem(&desk.ask("POST", "/v1/fail", r#"{"code":5,"title":"gone"}"#));
    let known = json!({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "TESTED" });
    assert_eq!(problem["details"], json!([known]));
}

#[test]
fn messages_have_limits_both_ways() {
    let desk = Desk::with(", message-limit: 1KiB");
    let book = |n: usize| json!({ "title": "a".repeat(n) }).to_string();
    desk.book("POST", "/v1/books", &book(1000));
    assert_eq!(desk.ask("POST", "/v1/books", &book(1100)).outcome(), "413 body-too-large");
    let head = "POST /v1/books HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1100\r\n\r\n";
    assert_eq!(Client::of(&desk.gateway).send(head).head().unwrap().status, 413, "before any of it is sent");
    let in_chunks = format!(
        "POST /v1/books HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        book(1100).len(),
        book(1100)
    );
    assert_eq!(Client::of(&desk.gateway).send(in_chunks).response().outcome(), "413 body-too-large");
    // Without names, text of a number is larger as a message: 10 bytes for each.
    let numbers = format!("[{}]", vec!["\"-1\""; 150].join(","));
    let kinds = numbers.replace("\"-1\"", "-1");
    let response = desk.ask("POST", "/v1/books", &format!("{{\"kinds\":{kinds}}}"));
    assert_eq!(response.outcome(), "502 reply-too-large");
    assert_eq!(parsed(&response.text())["detail"], "The service's answer is larger than may be held.");
}

#[test]
fn the_limit_of_the_route_counts_too() {
    let desk = Desk::of(
        &DOCUMENT.replace("filters:", "limits: { body: 100B }\n        filters:").replace("{more}", ""),
    );
    desk.book("POST", "/v1/books", r#"{"title":"a"}"#);
    let book = json!({ "title": "a".repeat(100) }).to_string();
    assert_eq!(desk.ask("POST", "/v1/books", &book).outcome(), "413 body-too-large");
}

#[test]
fn deep_nesting_is_refused_and_costs_nothing_else() {
    let desk = Desk::open();
    let nested = |n: usize| r#"{"sequel":"#.repeat(n) + "{}" + &"}".repeat(n);
    desk.book("POST", "/v1/books", &nested(90));
    assert_eq!(desk.ask("POST", "/v1/books", &nested(150)).outcome(), "400 bad-content");
    assert_eq!(desk.ask("POST", "/v1/books", &nested(20_000)).outcome(), "400 bad-content");
    let any = r#"{"@type":"type.googleapis.com/google.protobuf.Any","value":"#;
    let any = |n: usize| {
        format!(
            r#"{{"more":{}{{"@type":"type.googleapis.com/test.library.Author"}}{}}}"#,
            any.repeat(n),
            "}".repeat(n)
        )
    };
    desk.book("POST", "/v1/books", &any(20));
    assert_eq!(desk.ask("POST", "/v1/books", &any(5_000)).outcome(), "400 bad-content");
    let list = format!(r#"{{"extra":{{"a":{}{}}}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(desk.ask("POST", "/v1/books", &list).outcome(), "400 bad-content");
    desk.book("POST", "/v1/books", "{}");
}

#[test]
fn deadlines_hold_and_the_service_is_told() {
    let desk = Desk::open();
    let response = desk.ask_with("GET", "/v1/hang", "grpc-timeout: 100m\r\n", "");
    assert_eq!(response.outcome(), "504 total-timeout");
    let told = desk.calls.lock().unwrap()[0].clone();
    let (_, left) = told.split_once("grpc-timeout: ").expect("the service is told");
    let left = left.split_whitespace().next().unwrap().strip_suffix('m').unwrap().parse::<u32>().unwrap();
    assert!((1..=101).contains(&left), "{told}");
    let short =
        DOCUMENT.replace("filters:", "timeouts: { total: 100ms }\n        filters:").replace("{more}", "");
    assert_eq!(Desk::of(&short).ask("GET", "/v1/hang", "").outcome(), "504 total-timeout");
}

#[test]
fn a_service_that_cannot_be_reached_is_a_problem_in_json() {
    let desk = Desk::of(&DOCUMENT.replace("{service}", "127.0.0.1:1").replace("{more}", ""));
    let response = desk.ask("GET", "/v1/books/1", "");
    assert_eq!(response.outcome(), "502 connect-failed");
    problem(&response);
}

#[test]
fn other_pages_for_failures_stay_as_they_are_worded() {
    let desk = Desk::of(
        &DOCUMENT
            .replace(
                "filters: [",
                "filters: [ error-page: { pages: { 4xx: { body: 'no: {code}' } }, service-errors: replace },",
            )
            .replace("{more}", ""),
    );
    assert_eq!(desk.ask("POST", "/v1/books", "{").text(), "no: bad-content");
    assert_eq!(desk.ask("POST", "/v1/fail", r#"{"code":5}"#).text(), "no: service-error");
}

#[test]
fn the_status_of_the_service_is_in_log_and_metrics() {
    let document = DOCUMENT
        .replace("    routes:", "    gateway:\n      access-log: '{log}'\n    routes:")
        .replace("{more}", "");
    let desk = Desk::of(&document);
    desk.ask("POST", "/v1/fail", r#"{"code":5}"#);
    desk.ask("GET", "/v1/books/1", "");
    desk.ask("GET", "/v2", "");
    let mut log = String::new();
    eventually("three lines", || {
        log = std::fs::read_to_string(desk.gateway.log()).unwrap_or_default();
        log.lines().count() == 3
    });
    let status = |n: usize| parsed(log.lines().nth(n).unwrap());
    assert_eq!((&status(0)["grpc-status"], &status(0)["status"]), (&json!("not-found"), &json!(404)));
    assert_eq!((&status(0)["method"], &status(0)["path"]), (&json!("POST"), &json!("/v1/fail")));
    assert_eq!((&status(1)["grpc-status"], &status(1)["method"]), (&json!("ok"), &json!("GET")));
    assert!(status(2).get("grpc-status").is_none());
}

#[test]
fn a_chosen_status_is_asked_again() {
    let retry = DOCUMENT
        .replace("filters:", "retry: { grpc-status: [unavailable] }\n        filters:")
        .replace("{more}", "");
    let desk = Desk::of(&retry);
    let response = desk.ask("POST", "/v1/fail", r#"{"code":14,"count":2}"#);
    assert_eq!(parsed(&response.text()), json!({ "code": 14, "count": 2 }));
    assert_eq!(desk.calls.lock().unwrap().len(), 3);
    assert_eq!(desk.ask("POST", "/v1/fail", r#"{"code":5,"count":9}"#).status, 404);
    assert_eq!(desk.calls.lock().unwrap().len(), 4);
}

#[test]
fn failures_can_be_told_as_google_rpc_status() {
    let desk = Desk::with(", errors: status");
    let told = |response: &Response| {
        assert_eq!(response.fields.get("content-type"), Some("application/json"), "{}", response.text());
        parsed(&response.text())
    };
    let response = desk.ask("POST", "/v1/fail", r#"{"code":5,"title":"gone"}"#);
    let info = json!({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "TESTED" });
    assert_eq!(response.status, 404);
    assert_eq!(told(&response), json!({ "code": 5, "message": "gone", "details": [info] }));

    let response = desk.ask("POST", "/v1/books", r#"{"author":{"nam":1}}"#);
    let violation = json!({ "field": "author.nam", "description": "no such field" });
    let kind = "type.googleapis.com/google.rpc.BadRequest";
    let details = json!([{ "@type": kind, "fieldViolations": [violation] }]);
    assert_eq!(response.status, 400);
    let message = "bad-content: author.nam: no such field";
    assert_eq!(told(&response), json!({ "code": 3, "message": message, "details": details }));

    let response = desk.ask("GET", "/v2/books", "");
    assert_eq!((response.status, told(&response)["code"].clone()), (404, json!(5)));
    let response = desk.ask_with("GET", "/v1/hang", "Grpc-Timeout: 20m\r\n", "");
    assert_eq!((response.status, told(&response)["code"].clone()), (504, json!(4)));

    let late = desk.ask("GET", "/v1/fail-stream?code=14&title=later&count=1", "").text();
    let error = parsed(late.lines().last().unwrap());
    assert_eq!((&error["error"]["code"], &error["error"]["message"]), (&json!(14), &json!("later")));
}
