use std::io::Read;

use menshen_proxy::Transforms;

use super::*;
use crate::testing::Try;

const LONG: usize = 20_000;

fn get(accept: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {accept}\r\n\r\n")
}

fn json() -> Reply {
    Reply::with_body(200, "application/json", "[1234567890]".repeat(LONG / 12))
}

/// The reply to a client that accepts this.
fn reply(filter: &str, accept: &str, reply: Reply) -> Try {
    let mut t = Try::filter(filter).request(&get(accept)).pass();
    t.reply(reply);
    t
}

fn with(fields: &[(&str, &str)]) -> Reply {
    let mut reply = json();
    for (name, value) in fields {
        reply.head.fields.set_named(name.as_bytes(), value.as_bytes());
    }
    reply
}

fn decoded(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out),
        "br" => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out),
        "zstd" => zstd::stream::read::Decoder::new(bytes).unwrap().read_to_end(&mut out),
        _ => panic!("{coding}"),
    }
    .unwrap_or_default();
    out
}

#[test]
fn each_coding_gives_the_content_back_in_fewer_bytes() {
    for coding in ["gzip", "br", "zstd"] {
        let mut t = reply("compress", coding, json());
        assert_eq!(t.field("content-encoding").unwrap(), coding);
        assert_eq!(t.field("vary").unwrap(), "Accept-Encoding");
        let bytes = t.body();
        assert!(bytes.len() < LONG / 20, "{coding}: {}", bytes.len());
        assert_eq!(decoded(coding, &bytes), "[1234567890]".repeat(LONG / 12).as_bytes());
    }
}

#[test]
fn every_piece_can_be_read_as_soon_as_it_is_sent() {
    for (name, coding) in [("gzip", Coding::Gzip), ("br", Coding::Br), ("zstd", Coding::Zstd)] {
        let mut transforms = Transforms::default();
        transforms.push(Box::new(Encoding::new(coding, Levels::default(), Flush::EachPiece)));
        let (mut sent, mut events) = (Vec::new(), String::new());
        for i in 0..50 {
            let event = format!("data: {i}\n\n");
            transforms.run(event.as_bytes(), &mut sent).unwrap();
            events.push_str(&event);
            let mut seen = vec![0; events.len()];
            let source: Box<dyn Read> = match coding {
                Coding::Gzip => Box::new(flate2::read::GzDecoder::new(&*sent)),
                Coding::Br => Box::new(brotli::Decompressor::new(&*sent, 1)),
                Coding::Zstd => Box::new(zstd::stream::read::Decoder::new(&*sent).unwrap()),
            };
            { source }.read_exact(&mut seen).unwrap_or_else(|e| panic!("{name} {i}: {e}"));
            assert_eq!(seen, events.as_bytes(), "{name}");
        }
        transforms.finish(&mut sent).unwrap();
        assert_eq!(decoded(name, &sent), events.as_bytes(), "{name}");
    }
}

#[test]
fn a_stream_that_ends_without_a_byte_is_valid_too() {
    for (name, coding) in [("gzip", Coding::Gzip), ("br", Coding::Br), ("zstd", Coding::Zstd)] {
        let mut transforms = Transforms::default();
        transforms.push(Box::new(Encoding::new(coding, Levels::default(), Flush::EachPiece)));
        let mut sent = Vec::new();
        transforms.finish(&mut sent).unwrap();
        assert!(!sent.is_empty() && decoded(name, &sent).is_empty(), "{name}");
    }
}

