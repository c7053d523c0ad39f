//! Chunked bodies byte by byte.

mod support;

use menshen_http1::ChunkError::{self, *};
use menshen_http1::{ChunkDecoder, ChunkStep, Fields, MAX_FIELDS, write};
use support::chunked_reference::{Outcome, decode_by_grammar, decode_in_pieces};
use support::{check_rows, show};

/// The name of the behaviour, the bytes, and why they are refused.
const REFUSED: &[(&str, &[u8], ChunkError)] = &[
    ("a semicolon without extension", b"5;\r\nhello\r\n0\r\n\r\n", Extension),
    ("a semicolon and LF", b"5;\nhello\r\n0\r\n\r\n", LineEnd),
    ("a space behind the size", b"5 ;a\r\nhello\r\n0\r\n\r\n", Size),
    ("a space before CRLF", b"5 \r\nhello\r\n0\r\n\r\n", Size),
    ("a tab before CRLF", b"5\t\r\nhello\r\n0\r\n\r\n", Size),
    ("two CRs", b"5\r\r;a\r\nhello\r\n0\r\n\r\n", LineEnd),
    ("a bare CR behind an extension", b"5;a\rX\r\nhello\r\n0\r\n\r\n", LineEnd),
    ("a bare LF behind an extension", b"5;a\nhello\r\n0\r\n\r\n", LineEnd),
    ("a bare LF within an extension", b"2;\nxx\r\n4c\r\n0\r\n\r\n", LineEnd),
    ("NUL in an extension", b"5;\0ext\r\nhello\r\n0\r\n\r\n", Extension),
    ("a space before an extension", b"5; a\r\nhello\r\n0\r\n\r\n", Extension),
    ("a space behind an extension", b"5;a \r\nhello\r\n0\r\n\r\n", Extension),
    ("an extension without name", b"5;=b\r\nhello\r\n0\r\n\r\n", Extension),
    ("an extension without value", b"5;a=\r\nhello\r\n0\r\n\r\n", Extension),
    ("an extension with two values", b"5;a=b=c\r\nhello\r\n0\r\n\r\n", Extension),
    ("two semicolons", b"5;;a\r\nhello\r\n0\r\n\r\n", Extension),
    ("a string that does not end", b"5;a=\"b\r\nhello\r\n0\r\n\r\n", Extension),
    ("a string with LF", b"5;a=\"b\n\"\r\nhello\r\n0\r\n\r\n", LineEnd),
    ("a string with an escaped LF", b"5;a=\"\\\n\"\r\nhello\r\n0\r\n\r\n", LineEnd),
    ("a string with NUL", b"5;a=\"\0\"\r\nhello\r\n0\r\n\r\n", Extension),
    ("a string with an escaped DEL", b"5;a=\"\\\x7f\"\r\nhello\r\n0\r\n\r\n", Extension),
    ("text behind a string", b"5;a=\"b\"c\r\nhello\r\n0\r\n\r\n", Extension),
    ("obs-text as an extension", b"5;\xe9\r\nhello\r\n0\r\n\r\n", Extension),
    ("a space before the size", b" 5\r\nhello\r\n0\r\n\r\n", Size),
    ("a prefix of hexadecimal", b"0x5\r\nhello\r\n0\r\n\r\n", Size),
    ("a negative size", b"-1\r\nhello\r\n0\r\n\r\n", Size),
    ("a signed size", b"+5\r\nhello\r\n0\r\n\r\n", Size),
    ("an underscore in the size", b"1_0\r\nhello\r\n0\r\n\r\n", Size),
    ("a letter behind the size", b"5z\r\nhello\r\n0\r\n\r\n", Size),
    ("a letter beyond f", b"g\r\nhello\r\n0\r\n\r\n", Size),
    ("a quoted size", b"\"5\"\r\nhello\r\n0\r\n\r\n", Size),
    ("a size of digits beyond ASCII", b"\xd9\xa5\r\nhello\r\n0\r\n\r\n", Size),
    ("an empty size", b"\r\nhello\r\n0\r\n\r\n", Size),
    ("an extension without a size", b";a\r\nhello\r\n0\r\n\r\n", Size),
    ("a size beyond 64 bits", b"FFFFFFFFFFFFFFFF0\r\nhello", Size),
    ("a size of 17 digits", b"00000000000000005\r\nhello\r\n0\r\n\r\n", Size),
    ("a bare LF behind the size", b"5\nhello\r\n0\r\n\r\n", LineEnd),
    ("a bare CR behind the size", b"5\rhello\r\n0\r\n\r\n", LineEnd),
    ("data longer than the size", b"5\r\nhelloXX\r\n0\r\n\r\n", LineEnd),
    ("data shorter than the size", b"5\r\nhell\r\n0\r\n\r\n", LineEnd),
    ("a bare LF behind the data", b"5\r\nhello\n0\r\n\r\n", LineEnd),
    ("no line end behind the data", b"5\r\nhello0\r\n\r\n", LineEnd),
    ("an empty line between chunks", b"5\r\nhello\r\n\r\n0\r\n\r\n", Size),
    ("a last chunk with bare LFs", b"0\n\n", LineEnd),
    ("a last line with bare LF", b"0\r\n\n", LineEnd),
    ("a last line with two CRs", b"0\r\n\r\r\n", LineEnd),
    ("a last line with a bare CR", b"0\r\n\rGET / HTTP/1.1\r\n\r\n", LineEnd),
    ("a request as a trailer", b"0\r\nPOST / HTTP/1.1\r\n\r\n", Trailer),
    ("a trailer without name", b"0\r\n: x\r\n\r\n", Trailer),
    ("a space before a trailer's colon", b"0\r\nX : y\r\n\r\n", Trailer),
    ("a folded trailer", b"0\r\nX: y\r\n z\r\n\r\n", Trailer),
    ("a bare LF behind a trailer", b"0\r\nX: y\nZ: a\r\n\r\n", LineEnd),
    ("a bare CR in a trailer", b"0\r\nX: y\rz\r\n\r\n", LineEnd),
    ("NUL in a trailer", b"0\r\nX: \0\r\n\r\n", Trailer),
    ("a form feed behind a trailer", b"0\r\nX: y\x0c\r\n\r\n", Trailer),
    ("a form feed before a trailer", b"0\r\nX: \x0cy\r\n\r\n", Trailer),
    ("a vertical tab behind a trailer", b"0\r\nX: y\x0b\r\n\r\n", Trailer),
];

