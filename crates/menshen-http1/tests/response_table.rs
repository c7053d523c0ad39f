//! Response heads byte by byte.

mod support;

use menshen_http1::HeadError::{self, *};
use menshen_http1::{FieldName, HeadLimits, Method, ResponseHead};
use support::{check_rows, response, response_facts, show};

/// The name of the behaviour, the bytes, and why they are refused.
const REFUSED: &[(&str, &[u8], HeadError)] = &[
    (
        "both a length and chunked",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        TwoFramings,
    ),
    (
        "both on a status without content",
        b"HTTP/1.1 204 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        TwoFramings,
    ),
    (
        "two different lengths",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 10\r\n\r\n",
        ContentLength,
    ),
    (
        "two equal lengths",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        ContentLength,
    ),
    ("a signed length", b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", ContentLength),
    ("an empty length", b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", ContentLength),
    ("a malformed length on 304", b"HTTP/1.1 304 OK\r\nContent-Length: x\r\n\r\n", ContentLength),
    (
        "a coding before chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        TransferCoding,
    ),
    ("chunked twice", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", TransferEncoding),
    ("chunked not last", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", TransferEncoding),
    (
        "two coding fields",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        TransferEncoding,
    ),
    ("chunked in HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", TransferEncoding),
    ("a space before the colon", b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n", FieldLine),
    ("a folded line", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", FieldLine),
    ("a folded first line", b"HTTP/1.1 200 OK\r\n X: a\r\n\r\n", FieldLine),
    ("a line without a colon", b"HTTP/1.1 200 OK\r\nX\r\n\r\n", FieldLine),
    ("an empty name", b"HTTP/1.1 200 OK\r\n: x\r\n\r\n", FieldLine),
    ("NUL in a name", b"HTTP/1.1 200 OK\r\nX\0: a\r\n\r\n", FieldLine),
    ("NUL in a value", b"HTTP/1.1 200 OK\r\nX: \0a\r\n\r\n", FieldValue),
    ("a bare CR in a value", b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", FieldValue),
    ("a bare LF in a value", b"HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\n\r\n", BareLineFeed),
    ("a bare LF behind the status line", b"HTTP/1.1 200 OK\nX: a\r\n\r\n", BareLineFeed),
    ("a bare LF behind the code", b"HTTP/1.1 200\nX: a\r\n\r\n", BareLineFeed),
    ("a bare LF as the empty line", b"HTTP/1.1 200 OK\r\nX: a\r\n\n", BareLineFeed),
    ("bare LF everywhere", b"HTTP/1.1 200 OK\n\n", BareLineFeed),
    ("an LF before the head", b"\nHTTP/1.1 200 OK\r\n\r\n", BareLineFeed),
    ("an empty line before the head", b"\r\nHTTP/1.1 200 OK\r\n\r\n", StartLine),
    ("a bare CR in the reason", b"HTTP/1.1 200 O\rK\r\n\r\n", StartLine),
    ("a control byte in the reason", b"HTTP/1.1 200 O\x1bK\r\n\r\n", StartLine),
    ("NUL in the reason", b"HTTP/1.1 200 O\0K\r\n\r\n", StartLine),
    ("two digits of status", b"HTTP/1.1 20 OK\r\n\r\n", StartLine),
    ("four digits of status", b"HTTP/1.1 2000 OK\r\n\r\n", StartLine),
    ("a status below 100", b"HTTP/1.1 099 OK\r\n\r\n", StartLine),
    ("a status of letters", b"HTTP/1.1 2xx OK\r\n\r\n", StartLine),
    ("a signed status", b"HTTP/1.1 +20 OK\r\n\r\n", StartLine),
    ("no status", b"HTTP/1.1\r\n\r\n", Version),
    ("a reason without space", b"HTTP/1.1 200OK\r\n\r\n", StartLine),
    ("a tab before the reason", b"HTTP/1.1 200\tOK\r\n\r\n", StartLine),
    ("two spaces before the status", b"HTTP/1.1  200 OK\r\n\r\n", StartLine),
    ("HTTP/2", b"HTTP/2.0 200 OK\r\n\r\n", Version),
    ("HTTP/1.10", b"HTTP/1.10 200 OK\r\n\r\n", Version),
    ("a version in lower case", b"http/1.1 200 OK\r\n\r\n", Version),
    ("HTTP/0.9", b"<html>hello</html>\r\n\r\n", Version),
    ("a request", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Version),
];

/// Heads that must pass as the reply to a GET, and what is read of them.
const GOOD: &[(&str, &[u8], &str)] = &[
    ("a length", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "1.1 200 OK fields=1 Length(5) keep-alive"),
    (
        "length zero",
        b"HTTP/1.1 404 Gone?\r\ncontent-length: 0\r\n\r\n",
        "1.1 404 Gone? fields=1 Length(0) keep-alive",
    ),
    (
        "chunked",
        b"HTTP/1.1 200 OK\r\nTRANSFER-encoding: Chunked\r\n\r\n",
        "1.1 200 OK fields=1 Chunked keep-alive",
    ),
    ("neither", b"HTTP/1.1 200 OK\r\n\r\n", "1.1 200 OK fields=0 UntilClose"),
    (
        "neither, though it asks to stay",
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n",
        "1.1 200 OK fields=1 UntilClose",
    ),
    (
        "an empty reason",
        b"HTTP/1.1 201 \r\nContent-Length: 0\r\n\r\n",
        "1.1 201 Created fields=1 Length(0) keep-alive",
    ),
    ("no reason", b"HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n", "1.1 299  fields=1 Length(0) keep-alive"),
    (
        "a reason of many words",
        b"HTTP/1.1 200 it is\tfine  \r\nContent-Length: 0\r\n\r\n",
        "1.1 200 it is\tfine   fields=1 Length(0) keep-alive",
    ),
    (
        "a reason with obs-text",
        b"HTTP/1.1 200 \xe9t\xe9\r\nContent-Length: 0\r\n\r\n",
        "1.1 200 \u{fffd}t\u{fffd} fields=1 Length(0) keep-alive",
    ),
    (
        "the highest status",
        b"HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n",
        "1.1 999 x fields=1 Length(0) keep-alive",
    ),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", "1.0 200 OK fields=1 Length(5)"),
    (
        "HTTP/1.0 that stays open",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n",
        "1.0 200 OK fields=2 Length(5) keep-alive",
    ),
    (
        "close",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x,close\r\n\r\n",
        "1.1 200 OK fields=2 Length(5)",
    ),
    (
        "an interim reply",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
        "1.1 103 Early Hints fields=1 None keep-alive",
    ),
    ("no content", b"HTTP/1.1 204 No Content\r\n\r\n", "1.1 204 No Content fields=0 None keep-alive"),
    (
        "not modified with the length of what it stands for",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n",
        "1.1 304 Not Modified fields=1 None keep-alive",
    ),
    (
        "names with underscore",
        b"HTTP/1.1 200 OK\r\nX_Y: z\r\nContent-Length: 0\r\n\r\n",
        "1.1 200 OK fields=2 Length(0) keep-alive",
    ),
];

#[test]
fn replies_that_cannot_be_trusted_are_refused() {
    check_rows(REFUSED, |(name, head, expected)| match response(head, Method::Get) {
        Err(e) if e == *expected => Ok(()),
        Err(e) => Err(format!("{name}: {} instead of {}", e.code(), expected.code())),
        Ok(Some((head, _))) => Err(format!("{name}: accepted as {}", response_facts(&head))),
        Ok(None) => Err(format!("{name}: waits for more of {}", show(head))),
    });
}

#[test]
fn good_replies_pass_and_leave_what_follows_them() {
    check_rows(GOOD, |(name, head, expected)| {
        let with_more = [head, &b"HTTP/1.1 200 OK\r\n"[..]].concat();
        match response(&with_more, Method::Get) {
            Ok(Some((read, len))) if response_facts(&read) == *expected && len == head.len() => Ok(()),
            Ok(Some((read, len))) => Err(format!("{name}: {len} bytes, {}", response_facts(&read))),
            other => Err(format!("{name}: {:?}", other.map(|_| "waits for more"))),
        }
    });
}

#[test]
fn every_prefix_of_a_good_reply_waits_for_more() {
    check_rows(GOOD, |(name, head, _)| {
        let early = (0..head.len()).find(|n| !matches!(response(&head[..*n], Method::Get), Ok(None)));
        early.map_or(Ok(()), |n| Err(format!("{name}: decided after {n} bytes")))
    });
}

#[test]
fn a_reply_to_head_has_no_content_whatever_it_announces() {
    for framing in ["Content-Length: 5", "Transfer-Encoding: chunked", "X: y"] {
        let head = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
        let (head, _) = response(head.as_bytes(), Method::Head).unwrap().unwrap();
        assert_eq!(response_facts(&head), "1.1 200 OK fields=1 None keep-alive");
    }
}

#[test]
fn a_tunnel_has_no_content_and_its_connection_is_not_used_again() {
    for framing in ["Content-Length: 5", "Transfer-Encoding: chunked", "X: y"] {
        let head = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
        let (head, _) = response(head.as_bytes(), Method::Connect).unwrap().unwrap();
        assert_eq!(response_facts(&head), "1.1 200 OK fields=1 None");
    }
    let (refusal, _) =
        response(b"HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n", Method::Connect).unwrap().unwrap();
    assert_eq!(response_facts(&refusal), "1.1 403 No fields=1 Length(5) keep-alive");
    let (switched, _) = response(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", Method::Get).unwrap().unwrap();
    assert_eq!(response_facts(&switched), "1.1 101 Switching Protocols fields=0 None");
}

#[test]
fn a_reply_of_the_limit_passes_and_one_byte_more_does_not() {
    let limits = HeadLimits { head: 100, fields: 2, target: 0 };
    let parse = |src: &str| ResponseHead::default().parse(src.as_bytes(), Method::Get, &limits);
    let of = |len: usize| format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(len - 24));
    assert!(parse(&of(100)).is_ok());
    assert!(parse(&of(101)[..99]).is_ok());
    assert_eq!(parse(&of(101)), Err(HeadTooLarge));
    assert_eq!(parse(&of(101)[..100]), Err(HeadTooLarge));
    assert!(parse("HTTP/1.1 200 OK\r\na:\r\nb:\r\n\r\n").is_ok());
    assert_eq!(parse("HTTP/1.1 200 OK\r\na:\r\nb:\r\nc:\r\n\r\n"), Err(TooManyFields));
}

#[test]
fn nothing_of_an_earlier_reply_is_seen_through_a_refused_or_unfinished_one() {
    let first = b"HTTP/1.1 404 Secret\r\nSet-Cookie: id=1\r\nContent-Length: 5\r\n\r\n";
    for second in [&b""[..], b"HTTP", b"HTTP/9", b"HTTP/1.1 099 X\r\n\r\n", b"HTTP/1.1 200 OK\r\nX\r\n\r\n"] {
        let mut head = ResponseHead::default();
        head.parse(first, Method::Get, &HeadLimits::default()).unwrap();
        let _ = head.parse(second, Method::Get, &HeadLimits::default());
        assert!(
            !head.fields.has(FieldName::SET_COOKIE) && !head.keep_alive && head.status != 404,
            "{}",
            show(second)
        );
        assert_ne!(head.reason(), b"Secret");
    }
}
