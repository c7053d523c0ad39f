//! HTTP/2 turned into HTTP/1.1 (danger 5): what the service gets, and what it never gets to see.

use menshen_e2e::frames::{END, H2, Outcome, WHOLE, code, field, frame, kind, request};
use menshen_e2e::{Origin, TestGateway, eventually, reply};

fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

/// A GET with other pseudo-fields.
fn odd(method: &str, scheme: &str, path: &str, authority: &str) -> Vec<u8> {
    head(&[(":method", method), (":scheme", scheme), (":path", path), (":authority", authority)])
}

/// A GET with one more field.
fn with(name: &str, value: &str) -> Vec<u8> {
    request("GET", "/", field(name, value))
}

#[test]
fn malformed_requests_reset_their_stream_and_reach_no_service() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    for (name, block) in [
        ("a head within :path", odd("GET", "http", "/ HTTP/1.1\r\nX: y", "a")),
        ("a space in :path", odd("GET", "http", "/a b", "a")),
        ("a :path without its slash", odd("GET", "http", "a", "a")),
        ("an empty :path", odd("GET", "http", "", "a")),
        ("an asterisk for GET", odd("GET", "http", "*", "a")),
        ("a target within :method", odd("GET /admin HTTP/1.1", "http", "/", "a")),
        ("a target within :scheme", odd("GET", "http://x/?", "/", "a")),
        ("user information in :authority", odd("GET", "http", "/", "u@a")),
        ("a space in :authority", odd("GET", "http", "/", "a b")),
        ("two authorities", request("GET", "/", field(":authority", "b"))),
        ("another host", with("host", "other")),
        ("two hosts", request("GET", "/", [field("host", "gateway"), field("host", "gateway")].concat())),
        ("CR in a value", with("x-a", "b\rc")),
        ("LF in a value", with("x-a", "b\nc")),
        ("NUL in a value", with("x-a", "b\0c")),
        ("a blank before a value", with("x-a", " b")),
        ("a tab behind a value", with("x-a", "b\t")),
        ("a name in capitals", with("X-A", "b")),
        ("a colon in a name", with("x:a", "b")),
        ("a space in a name", with("x a", "b")),
        ("an empty name", with("", "b")),
        ("Connection", with("connection", "close")),
        ("another TE", with("te", "gzip")),
        ("Transfer-Encoding", with("transfer-encoding", "chunked")),
        ("Upgrade", with("upgrade", "websocket")),
        ("Keep-Alive", with("keep-alive", "1")),
        ("Proxy-Connection", with("proxy-connection", "close")),
        ("a length without content", with("content-length", "5")),
        ("a length that is no number", with("content-length", "+5")),
        (
            "two lengths",
            request("GET", "/", [field("content-length", "0"), field("content-length", "0")].concat()),
        ),
        (
            "a pseudo-field behind others",
            request("GET", "/", [field("x-a", "b"), field(":path", "/")].concat()),
        ),
        ("a pseudo-field of answers", request("GET", "/", field(":status", "200"))),
        ("a pseudo-field of nobody", request("GET", "/", field(":x", "y"))),
        ("no :method", head(&[(":scheme", "http"), (":path", "/"), (":authority", "a")])),
        ("no :path", head(&[(":method", "GET"), (":scheme", "http"), (":authority", "a")])),
        ("no :scheme", head(&[(":method", "GET"), (":path", "/"), (":authority", "a")])),
        ("CONNECT to nowhere", head(&[(":method", "CONNECT")])),
        ("CONNECT with a path", head(&[(":method", "CONNECT"), (":path", "/"), (":authority", "a:1")])),
    ] {
        let mut client = H2::of(&gateway);
        let outcome = client.frame(kind::HEADERS, END | WHOLE, 1, block).outcome(1);
        let is_refused = match outcome {
            Outcome::Reset(code) | Outcome::GoAway(code) => code == code::PROTOCOL,
            Outcome::Answer(status, _) => status == 400,
        };
        assert!(is_refused, "{name}: {outcome:?}");
    }
    gateway.expect_canary();
    assert_eq!(origin.only_request().method, "GET", "the canary's");
}

#[test]
fn what_is_well_formed_and_refused_gets_an_answer() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let long = "x".repeat(9 * 1024);
    for (name, block, expected) in [
        ("a name with an underscore", with("x_a", "b"), 400),
        ("no host at all", head(&[(":method", "GET"), (":scheme", "http"), (":path", "/")]), 400),
        ("a hidden dot segment", request("GET", "/a/%2e%2e/b", b""), 400),
        ("a long target", request("GET", &format!("/{long}"), b""), 414),
        ("another expectation", with("expect", "miracles"), 417),
        ("CONNECT", head(&[(":method", "CONNECT"), (":authority", "a:1")]), 405),
    ] {
        let mut client = H2::of(&gateway);
        let outcome = client.frame(kind::HEADERS, END | WHOLE, 1, block).outcome(1);
        assert!(matches!(outcome, Outcome::Answer(status, _) if status == expected), "{name}: {outcome:?}");
    }
    assert!(origin.requests().is_empty());
}