#[test]
fn what_must_not_be_touched_is_left_alone() {
    let streaming = |n| {
        let mut reply = json();
        reply.body = Body::Streaming;
        reply.head.framing = ResponseFraming::Length(n);
        reply
    };
    let status = |status| {
        let mut reply = json();
        reply.head.status = status;
        reply
    };
    for (what, untouched) in [
        ("compressed already", with(&[("content-encoding", "br")])),
        ("no-transform", with(&[("cache-control", "public, No-Transform")])),
        ("a picture", with(&[("content-type", "image/png")])),
        ("vouched for", with(&[("Repr-Digest", "sha-256=:AA==:")])),
        ("a part", with(&[("content-range", "bytes 0-1/2")])),
        ("short", Reply::with_body(200, "text/plain", "a".repeat(1023))),
        ("short, from the service", streaming(1023)),
        ("206", status(206)),
        ("204", status(204)),
        ("304", status(304)),
        ("101", status(101)),
        ("no content", Reply::new(200)),
    ] {
        let before = untouched.head.fields.get(FieldName::CONTENT_ENCODING).map(<[u8]>::to_vec);
        let mut t = Try::filter("compress").request(&get("gzip")).pass();
        t.reply(untouched);
        assert_eq!(t.field("content-encoding").map(String::into_bytes), before, "{what}");
        assert_eq!(t.field("vary"), None, "{what}");
    }
    let t = reply("compress", "gzip", streaming(1024));
    assert_eq!(t.field("content-encoding").unwrap(), "gzip");
}

#[test]
fn who_cannot_read_it_gets_it_plain_and_caches_know() {
    let t = reply("compress", "deflate", with(&[("etag", "\"1\""), ("vary", "Origin")]));
    assert_eq!((t.field("content-encoding"), t.field("etag").unwrap()), (None, "\"1\"".into()));
    assert_eq!(t.field("vary").unwrap(), "Origin, Accept-Encoding");
    let t = reply("compress", "deflate", with(&[("vary", "accept-encoding")]));
    assert_eq!(t.field("vary").unwrap(), "accept-encoding");
}

#[test]
fn tags_lengths_and_ranges_of_the_plain_content_do_not_stay() {
    let t = reply(
        "compress",
        "gzip",
        with(&[("etag", "\"1\""), ("accept-ranges", "bytes"), ("content-length", "9")]),
    );
    assert_eq!(
        (t.field("etag").unwrap(), t.field("accept-ranges"), t.field("content-length")),
        ("W/\"1\"".into(), None, None)
    );
    let t = reply("compress", "gzip", with(&[("etag", "W/\"1\"")]));
    assert_eq!(t.field("etag").unwrap(), "W/\"1\"");
}

#[test]
fn a_short_reply_is_compressed_for_who_takes_nothing_else() {
    let mut t = reply("compress", "gzip, identity;q=0", Reply::with_body(200, "text/plain", "short"));
    let bytes = t.body();
    assert_eq!(decoded("gzip", &bytes), b"short");
}

#[test]
fn head_is_told_what_get_would_be() {
    let head = |length: &str| {
        let mut t = Try::filter("compress").request(&get("br").replace("GET", "HEAD")).pass();
        let mut reply = with(&[("content-length", length)]);
        reply.body = Body::Empty;
        t.reply(reply);
        (t.field("content-encoding"), t.field("content-length"))
    };
    assert_eq!(head("5000"), (Some("br".into()), None));
    assert_eq!(head("50"), (None, Some("50".into())));
}

#[test]
fn codings_and_types_can_be_chosen() {
    let filter = "compress: { with: gzip, types: image/svg+xml, min: 0B, level: { gzip: 1 } }";
    let t = reply(filter, "br, gzip", with(&[("content-type", "image/svg+xml")]));
    assert_eq!(t.field("content-encoding").unwrap(), "gzip");
    assert_eq!(reply(filter, "gzip", json()).field("content-encoding"), None);
    assert_eq!(reply("compress: [gzip, br]", "br, gzip", json()).field("content-encoding").unwrap(), "gzip");
}

#[test]
fn wrong_settings_are_refused() {
    for (yaml, message) in [
        ("compress: []", "no coding is named"),
        ("compress: deflate", "`deflate` is not known here"),
        ("compress: { types: [] }", "no type is named"),
        ("compress: { types: json }", "`json` is not a media type"),
        ("compress: { min: 1024 }", "a size needs a unit"),
        ("compress: { level: { gzip: 0 } }", "the level of gzip is 1 to 9, not 0"),
        ("compress: { level: { br: 12 } }", "the level of br is 0 to 6, not 12"),
        ("compress: { level: { zstd: 19 } }", "the level of zstd is 1 to 6, not 19"),
        ("compress: { level: 5 }", "expected a map"),
    ] {
        let problems = Try::problems(yaml);
        assert!(problems.contains(message), "{yaml}: {problems}");
    }
}
