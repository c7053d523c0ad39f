//! Many messages of the service: lines, an array, or events.

use menshen_e2e::Response;
use serde_json::{Value, json};

use super::{Desk, parsed, problem};

fn ask(desk: &Desk, target: &str, accept: &str) -> Response {
    desk.ask_with("GET", target, &format!("Accept: {accept}\r\n"), "")
}

fn lines(response: &Response) -> Vec<Value> {
    response.text().lines().map(parsed).collect()
}

#[test]
fn messages_come_as_lines_an_array_or_events() {
    let desk = Desk::open();
    let book = json!({ "title": "a\nb", "count": 3 });
    let target = "/v1/list?count=3&title=a%0Ab";
    for accept in ["*/*", "application/x-ndjson", "application/json;q=0.5, application/jsonl", "text/html"] {
        let response = ask(&desk, target, accept);
        assert_eq!(
            (response.status, response.fields.get("content-type")),
            (200, Some("application/x-ndjson"))
        );
        assert_eq!(lines(&response), vec![book.clone(); 3], "{accept}");
    }
    let response = ask(&desk, target, "application/json");
    assert_eq!(response.fields.get("content-type"), Some("application/json"));
    assert_eq!(parsed(&response.text()), json!([book, book, book]));
    let response = ask(&desk, target, "text/event-stream");
    assert_eq!(response.fields.get("content-type"), Some("text/event-stream"));
    assert_eq!(response.text(), "data: {\"title\":\"a\\nb\",\"count\":3}\n\n".repeat(3));
    let (status, text) = desk.ask_h2("GET", target, "");
    assert_eq!((status, text.lines().count()), (200, 3));
}

#[test]
fn an_empty_stream_is_no_failure() {
    let desk = Desk::open();
    for (accept, expected) in [("*/*", ""), ("application/json", "[]\n"), ("text/event-stream", "")] {
        let response = ask(&desk, "/v1/list", accept);
        assert_eq!((response.status, response.text().as_str()), (200, expected), "{accept}");
    }
}

#[test]
fn a_failure_before_the_first_message_has_its_status() {
    let desk = Desk::open();
    for accept in ["*/*", "application/json"] {
        let response = ask(&desk, "/v1/fail-stream?code=5&title=gone", accept);
        assert_eq!(response.outcome(), "404 service-error", "{accept}");
        assert_eq!(problem(&response)["grpc-status"], "not-found");
    }
}

#[test]
fn a_failure_behind_a_message_is_the_last_one() {
    let desk = Desk::open();
    let target = "/v1/fail-stream?code=14&title=later&count=1";
    let book = json!({ "title": "later", "count": 1, "code": 14 });
    let is_failure = |error: &Value| {
        assert_eq!(
            (&error["grpc-status"], &error["status"]),
            (&json!("unavailable"), &json!(503)),
            "{error}"
        );
        assert_eq!(error["detail"], "later");
    };
    let response = ask(&desk, target, "*/*");
    let [first, last] = &*lines(&response) else { panic!("{}", response.text()) };
    assert_eq!(first, &book);
    is_failure(&last["error"]);
    let array = parsed(&ask(&desk, target, "application/json").text());
    assert_eq!(array[0], book);
    is_failure(&array[1]["error"]);
    let events = ask(&desk, target, "text/event-stream").text();
    let (first, last) = events.split_once("\n\n").unwrap();
    assert!(first.starts_with("data: {\"title\":\"later\""), "{events}");
    is_failure(&parsed(last.strip_prefix("event: error\ndata: ").unwrap().trim_end()));
}

#[test]
fn a_message_that_is_too_large_cuts_the_stream() {
    let desk = Desk::with(", message-limit: 1KiB");
    let kinds = "&kinds=-1".repeat(200);
    let mut client = menshen_e2e::Client::of(&desk.gateway);
    let head =
        format!("GET /v1/list?count=2{kinds} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n");
    assert!(client.send(head).try_response().is_err(), "the end is missing");
}

#[test]
fn content_of_any_type_is_the_content_of_all_messages_and_the_first_says_which() {
    let desk = Desk::open();
    for accept in ["*/*", "application/json", "text/event-stream"] {
        let response = ask(&desk, "/v1/download?title=a&count=3", accept);
        assert_eq!((response.status, response.fields.get("content-type")), (200, Some("image/png")));
        assert_eq!(response.text(), "a0a1a2", "{accept}");
    }
    assert_eq!(desk.ask_h2("GET", "/v1/download?title=a&count=2", ""), (200, "a0a1".to_owned()));
    let empty = ask(&desk, "/v1/download", "*/*");
    assert_eq!((empty.status, empty.text().as_str()), (200, ""));
}

#[test]
fn content_of_any_type_that_fails_has_its_status_before_the_first_message_and_is_cut_behind_it() {
    let desk = Desk::open();
    let response = ask(&desk, "/v1/download?code=5&title=gone", "*/*");
    assert_eq!(response.outcome(), "404 service-error");
    assert_eq!(problem(&response)["detail"], "gone");
    let mut client = menshen_e2e::Client::of(&desk.gateway);
    let head = "GET /v1/download?code=14&count=2&title=a HTTP/1.1\r\nHost: a\r\n\r\n";
    assert!(client.send(head).try_response().is_err(), "the end is missing");
}