/// Bodies that must pass, with `*` behind their end, and their content.
const GOOD: &[(&str, &[u8], &[u8])] = &[
    ("an empty body", b"0\r\n\r\n*", b""),
    ("one chunk", b"5\r\nhello\r\n0\r\n\r\n*", b"hello"),
    ("sizes in either case", b"a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n*", b"0123456789abcdefghij"),
    (
        "sizes of two digits",
        b"1f\r\n0123456789012345678901234567890\r\n0\r\n\r\n*",
        b"0123456789012345678901234567890",
    ),
    ("leading zeros", b"0000000000000005\r\nhello\r\n0000\r\n\r\n*", b"hello"),
    ("data that looks like chunks", b"7\r\n0\r\n\r\nGE\r\n0\r\n\r\n*", b"0\r\n\r\nGE"),
    ("extensions of every form", b"5;a;b=c;d=\"e;f \\\"\\\\\t\xff\"\r\nhello\r\n0;z\r\n\r\n*", b"hello"),
    ("an empty string", b"5;a=\"\"\r\nhello\r\n0\r\n\r\n*", b"hello"),
    ("trailers", b"5\r\nhello\r\n0\r\nX-Sum: \t1 \r\nEmpty:\r\n\r\n*", b"hello"),
    ("a request as the value of a trailer", b"0\r\nX:POST / HTTP/1.1\r\n\r\n*", b""),
];

/// Trailers of these names are read and dropped.
const NEVER_TRAILERS: &[&str] = &[
    "Content-Length",
    "content-length",
    "Transfer-Encoding",
    "Host",
    "Authorization",
    "Cookie",
    "Set-Cookie",
    "Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Upgrade",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Content-Type",
    "Content-Encoding",
    "Content-Range",
    "Cache-Control",
    "Expect",
    "Range",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Proto",
    "X-Forwarded-Server",
    "X-Real-IP",
    "X-Request-Id",
    "X_Real_IP",
    "Content_Length",
];

#[test]
fn malformed_bodies_are_refused() {
    check_rows(REFUSED, |(name, body, expected)| match decode_in_pieces([*body]).1 {
        Err(e) if e == *expected => Ok(()),
        other => Err(format!("{name}: {other:?} instead of {expected:?}")),
    });
}

#[test]
fn malformed_bodies_are_refused_alike_byte_by_byte_and_by_the_grammar() {
    check_rows(REFUSED, |(name, body, expected)| {
        let bytewise = decode_in_pieces(body.chunks(1)).1;
        let grammar = decode_by_grammar(body);
        let same = bytewise == Err(*expected) && grammar == Outcome::Refused;
        if same { Ok(()) } else { Err(format!("{name}: {bytewise:?}, by the grammar {grammar:?}")) }
    });
}

#[test]
fn good_bodies_pass_and_leave_what_follows_them() {
    check_rows(GOOD, |(name, body, expected)| {
        for (way, pieces) in [("whole", body.chunks(body.len())), ("byte by byte", body.chunks(1))] {
            match decode_in_pieces(pieces).1 {
                Ok(Outcome::Whole { content, len, .. }) if content == *expected && len == body.len() - 1 => {}
                other => return Err(format!("{name}, {way}: {other:?}")),
            }
        }
        Ok(())
    });
}

