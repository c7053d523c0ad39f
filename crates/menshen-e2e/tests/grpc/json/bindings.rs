//! Methods and paths of HTTP, content and query → messages, and back.

use serde_json::json;

use super::{Desk, parsed};

#[test]
fn content_is_the_message_and_comes_back() {
    let desk = Desk::open();
    let book = json!({
        "name": "shelves/1/books/2", "title": "Ä \"quoted\" 📖", "pages": "9007199254740993", "tags": ["a", "b"],
        "kind": "NOVEL", "author": { "name": "x", "teacher": { "name": "y" } }, "published": "2026-01-02T03:04:05.600Z",
        "note": "", "loan": "3.500s", "mask": "title,author.name", "stock": { "here": 3 }, "cover": "AAEC/w==",
        "lent": true, "price": 1.5, "kinds": ["POEMS", "NOVEL"], "signed": false, "shelfNumber": 7, "person": "me",
        "more": { "@type": "type.googleapis.com/test.library.Author", "name": "z" },
        "sequel": { "title": "2" }, "extra": { "a": [1.0, null, { "b": "c" }] }
    });
    assert_eq!(desk.book("POST", "/v1/books", &book.to_string()), book);
    let calls = desk.calls.lock().unwrap();
    let call = &calls[0];
    for part in ["POST /test.library.Library/Create", " content-type: application/grpc", " te: trailers"] {
        assert!(call.contains(part), "{part}: {call}");
    }
}