#[test]
fn content_that_is_not_as_long_as_announced_is_a_request_that_never_was() {
    for content in ["abc", "abcdefg"] {
        let origin = Origin::echo();
        let gateway = TestGateway::in_front_of(&origin);
        let mut client = H2::of(&gateway);
        client.frame(kind::HEADERS, WHOLE, 1, request("POST", "/", field("content-length", "5")));
        assert_eq!(client.frame(kind::DATA, END, 1, content).outcome(1), Outcome::Reset(code::PROTOCOL));
        eventually("the service is told", || origin.open_connections() == 0);
        assert_eq!(origin.whole_requests(), 0);
    }
}

#[test]
fn a_fragment_is_refused_as_in_http1() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    for target in ["/a#/admin", "/admin#x"] {
        let outcome = H2::of(&gateway).get(1, target).outcome(1);
        assert!(matches!(outcome, Outcome::Answer(400, _)), "{target}: {outcome:?}");
    }
    assert!(origin.requests().is_empty());
}

#[test]
fn crumbs_of_a_cookie_are_joined() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let crumbs = [field("cookie", "a=1"), field("x-between", "x"), field("cookie", "b=2")].concat();
    let mut client = H2::of(&gateway);
    client.frame(kind::HEADERS, END | WHOLE, 1, request("GET", "/", crumbs)).outcome(1);
    assert_eq!(origin.only_request().fields.all("cookie"), ["a=1; b=2"]);
    origin.expect_canonical();
}

#[test]
fn the_authority_becomes_the_host() {
    let origin = Origin::echo();
    let gateway =
        TestGateway::start("routes: { all: { match: /**, to: 'http://{origin}', host: keep } }", &[&origin]);
    for block in [
        odd("GET", "http", "/", "shop.example:81"),
        request("GET", "/", b"")[..].to_vec(),
        head(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), ("host", "only.example")]),
    ] {
        let mut client = H2::of(&gateway);
        client.frame(kind::HEADERS, END | WHOLE, 1, block).outcome(1);
    }
    let hosts: Vec<_> = origin.requests().iter().map(|r| r.fields.get("host").unwrap().to_owned()).collect();
    assert_eq!(hosts, ["shop.example:81", "gateway", "only.example"]);
}

#[test]
fn trailers_stay_here_and_what_they_end_arrives_whole() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = H2::of(&gateway);
    client.frame(kind::HEADERS, WHOLE, 1, request("POST", "/", field("te", "trailers")));
    client.frame(kind::DATA, 0, 1, b"content");
    let trailers = [field("authorization", "x"), field("x-checksum", "1")].concat();
    let outcome = client.frame(kind::HEADERS, END | WHOLE, 1, trailers).outcome(1);
    assert_eq!(outcome, Outcome::Answer(200, "POST /\ncontent".to_owned()));
    assert!(!origin.only_request().fields.has("authorization"));
    origin.expect_canonical();
}

#[test]
fn te_trailers_goes_on_over_http2_because_grpc_wants_it() {
    // The field in a first request (RFC 7541 §6.2.1); Huffman's code where that is shorter.
    const TE: &[u8] = b"\x40\x02te\x86\x4d\x83\x35\x05\xb1\x1f";
    for (name, asked, expected) in [("asked for", field("te", "trailers"), true), ("not", vec![], false)] {
        let service = Origin::scripted(|c| {
            c.send(frame(kind::SETTINGS, 0, 0, b""));
            c.wait_for_close();
        });
        let gateway = TestGateway::start(
            "
            services: { s: { endpoints: ['{origin}'], protocol: h2c } }
            routes: { all: { match: /**, to: s } }
            ",
            &[&service],
        );
        let mut client = H2::of(&gateway);
        client.frame(kind::HEADERS, END | WHOLE, 1, request("GET", "/", asked));
        let head = || service.bytes().concat();
        eventually("the service is asked", || {
            head().windows(5).any(|w| w == [1, 5, 0, 0, 0] || w == [1, 4, 0, 0, 0])
        });
        drop(client);
        eventually("the request is taken back", || head().windows(5).any(|w| w == [4, 3, 0, 0, 0]));
        assert_eq!(head().windows(TE.len()).any(|w| w == TE), expected, "{name}");
    }
}

#[test]
fn an_answer_to_unread_content_is_seen_whole() {
    let origin = Origin::answering(|_| reply("never"));
    let gateway = TestGateway::start(
        "
        routes:
          all: { match: /**, to: 'http://{origin}' }
          no: { match: /no, to: { respond: { status: 404, body: no } } }
        ",
        &[&origin],
    );
    let mut client = H2::of(&gateway);
    client.post(1, "/no").frame(kind::DATA, 0, 1, [b'x'; 16_384]);
    assert_eq!(client.outcome(1), Outcome::Answer(404, "no".to_owned()));
    client.frame(kind::DATA, END, 1, b"the end").expect_alive();
}

#[test]
fn a_length_goes_on_and_content_without_one_is_chunked() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    for (stream, more) in [(1, field("content-length", "2")), (3, vec![])] {
        let mut client = H2::of(&gateway);
        client.frame(kind::HEADERS, WHOLE, stream, request("POST", "/", more));
        let outcome = client.frame(kind::DATA, END, stream, b"hi").outcome(stream);
        assert_eq!(outcome, Outcome::Answer(200, "POST /\nhi".to_owned()));
    }
    let framings: Vec<_> = origin.requests().iter().map(|r| r.fields.has("transfer-encoding")).collect();
    assert_eq!(framings, [false, true]);
    origin.expect_canonical();
}
