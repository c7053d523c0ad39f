//! Replies in fewer bytes, decoded by the reference libraries.

use std::io::{Read, Write};

use menshen_e2e::{Client, Conversation, Gate, Origin, Response, TestGateway, reply_with};

fn content() -> String {
    (0..2_000).map(|n| format!("line {n} of a text that repeats itself\n")).collect()
}

fn decoded(coding: &str, bytes: &[u8]) -> String {
    let mut out = Vec::new();
    match coding {
        "gzip" => flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out).map(drop).unwrap(),
        "br" => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out).map(drop).unwrap(),
        "zstd" => out = zstd::decode_all(bytes).unwrap(),
        other => panic!("{other}"),
    }
    String::from_utf8(out).unwrap()
}

const ROUTES: &str = "
    routes:
      r: { match: /**, to: 'http://{origin}', filters: [ compress ] }
      gzip: { match: /gzip, to: 'http://{origin}', filters: [ compress: { with: gzip, types: [text/csv], min: 10B } ] }
      fixed: { match: /fixed, to: { respond: { body: 'short' } }, filters: [ compress: { min: 1B } ] }
";

/// A service with text in several forms.
fn texts() -> Origin {
    Origin::answering(|r| match r.target.as_str() {
        "/chunked" => {
            let text = content();
            let (a, b) = text.split_at(100);
            let pieces = format!("{:x}\r\n{a}\r\n{:x}\r\n{b}\r\n0\r\n\r\n", a.len(), b.len());
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{pieces}"
            )
        }
        "/tagged" => reply_with(
            "200 OK",
            "Content-Type: text/plain\r\nETag: \"a\"\r\nAccept-Ranges: bytes\r\nVary: Origin\r\n",
            &content(),
        ),
        "/image" => reply_with("200 OK", "Content-Type: image/png\r\n", &content()),
        "/coded" => {
            reply_with("200 OK", "Content-Type: text/plain\r\nContent-Encoding: x-own\r\n", &content())
        }
        "/kept" => {
            reply_with("200 OK", "Content-Type: text/plain\r\nCache-Control: no-transform\r\n", &content())
        }
        "/short" => reply_with("200 OK", "Content-Type: text/plain\r\n", "short"),
        "/gzip" => reply_with("200 OK", "Content-Type: text/csv\r\n", "a,b,c,d,e,f,g,h\n"),
        _ => reply_with("404 Not Found", "Content-Type: text/html\r\n", &content()),
    })
}

fn coding(response: &Response) -> &str {
    response.fields.get("content-encoding").unwrap_or("-")
}

#[test]
fn each_coding_decodes_to_what_the_service_sent() {
    let origin = texts();
    let gateway = TestGateway::start(ROUTES, &[&origin]);
    let mut client = Client::of(&gateway);
    for (accept, expected) in [
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, br, zstd", "zstd"),
        ("gzip;q=1, br;q=0.5", "gzip"),
    ] {
        for target in ["/chunked", "/tagged", "/not-found"] {
            let response = client.ask(&format!("GET {target}"), &[&format!("Accept-Encoding: {accept}")]);
            assert_eq!(coding(&response), expected, "{target} {accept}");
            assert!(response.body.len() * 5 < content().len(), "{target} {accept}: {}", response.body.len());
            assert!(decoded(expected, &response.body) == content(), "{target} {accept}");
            assert!(response.fields.lists("vary", "accept-encoding"), "{target} {accept}");
        }
    }
    let tagged = client.ask("GET /tagged", &["Accept-Encoding: gzip"]);
    assert_eq!((tagged.fields.get("etag"), tagged.fields.has("accept-ranges")), (Some("W/\"a\""), false));
    assert!(tagged.fields.lists("vary", "origin"));
    let csv = client.ask("GET /gzip", &["Accept-Encoding: zstd, gzip"]);
    assert_eq!((coding(&csv), decoded("gzip", &csv.body).as_str()), ("gzip", "a,b,c,d,e,f,g,h\n"));
    let fixed = client.ask("GET /fixed", &["Accept-Encoding: gzip"]);
    assert_eq!((coding(&fixed), decoded("gzip", &fixed.body).as_str()), ("gzip", "short"));
    assert!(fixed.fields.has("content-length"));
}

#[test]
fn what_is_not_worth_it_or_not_wanted_stays_as_it_is() {
    let origin = texts();
    let gateway = TestGateway::start(ROUTES, &[&origin]);
    let mut client = Client::of(&gateway);
    for (target, accept, expected) in [
        ("/image", "gzip", "-"),
        ("/coded", "gzip", "x-own"),
        ("/kept", "gzip", "-"),
        ("/short", "gzip", "-"),
        ("/tagged", "identity", "-"),
        ("/tagged", "gzip;q=0", "-"),
        ("/tagged", "deflate", "-"),
    ] {
        let response = client.ask(&format!("GET {target}"), &[&format!("Accept-Encoding: {accept}")]);
        assert_eq!(coding(&response), expected, "{target} {accept}");
        let whole = if target == "/short" { "short".len() } else { content().len() };
        assert_eq!(response.body.len(), whole, "{target} {accept}");
    }
    assert_eq!(coding(&client.get("/tagged")), "-");
    let head = client.ask("HEAD /tagged", &["Accept-Encoding: gzip"]);
    assert_eq!((coding(&head), head.fields.has("content-length")), ("gzip", false), "as a GET would have it");
}

#[test]
fn a_stream_of_events_flows_piece_by_piece() {
    let gate = Gate::new();
    let passed = gate.clone();
    let origin = Origin::scripted(move |c: &mut Conversation| {
        c.request();
        c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        for n in 0..3 {
            passed.pass();
            c.send(format!("9\r\ndata: {n}\n\n\r\n"));
        }
        passed.pass();
        c.send("0\r\n\r\n");
    });
    let gateway = TestGateway::start(ROUTES, &[&origin]);
    let mut client = Client::of(&gateway);
    client.send("GET /events HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_eq!(coding(&client.head().unwrap()), "gzip");
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    for n in 0..3 {
        gate.open();
        let expected: String = (0..=n).map(|n| format!("data: {n}\n\n")).collect();
        while decoder.get_ref() != expected.as_bytes() {
            let size = usize::from_str_radix(&client.wire().line().unwrap(), 16).unwrap();
            let piece = client.wire().take(size).unwrap();
            client.wire().take(2).unwrap();
            decoder.write_all(&piece).unwrap();
            decoder.flush().unwrap();
        }
    }
    gate.open();
    let (rest, _) = client.wire().chunks().unwrap();
    decoder.write_all(&rest).unwrap();
    assert_eq!(decoder.finish().unwrap().len(), 27);
}
