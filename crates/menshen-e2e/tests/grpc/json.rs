//! JSON over HTTP for services of gRPC, through clients of both versions of HTTP.

mod bindings;
mod example;
mod failures;
mod library;
mod streams;
mod uploads;

use std::fmt::Write;
use std::path::Path;

use menshen_e2e::frames::{END, H2, Outcome, WHOLE, field, kind, request};
use menshen_e2e::{Client, Response, TestGateway};
use serde_json::Value;
use tempfile::TempDir;

use self::library::{Calls, Library};

/// A gateway in front of the library.
struct Desk {
    gateway: TestGateway,
    calls: Calls,
    files: TempDir,
}

const DOCUMENT: &str = "
    routes:
      library:
        match: /**
        to: 'h2c://{service}'
        encoded-slashes: allow
        filters: [ grpc-json: { descriptors: '{file}' {more} } ]
";

impl Desk {
    fn open() -> Self {
        Self::with("")
    }

    /// With more settings of the filter.
    fn with(more: &str) -> Self {
        Self::of(&DOCUMENT.replace("{more}", more))
    }

    /// With this document.
    fn of(document: &str) -> Self {
        let (address, calls) = Library::open();
        let files = tempfile::tempdir().unwrap();
        let file = files.path().join("library.pb");
        std::fs::write(&file, library::descriptors()).unwrap();
        let document = document.replace("{service}", &address.to_string());
        let gateway = TestGateway::start(&document.replace("{file}", file.to_str().unwrap()), &[]);
        Self { gateway, calls, files }
    }

    /// Asks over HTTP/1.1.
    fn ask(&self, method: &str, target: &str, json: &str) -> Response {
        self.ask_with(method, target, "", json)
    }

    /// The same with more lines in the head.
    fn ask_with(&self, method: &str, target: &str, more: &str, json: &str) -> Response {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: library\r\n{more}");
        if !json.is_empty() {
            write!(head, "Content-Type: application/json\r\nContent-Length: {}\r\n", json.len()).unwrap();
        }
        Client::of(&self.gateway).send(head + "\r\n" + json).response()
    }

    /// Asks over HTTP/2.
    fn ask_h2(&self, method: &str, target: &str, json: &str) -> (u16, String) {
        let mut h2 = H2::of(&self.gateway);
        let head = request(method, target, field("content-type", "application/json"));
        if json.is_empty() {
            h2.frame(kind::HEADERS, END | WHOLE, 1, head);
        } else {
            h2.frame(kind::HEADERS, WHOLE, 1, head).frame(kind::DATA, END, 1, json);
        }
        match h2.outcome(1) {
            Outcome::Answer(status, text) => (status, text),
            other => panic!("no answer: {other:?}"),
        }
    }

    /// The book that the service answers, which is the one it was asked with; the same over both versions.
    #[track_caller]
    fn book(&self, method: &str, target: &str, json: &str) -> Value {
        let response = self.ask(method, target, json);
        assert_eq!(response.status, 200, "{method} {target}: {}", response.text());
        assert_eq!(response.fields.get("content-type"), Some("application/json"));
        let (status, text) = self.ask_h2(method, target, json);
        assert_eq!((status, parsed(&text)), (200, parsed(&response.text())), "over HTTP/2");
        parsed(&text)
    }
}

#[track_caller]
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The members of a problem that tests look at.
#[track_caller]
fn problem(response: &Response) -> Value {
    assert_eq!(response.fields.get("content-type"), Some("application/problem+json"), "{}", response.text());
    let problem = parsed(&response.text());
    assert_eq!(problem["status"], response.status);
    problem
}

fn protos() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/protos"))
}
