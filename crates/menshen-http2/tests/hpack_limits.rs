//! What a decoder refuses, how table sizes change, and what memory is kept.

use menshen_http2::hpack::{Decoder, Encoder, Error, Indexing, static_index};
use support::{Owned, decode, table};

#[path = "support/hpack.rs"]
#[allow(dead_code)]
mod support;

fn decoder() -> Decoder {
    Decoder::new(4096)
}

/// A block of these fields, all to be remembered.
fn block(encoder: &mut Encoder, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.begin(&mut out);
    for (name, value) in fields {
        encoder.field(name.as_bytes(), value.as_bytes(), Indexing::Cached, &mut out);
    }
    out
}

#[test]
fn what_is_not_hpack_is_refused() {
    let rows: &[(&[u8], Error)] = &[
        // in the middle of an index, of a length, of a name, of a value; no value at all
        (&[0xff], Error::Truncated),
        (&[0xff, 0x80], Error::Truncated),
        (&[0x40], Error::Truncated),
        (&[0x40, 0x7f], Error::Truncated),
        (&[0x40, 0x03, b'a', b'b'], Error::Truncated),
        (&[0x40, 0x01, b'a'], Error::Truncated),
        (&[0x41, 0x05, b'a'], Error::Truncated),
        (&[0x82, 0x41], Error::Truncated),
        (&[0x3f], Error::Truncated),
        (&[0x41, 0xff, 0xff, 0xff, 0xff, 0x0f, b'a'], Error::Truncated),
        // above 32 bits; of too many bytes, though their value is small
        (&[0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], Error::Integer),
        (&[0x41, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x7f], Error::Integer),
        (&[0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], Error::Integer),
        (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Error::Integer),
        // no such entry
        (&[0x80], Error::Index),
        (&[0xbe], Error::Index),
        (&[0x7e, 0x00], Error::Index),
        (&[0x0f, 0x2f, 0x00], Error::Index),
        (&[0x1f, 0x2f, 0x00], Error::Index),
        (&[0xff, 0x80, 0xff, 0xff, 0xff, 0x0f], Error::Index),
        // the added entry is the only one
        (&[0x40, 0x01, b'a', 0x01, b'b', 0xbe, 0xbf], Error::Index),
        // Huffman
        (&[0x41, 0x81, 0b0000_0110], Error::HuffmanPadding),
        (&[0x41, 0x81, 0xff], Error::HuffmanPadding),
        (&[0x40, 0x81, 0xfe, 0x00], Error::HuffmanPadding),
        (&[0x41, 0x84, 0xff, 0xff, 0xff, 0xff], Error::HuffmanEnd),
        // table sizes
        (&[0x3f, 0xe2, 0x1f], Error::TableSizeTooLarge),
        (&[0x3f, 0xff, 0xff, 0xff, 0xff, 0x0f], Error::Integer),
        (&[0x82, 0x20], Error::TableSizeMisplaced),
        (&[0x20, 0x82, 0x3f, 0xe1, 0x1f], Error::TableSizeMisplaced),
    ];
    for (block, error) in rows {
        assert_eq!(decode(&mut decoder(), block), Err(*error), "{block:x?}");
    }
}

#[test]
fn every_prefix_of_a_field_is_truncated() {
    let whole = block(&mut Encoder::new(), &[("a-name", "and its value")]);
    for len in 1..whole.len() {
        assert_eq!(decode(&mut decoder(), &whole[..len]), Err(Error::Truncated), "{len}");
    }
}

#[test]
fn numbers_may_have_needless_zeros() {
    // index 127+3 = 62+68: nothing there; length 127+0 of one more byte than needed
    let mut text = vec![0x00, 0x01, b'a', 0x7f, 0x80, 0x00];
    text.extend([b'v'; 127]);
    assert_eq!(decode(&mut decoder(), &text), Ok(vec![Owned::new(b"a", &[b'v'; 127])]));
}

#[test]
fn names_carry_their_static_index_also_through_the_table() {
    let mut decoder = decoder();
    let mut indices = Vec::new();
    let mut note = |f: menshen_http2::hpack::Field<'_>| indices.push(f.static_index);
    // GET, POST and a new method by the name of either; that again; its name again; a text
    let block = [0x82, 0x83, 0x42, 0x01, b'A', 0x43, 0x01, b'B', 0xbe, 0x7e, 0x01, b'C', 0x00, 0x07];
    decoder.decode(&[&block[..], b":method", &[0x00]].concat(), &mut note).unwrap();
    let method = static_index(":method");
    assert_eq!(indices, [method, method, method, method, method, method, 0]);
    assert_eq!(table(&mut decoder)[0], Owned::new(b":method", b"C"));
}

