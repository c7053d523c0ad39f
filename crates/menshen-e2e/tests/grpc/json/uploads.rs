//! Many messages of the client: an array, values that follow each other, or content of any type.

use menshen_e2e::Client;
use serde_json::{Value, json};

use super::{Desk, parsed, problem};

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// The content of the chunks that are still to come.
fn rest(client: &mut Client) -> String {
    String::from_utf8(client.wire().chunks().unwrap().0).unwrap()
}

/// Sends the head of a request with content in chunks.
fn begin(desk: &Desk, target: &str, kind: &str) -> Client {
    let mut client = Client::of(&desk.gateway);
    client.send(format!(
        "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ));
    client
}

#[test]
fn an_array_or_values_that_follow_each_other_are_the_messages() {
    let desk = Desk::open();
    for (content, expected) in [
        (r#"[{"title":"a"},{"title":"b"},{"title":"c"}]"#, json!({ "title": "abc", "count": 3 })),
        ("{\"title\":\"a\"}\n{\"title\":\"b\"}\n", json!({ "title": "ab", "count": 2 })),
        (r#"{"title":"a"}{"title":"b"}"#, json!({ "title": "ab", "count": 2 })),
        (r#"{"title":"a"}"#, json!({ "title": "a", "count": 1 })),
        ("[]", json!({})),
        ("", json!({})),
    ] {
        assert_eq!(desk.book("POST", "/v1/collect", content), expected, "{content}");
    }
    let lines = desk.ask_with("POST", "/v1/collect", "Content-Type: application/x-ndjson\r\n", "");
    assert_eq!(lines.status, 200);
}

#[test]
fn a_message_goes_to_the_service_as_soon_as_it_is_whole_and_its_answer_comes_back() {
    let desk = Desk::open();
    let mut client = begin(&desk, "/v1/talk/me", "application/x-ndjson");
    client.send(chunk("{\"title\":\"a\"}\n{\"tit"));
    let head = client.head().unwrap();
    assert_eq!((head.status, head.fields.get("content-type")), (200, Some("application/x-ndjson")));
    let first = "{\"name\":\"me\",\"title\":\"a\"}\n";
    assert_eq!(client.wire().take(first.len() + 6).unwrap(), chunk(first).into_bytes());
    client.send(chunk("le\":\"b\"}")).send("0\r\n\r\n");
    let rest = rest(&mut client);
    assert_eq!(parsed(&rest), json!({ "title": "b" }), "the path is in the first message only");
}

#[test]
fn one_field_may_be_the_content_of_each_message() {
    let desk = Desk::open();
    let head = "Accept: application/json\r\n";
    let response = desk.ask_with("POST", "/v1/tag?title=x", head, r#"[["a"],["b","c"]]"#);
    assert_eq!((response.status, parsed(&response.text())), (200, json!([["a"], ["b", "c"]])));
}

#[test]
fn what_is_wrong_with_a_message_is_told_with_its_number() {
    let desk = Desk::open();
    for (content, field, detail) in [
        (r#"[{"title":"a"},{"titel":"b"}]"#, json!("[1].titel"), "no such field"),
        (r#"[{"author":{"nam":1}}]"#, json!("[0].author.nam"), "no such field"),
        (r#"{"title":"a"} {"title":"b",}"#, json!("[1]"), "not JSON"),
        (r#"[{"title":"a"}"#, Value::Null, "within the array"),
        (r#"{"title":"a"},{"title":"b"}"#, json!("[1]"), "not JSON"),
    ] {
        let response = desk.ask("POST", "/v1/collect", content);
        assert_eq!(response.outcome(), "400 bad-content", "{content}");
        let problem = problem(&response);
        assert_eq!(problem["field"], field, "{content}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{content}: {problem}");
    }
}

#[test]
fn the_limit_is_for_each_message_and_that_of_the_route_for_all_together() {
    let message = json!({ "title": "a".repeat(900) }).to_string();
    let content = format!("[{}]", vec![message; 20].join(","));
    let desk = Desk::with(", message-limit: 1KiB");
    let answer = desk.ask("POST", "/v1/collect", &content);
    assert_eq!(answer.outcome(), "502 reply-too-large", "all titles are in it");
    let too_large = format!("[{}]", json!({ "title": "a".repeat(1100) }));
    assert_eq!(desk.ask("POST", "/v1/collect", &too_large).outcome(), "413 body-too-large");
    let document = super::DOCUMENT.replace("to:", "limits: { body: 10KiB }\n        to:");
    let desk = Desk::of(&document.replace("{more}", ""));
    assert_eq!(desk.ask("POST", "/v1/collect", &content).outcome(), "413 body-too-large");
}

#[test]
fn content_of_any_type_passes_piece_by_piece_either_way() {
    let desk = Desk::open();
    let mut client = begin(&desk, "/v1/copy", "image/png");
    client.send(chunk("first"));
    let head = client.head().unwrap();
    assert_eq!((head.status, head.fields.get("content-type")), (200, Some("image/png")));
    assert_eq!(client.wire().take(10).unwrap(), chunk("first").into_bytes());
    client.send(chunk("second")).send("0\r\n\r\n");
    assert_eq!(rest(&mut client), "second");

    let large = "x".repeat(300_000);
    let mut client = begin(&desk, "/v1/copy", "text/plain");
    let response = client.send(chunk(&large) + "0\r\n\r\n").response();
    assert!(response.status == 200 && response.text() == large, "{} bytes", response.body.len());

    let empty = desk.ask_with("POST", "/v1/copy", "Content-Type: text/plain\r\n", "");
    assert_eq!((empty.status, empty.text().as_str()), (200, ""));
    assert_eq!(empty.fields.get("content-type"), Some("text/plain"));
}

#[test]
fn content_of_any_type_may_be_a_field_beside_others() {
    let desk = Desk::open();
    let mut client = begin(&desk, "/v1/scan/me", "image/png");
    let response = client.send(chunk("pixels") + "0\r\n\r\n").response();
    assert_eq!((response.status, response.fields.get("content-type")), (200, Some("image/png")));
    assert_eq!(response.text(), "pixels");
}