#[test]
fn paths_and_queries_fill_fields() {
    let desk = Desk::open();
    for (method, target, content, expected) in [
        ("GET", "/v1/shelves/1/books/2", "", json!({ "name": "shelves/1/books/2" })),
        ("GET", "/v1/books/a%2Fb%20c?title=x+y%26z", "", json!({ "name": "a/b c", "title": "x y&z" })),
        ("GET", "/v1/any/a/b%2Fc", "", json!({ "name": "a/b%2Fc" })),
        ("DELETE", "/v1/books/7", "", json!({ "name": "7" })),
        ("REPORT", "/v1/books?title=a", "", json!({ "title": "a" })),
        ("PURGE", "/v1/always?title=a", "", json!({ "title": "a" })),
        ("GET", "/v1/books/1?tags=a&tags=b&tags=a", "", json!({ "name": "1", "tags": ["a", "b", "a"] })),
        (
            "GET",
            "/v1/books/1?kind=POEMS&kinds=1&kinds=POEMS",
            "",
            json!({ "name": "1", "kind": "POEMS", "kinds": ["NOVEL", "POEMS"] }),
        ),
        (
            "GET",
            "/v1/books/1?author.name=x&author.teacher.name=y&shelf_number=3&shelfNumber=",
            "",
            json!("refused"),
        ),
        (
            "GET",
            "/v1/books/1?author.name=x&author.teacher.name=y&shelf_number=3",
            "",
            json!({ "name": "1", "author": { "name": "x", "teacher": { "name": "y" } }, "shelfNumber": 3 }),
        ),
        (
            "GET",
            "/v1/books/1?note=&signed=true&published=2026-01-02T03:04:05Z&loan=1.5s&mask=title,author.name&cover=AAE_&lent=true&price=-1e3&pages=-5",
            "",
            json!({
                "name": "1", "note": "", "signed": true, "published": "2026-01-02T03:04:05Z", "loan": "1.500s",
                "mask": "title,author.name", "cover": "AAE/", "lent": true, "price": -1000.0, "pages": "-5"
            }),
        ),
        (
            "PATCH",
            "/v1/books/7?title=t",
            r#"{"name":"x"}"#,
            json!({ "name": "7", "title": "t", "author": { "name": "x" } }),
        ),
        ("POST", "/v1/books", "{}", json!({})),
        ("POST", "/v1/books", "", json!({})),
        ("POST", "/v1/books", r#"{"page_s":1}"#, json!("refused")),
        ("POST", "/v1/books", r#"{"shelf_number":4,"title":null}"#, json!({ "shelfNumber": 4 })),
    ] {
        if expected == "refused" {
            assert_eq!(desk.ask(method, target, content).outcome(), "400 bad-content", "{method} {target}");
        } else {
            assert_eq!(desk.book(method, target, content), expected, "{method} {target}");
        }
    }
}

#[test]
fn the_path_counts_more_than_the_content() {
    let desk = Desk::open();
    assert_eq!(desk.ask("POST", "/v1/books/7:count", r#"{"name":"8","pages":3}"#).text(), "\"3\"");
    assert!(desk.calls.lock().unwrap()[0].starts_with("POST /test.library.Library/CountPages"));
}

#[test]
fn one_field_may_be_the_content_of_request_and_reply() {
    let desk = Desk::open();
    for (method, target, content, expected) in [
        ("PUT", "/v1/books/7/tags", r#"["a","b"]"#, r#"["a","b"]"#),
        ("PUT", "/v1/books/7/tags", " [ ] ", "[]"),
        ("PUT", "/v1/books/7/tags", "", "[]"),
        ("GET", "/v1/authors/me?author.teacher.name=you", "", r#"{"name":"me","teacher":{"name":"you"}}"#),
        ("POST", "/v1/books/7:count", "{}", "\"0\""),
    ] {
        let response = desk.ask(method, target, content);
        assert_eq!((response.status, parsed(&response.text())), (200, parsed(expected)), "{method} {target}");
        assert_eq!(response.fields.get("x-library"), Some("open"), "metadata comes along");
    }
    let smuggled = desk.ask("PUT", "/v1/books/7/tags", r#"["a"],"title":"x""#);
    assert_eq!(smuggled.outcome(), "400 bad-content");
}

#[test]
fn content_of_any_type_passes_as_it_is() {
    let desk = Desk::open();
    let head = "POST /v1/upload HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n\u{1}\u{2}\u{3}\n";
    let response = menshen_e2e::Client::of(&desk.gateway).send(head).response();
    assert_eq!((response.status, response.fields.get("content-type")), (200, Some("image/png")));
    assert_eq!(response.body, b"\x01\x02\x03\n");
}

#[test]
fn methods_without_annotation_are_called_by_name_where_that_is_wanted() {
    let target = "/test.library.Library/Plain";
    assert_eq!(Desk::open().ask("POST", target, "{}").outcome(), "404 no-route");
    let desk = Desk::with(", unannotated: by-name");
    assert_eq!(desk.book("POST", target, r#"{"title":"a"}"#), json!({ "title": "a" }));
}

#[test]
fn replies_are_printed_as_wanted() {
    let print = "{ defaults: write, names: proto, enums: numbers, int64: numbers }";
    let desk = Desk::with(&format!(", print: {print}"));
    let book = desk.book("POST", "/v1/books", r#"{"kind":"POEMS","pages":"5"}"#);
    assert_eq!((&book["kind"], &book["pages"], &book["shelf_number"]), (&json!(2), &json!(5), &json!(0)));
    assert_eq!((&book["tags"], &book["title"]), (&json!([]), &json!("")));
}

#[test]
fn what_a_message_does_not_have_can_be_passed_over() {
    let desk = Desk::with(", unknown: ignore");
    assert_eq!(
        desk.book("POST", "/v1/books?key=1", r#"{"title":"a","more_of":{"x":[1]}}"#),
        json!({ "title": "a" })
    );
    assert_eq!(desk.book("GET", "/v1/books/1?key=1&title.x=2", ""), json!({ "name": "1" }));
}

#[test]
fn the_route_may_rewrite_the_path_first() {
    let desk = Desk::of(
        "
        routes:
          library:
            match: /api/**
            strip: /api
            to: 'h2c://{service}'
            filters: [ grpc-json: '{file}' ]
        ",
    );
    assert_eq!(desk.book("GET", "/api/v1/books/7?title=a", ""), json!({ "name": "7", "title": "a" }));
    assert_eq!(desk.ask("GET", "/api/v2/books/7", "").outcome(), "404 no-route");
}

#[test]
fn content_in_pieces_and_behind_a_100_is_whole_before_the_call() {
    let desk = Desk::open();
    let mut client = menshen_e2e::Client::of(&desk.gateway);
    client.send(
        "POST /v1/books HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    assert_eq!(client.head().unwrap().status, 100);
    client.send("8\r\n{\"title\"\r\n").expect_nothing();
    assert!(desk.calls.lock().unwrap().is_empty());
    let response = client.send("5\r\n:\"a\"}\r\n0\r\n\r\n").response();
    assert_eq!(parsed(&response.text()), json!({ "title": "a" }));
    // The connection goes on.
    assert_eq!(client.post("/v1/books", r#"{"title":"b"}"#).text(), r#"{"title":"b"}"#);
}

#[test]
fn calls_of_grpc_pass_as_they_are() {
    let desk = Desk::open();
    let head = "POST /test.library.Library/Plain HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nTE: trailers\r\nContent-Length: 8\r\n\r\n";
    let mut client = menshen_e2e::Client::of(&desk.gateway);
    let response = client.send([head.as_bytes(), &[0, 0, 0, 0, 3, 0x12, 1, b'a']].concat()).response();
    assert_eq!((response.status, response.fields.get("content-type")), (200, Some("application/grpc")));
    assert_eq!(response.body, [0, 0, 0, 0, 3, 0x12, 1, b'a']);
    assert_eq!(response.trailers.get("grpc-status"), Some("0"));
}

#[test]
fn replies_can_be_compressed() {
    let desk = Desk::of(&super::DOCUMENT.replace("filters: [", "filters: [ compress,").replace("{more}", ""));
    let book = json!({ "title": "a".repeat(3000) }).to_string();
    let response = desk.ask_with("POST", "/v1/books", "Accept-Encoding: gzip\r\n", &book);
    assert_eq!((response.status, response.fields.get("content-encoding")), (200, Some("gzip")));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*response.body), &mut text).unwrap();
    assert_eq!(text, book);
}

#[test]
fn a_copy_for_a_mirror_is_the_call_that_the_service_gets() {
    let to = "to: 'h2c://{service}'";
    let document = super::DOCUMENT.replace(to, &format!("{to}\n        mirror: 'h2c://{{service}}'"));
    let desk = Desk::of(&document.replace("{more}", ""));
    let book = json!({ "title": "a" });
    assert_eq!(desk.ask("POST", "/v1/books", &book.to_string()).status, 200);
    menshen_e2e::eventually("the copy comes", || desk.calls.lock().unwrap().len() == 2);
    let mut calls = desk.calls.lock().unwrap().clone();
    let copy = calls.iter().position(|call| call.contains(" x-menshen-mirror: library"));
    let copy = calls.remove(copy.expect("a call with the mark"));
    assert_eq!(copy.replace(" x-menshen-mirror: library", ""), calls[0]);
}