#[test]
fn the_name_of_an_entry_that_goes_is_still_right() {
    let mut decoder = decoder();
    // A table of 70 bytes has one entry; the next takes its name and its place.
    decode(&mut decoder, &[0x3f, 0x27, 0x40, 0x04, b'n', b'a', b'm', b'e', 0x01, b'1']).unwrap();
    let fields = decode(&mut decoder, &[0x7e, 0x01, b'2']).unwrap();
    assert_eq!(fields, [Owned::new(b"name", b"2")]);
    assert_eq!(table(&mut decoder), fields);
}

#[test]
fn before_settings_are_acknowledged_the_peer_has_its_initial_table() {
    for announced in [0, 100, 4096] {
        assert_eq!(decode(&mut Decoder::new(announced), &[0x3f, 0xe1, 0x1f]), Ok(Vec::new()));
    }
    let larger = [0x3f, 0xe1, 0x3f]; // 8192
    assert_eq!(decode(&mut Decoder::new(8192), &larger), Ok(Vec::new()));
    assert_eq!(decode(&mut Decoder::new(8191), &larger), Err(Error::TableSizeTooLarge));
}

#[test]
fn a_lowered_table_size_must_be_followed_in_the_next_block() {
    let lowered = || {
        let mut decoder = decoder();
        decoder.acknowledged(100);
        decoder
    };
    assert_eq!(decode(&mut lowered(), &[0x82]), Err(Error::TableSizeMissing));
    assert_eq!(decode(&mut lowered(), &[]), Err(Error::TableSizeMissing));
    assert_eq!(decode(&mut lowered(), &[0x3f, 0x46, 0x82]), Err(Error::TableSizeTooLarge)); // 101
    assert!(decode(&mut lowered(), &[0x3f, 0x45, 0x82]).is_ok());
    assert!(decode(&mut lowered(), &[0x20, 0x82]).is_ok());
    // Only the first block must say it.
    let mut decoder = lowered();
    decode(&mut decoder, &[0x20]).unwrap();
    assert!(decode(&mut decoder, &[0x82]).is_ok());
}

#[test]
fn a_table_size_that_was_low_for_a_while_must_be_followed_too() {
    let raised_again = || {
        let mut decoder = decoder();
        decoder.acknowledged(100);
        decoder.acknowledged(4096);
        decoder
    };
    assert_eq!(decode(&mut raised_again(), &[0x82]), Err(Error::TableSizeMissing));
    assert_eq!(decode(&mut raised_again(), &[0x3f, 0xe1, 0x1f, 0x82]), Err(Error::TableSizeMissing));
    assert!(decode(&mut raised_again(), &[0x3f, 0x45, 0x3f, 0xe1, 0x1f, 0x82]).is_ok());
}

#[test]
fn a_table_that_is_small_already_need_not_be_made_smaller() {
    let mut decoder = decoder();
    decode(&mut decoder, &[0x20]).unwrap();
    decoder.acknowledged(100);
    assert!(decode(&mut decoder, &[0x82]).is_ok());
}

#[test]
fn the_encoder_tells_the_least_and_the_last_table_size() {
    let cases: &[(&[u32], &[u8])] = &[
        (&[], &[]),
        (&[4096], &[]),
        (&[65_536], &[]),
        (&[0], &[0x20]),
        (&[100], &[0x3f, 0x45]),
        (&[100, 4096], &[0x3f, 0x45, 0x3f, 0xe1, 0x1f]),
        (&[1000, 100, 200], &[0x3f, 0x45, 0x3f, 0xa9, 0x01]),
        (&[0, 65_536], &[0x20, 0x3f, 0xe1, 0x1f]),
    ];
    for (sizes, expected) in cases {
        let mut encoder = Encoder::new();
        sizes.iter().for_each(|s| encoder.peer_table_size(*s));
        assert_eq!(block(&mut encoder, &[]), *expected, "{sizes:?}");
        assert_eq!(block(&mut encoder, &[]), [], "said twice: {sizes:?}");
    }
}

#[test]
fn a_peer_without_a_table_gets_no_entries() {
    let mut encoder = Encoder::new();
    block(&mut encoder, &[("x-a", "1")]);
    encoder.peer_table_size(0);
    let mut decoder = decoder();
    decoder.acknowledged(0);
    for _ in 0..2 {
        let block = block(&mut encoder, &[("x-a", "1"), (":method", "GET")]);
        let fields = decode(&mut decoder, &block).unwrap();
        assert_eq!(fields, [Owned::new(b"x-a", b"1"), Owned::new(b":method", b"GET")]);
        assert_eq!((encoder.table_size(), decoder.table_size()), (0, 0));
    }
}

#[test]
fn a_remembered_field_is_one_byte_whatever_the_case_of_its_name() {
    let mut encoder = Encoder::new();
    block(&mut encoder, &[("X-Frame-Options", "DENY"), ("Content-Type", "text/html")]);
    let again = [("x-frame-options", "DENY"), ("CONTENT-TYPE", "text/html")];
    assert_eq!(block(&mut encoder, &again), [0xbf, 0xbe]);
}