#[test]
fn every_prefix_of_a_good_body_waits_for_more() {
    check_rows(GOOD, |(name, body, _)| {
        let waits = |n: &usize| matches!(decode_in_pieces([&body[..*n]]).1, Ok(Outcome::Unfinished { .. }));
        let early = (0..body.len() - 1).find(|n| !waits(n));
        early.map_or(Ok(()), |n| Err(format!("{name}: decided after {}", show(&body[..n]))))
    });
}

#[test]
fn the_largest_size_is_read_as_such() {
    let mut decoder = ChunkDecoder::new();
    let step = decoder.decode(b"FFFFFFFFFFFFFFFF\r\nabc");
    assert_eq!(step, Ok(ChunkStep::Data { consumed: 21, data: 18..21 }));
    assert_eq!(decoder.decode(&[b'x'; 1000]), Ok(ChunkStep::Data { consumed: 1000, data: 0..1000 }));
}

#[test]
fn trailers_that_were_already_acted_upon_are_dropped() {
    for name in NEVER_TRAILERS {
        let body = format!("0\r\n{name}: 5\r\nX-Kept: 1\r\n\r\n");
        let (decoder, outcome) = decode_in_pieces([body.as_bytes()]);
        assert!(outcome.is_ok(), "{name}");
        let kept: Vec<&[u8]> = decoder.trailers().iter().map(|f| f.name).collect();
        assert_eq!(kept, [b"X-Kept"], "{name}");
    }
}

#[test]
fn extensions_count_against_one_budget_for_the_body() {
    let budget = ChunkDecoder::EXTENSION_BUDGET;
    let of = |len: usize| format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(len - 1)).into_bytes();
    assert!(decode_in_pieces([&of(budget)[..]]).1.is_ok());
    assert_eq!(decode_in_pieces([&of(budget + 1)[..]]).1, Err(ExtensionsTooLarge));
    assert_eq!(decode_in_pieces([&of(64 * 1024)[..]]).1, Err(ExtensionsTooLarge));
    let many = format!("1;{}\r\nx\r\n", "e".repeat(4095)).repeat(5);
    assert_eq!(
        decode_in_pieces([&many.as_bytes()[..4 * (4096 + 6)]]).1,
        Ok(Outcome::Unfinished { content: b"xxxx".to_vec() })
    );
    assert_eq!(decode_in_pieces([many.as_bytes()]).1, Err(ExtensionsTooLarge));
}

#[test]
fn trailers_count_against_a_budget_of_bytes_even_when_they_are_dropped() {
    let budget = ChunkDecoder::TRAILER_BUDGET;
    for name in ["X", "Host"] {
        let of =
            |len: usize| format!("0\r\n{name}:{}\r\n\r\n", "v".repeat(len - name.len() - 1)).into_bytes();
        assert!(decode_in_pieces([&of(budget)[..]]).1.is_ok());
        assert_eq!(decode_in_pieces([&of(budget + 1)[..]]).1, Err(TrailersTooLarge));
    }
    let endless = b"0\r\nHost: a\r\n".iter().chain([&b'x'; 3]).chain(b"y: z\r\n".iter().cycle()).copied();
    let endless: Vec<u8> = endless.take(2 * budget).collect();
    assert_eq!(decode_in_pieces([&endless[..]]).1, Err(TrailersTooLarge));
}

#[test]
fn there_are_never_more_trailers_than_fields_in_a_head() {
    for name in ["a", "te"] {
        let of = |count: usize| format!("0\r\n{}\r\n", format!("{name}:\r\n").repeat(count)).into_bytes();
        assert!(decode_in_pieces([&of(MAX_FIELDS)[..]]).1.is_ok(), "{name}");
        assert_eq!(decode_in_pieces([&of(MAX_FIELDS + 1)[..]]).1, Err(TrailersTooLarge), "{name}");
    }
}

#[test]
fn a_million_small_chunks_are_read_in_one_pass() {
    let body = b"1\r\nx\r\n".repeat(1_000_000);
    let (_, outcome) = decode_in_pieces([&body[..], b"0\r\n\r\n"]);
    assert_eq!(
        outcome,
        Ok(Outcome::Whole { content: vec![b'x'; 1_000_000], trailer_lines: 0, len: body.len() + 5 })
    );
}

#[test]
fn what_is_written_is_read_again() {
    let mut trailers = Fields::new();
    trailers.append_named(b"X-Sum", b"1");
    let mut body = Vec::new();
    write::chunk_head(&mut body, 300);
    body.extend_from_slice(&[b'x'; 300]);
    body.extend_from_slice(b"\r\n");
    write::last_chunk(&mut body, &trailers);
    let (decoder, outcome) = decode_in_pieces([&body[..]]);
    assert_eq!(outcome, Ok(Outcome::Whole { content: vec![b'x'; 300], trailer_lines: 1, len: body.len() }));
    assert_eq!(decoder.trailers().get_named(b"x-sum"), Some(&b"1"[..]));
    assert_eq!(decode_in_pieces([write::LAST_CHUNK]).1.unwrap(), decode_by_grammar(b"0\r\n\r\n"));
}
