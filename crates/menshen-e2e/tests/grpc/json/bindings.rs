//! Methods and paths of HTTP, content and query → messages, and back.

use serde_json::json;

use super::{Desk, parsed, problem};

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