#[test]
fn a_name_alone_is_found_in_both_tables() {
    let mut encoder = Encoder::new();
    block(&mut encoder, &[("x-a", "1")]);
    let mut out = Vec::new();
    encoder.field(b"x-a", b"2", Indexing::Plain, &mut out);
    encoder.field(b"x-a", b"2", Indexing::Never, &mut out);
    encoder.field(b"Authorization", b"2", Indexing::Never, &mut out);
    assert_eq!(out, [0x0f, 62 - 15, 1, b'2', 0x1f, 62 - 15, 1, b'2', 0x1f, 23 - 15, 1, b'2']);
}

#[test]
fn statuses_are_an_index_or_remembered() {
    let mut encoder = Encoder::new();
    let mut out = Vec::new();
    for status in [200, 204, 206, 304, 400, 404, 500, 503, 503, 599, 100] {
        encoder.status(status, &mut out);
    }
    let fields = decode(&mut decoder(), &out).unwrap();
    let values: Vec<_> = fields.iter().map(|f| String::from_utf8(f.value.clone()).unwrap()).collect();
    assert_eq!(values.join(" "), "200 204 206 304 400 404 500 503 503 599 100");
    assert_eq!(out[..7], [0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e]);
    assert_eq!(encoder.table_size(), 3 * (7 + 3 + 32));
}

#[test]
fn what_is_static_is_never_remembered_again_and_a_secret_never_an_index() {
    let mut encoder = Encoder::new();
    let mut out = Vec::new();
    encoder.field(b"accept-encoding", b"gzip, deflate", Indexing::Plain, &mut out);
    encoder.field(b"accept-encoding", b"gzip, deflate", Indexing::Cached, &mut out);
    assert_eq!(out, [0x90, 0x90]);
    encoder.field(b":method", b"GET", Indexing::Never, &mut out);
    assert_eq!((out[2] & 0xf0, encoder.table_size()), (0x10, 0));
}

#[test]
fn a_field_above_a_quarter_of_the_table_is_not_remembered() {
    let value = "v".repeat(1024 - 32 - 1);
    for (value, size) in [(&value[..], 1024), (&format!("{value}v"), 0)] {
        let mut encoder = Encoder::new();
        block(&mut encoder, &[("n", value)]);
        assert_eq!(encoder.table_size(), size);
    }
}

/// What a browser sends, with a path of its own.
fn browser(path: &str) -> Vec<(&str, &str)> {
    vec![
        (":method", "GET"),
        (":authority", "www.example.com"),
        (":scheme", "https"),
        (":path", path),
        ("sec-ch-ua", "\"Chromium\";v=\"142\", \"Google Chrome\";v=\"142\", \"Not_A Brand\";v=\"99\""),
        ("sec-ch-ua-mobile", "?0"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0",
        ),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("accept-language", "en-GB,en;q=0.9"),
        ("cookie", "session=0123456789abcdef0123456789abcdef"),
        ("priority", "u=0, i"),
    ]
}

#[test]
fn an_idle_connection_keeps_little_memory() {
    let (mut client, mut server) = (Encoder::new(), decoder());
    let mut replies = Encoder::new();
    assert_eq!(server.heap() + replies.heap(), 0);
    for path in ["/", "/a", "/b?c=d"] {
        decode(&mut server, &block(&mut client, &browser(path))).unwrap();
        block(
            &mut replies,
            &[("server", "menshen"), ("content-type", "text/html"), ("vary", "accept-encoding")],
        );
    }
    let kept = server.heap() + replies.heap();
    assert!(kept < 1536, "{kept} bytes");
}

#[test]
fn long_texts_are_not_kept() {
    let long = "long ".repeat(2000);
    let mut out = Vec::new();
    Encoder::new().field(b"x-long", long.as_bytes(), Indexing::Plain, &mut out);
    let mut decoder = decoder();
    assert_eq!(decode(&mut decoder, &out), Ok(vec![Owned::new(b"x-long", long.as_bytes())]));
    assert_eq!(decoder.heap(), 0);
}

#[test]
fn a_bomb_of_indices_takes_no_memory() {
    let mut decoder = decoder();
    let mut bomb = vec![0x00; 0];
    bomb.extend([0x40, 0x01, b'n', 0x7f, 0x81, 0x1e]); // a value of 127 + 1 + 30 * 128 bytes
    bomb.extend([b'v'; 127 + 1 + 30 * 128]);
    bomb.extend([0xbe; 16_384]);
    let mut bytes = 0;
    decoder.decode(&bomb, &mut |f| bytes += f.value.len()).unwrap();
    assert!(bytes > 65_000_000);
    assert!(decoder.heap() < 5000, "{}", decoder.heap());
}
