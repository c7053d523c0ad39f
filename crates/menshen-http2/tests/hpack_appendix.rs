//! The examples of RFC 7541, Appendix C.

use menshen_http2::hpack::{Decoder, Encoder, Indexing};
use support::{Owned, decode, table};

#[path = "support/hpack.rs"]
#[allow(dead_code)]
mod support;

type Pairs = &'static [(&'static str, &'static str)];

/// A block with its fields, and the table after it: its entries and its size.
struct Step {
    block: &'static str,
    fields: Pairs,
    table: Pairs,
    size: usize,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let pair = |p: &[u8]| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

fn owned(pairs: Pairs) -> Vec<Owned> {
    pairs.iter().map(|(n, v)| Owned::new(n.as_bytes(), v.as_bytes())).collect()
}

fn follow(decoder: &mut Decoder, steps: &[Step]) {
    for step in steps {
        assert_eq!(decode(decoder, &bytes(step.block)).unwrap(), owned(step.fields), "{}", step.block);
        assert_eq!(table(decoder), owned(step.table), "{}", step.block);
        assert_eq!(decoder.table_size(), step.size, "{}", step.block);
    }
}

/// A decoder with the table of 256 bytes of C.5 and C.6.
fn small() -> Decoder {
    let mut decoder = Decoder::new(256);
    decoder.acknowledged(256);
    decode(&mut decoder, &[0x3f, 0xe1, 0x01]).unwrap();
    decoder
}

#[test]
fn c_2_representations_of_a_field() {
    let mut decoder = Decoder::new(4096);
    follow(
        &mut decoder,
        &[Step {
            block: "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
            fields: &[("custom-key", "custom-header")],
            table: &[("custom-key", "custom-header")],
            size: 55,
        }],
    );
    let mut decoder = Decoder::new(4096);
    follow(
        &mut decoder,
        &[Step {
            block: "040c 2f73 616d 706c 652f 7061 7468",
            fields: &[(":path", "/sample/path")],
            table: &[],
            size: 0,
        }],
    );
    let fields = decode(&mut decoder, &bytes("1008 7061 7373 776f 7264 0673 6563 7265 74")).unwrap();
    assert_eq!(fields, [Owned { sensitive: true, ..Owned::new(b"password", b"secret") }]);
    assert_eq!(decoder.table_size(), 0);
    follow(&mut decoder, &[Step { block: "82", fields: &[(":method", "GET")], table: &[], size: 0 }]);
}

const REQUESTS: [Pairs; 3] = [
    &[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")],
    &[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "www.example.com"),
        ("cache-control", "no-cache"),
    ],
    &[
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/index.html"),
        (":authority", "www.example.com"),
        ("custom-key", "custom-value"),
    ],
];

const REQUEST_TABLES: [(Pairs, usize); 3] = [
    (&[(":authority", "www.example.com")], 57),
    (&[("cache-control", "no-cache"), (":authority", "www.example.com")], 110),
    (
        &[("custom-key", "custom-value"), ("cache-control", "no-cache"), (":authority", "www.example.com")],
        164,
    ),
];

const HUFFMAN_REQUESTS: [&str; 3] = [
    "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
    "8286 84be 5886 a8eb 1064 9cbf",
    "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
];

fn steps(blocks: [&'static str; 3], fields: [Pairs; 3], tables: [(Pairs, usize); 3]) -> Vec<Step> {
    let all = blocks.into_iter().zip(fields).zip(tables);
    all.map(|((block, fields), (table, size))| Step { block, fields, table, size }).collect()
}

#[test]
fn c_3_requests_without_huffman() {
    let blocks = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    follow(&mut Decoder::new(4096), &steps(blocks, REQUESTS, REQUEST_TABLES));
}

#[test]
fn c_4_requests_with_huffman() {
    follow(&mut Decoder::new(4096), &steps(HUFFMAN_REQUESTS, REQUESTS, REQUEST_TABLES));
}

#[test]
fn the_encoder_writes_c_4_to_the_byte() {
    let mut encoder = Encoder::new();
    for (block, (fields, (_, size))) in HUFFMAN_REQUESTS.iter().zip(REQUESTS.iter().zip(REQUEST_TABLES)) {
        let mut out = Vec::new();
        encoder.begin(&mut out);
        for (name, value) in *fields {
            encoder.field(name.as_bytes(), value.as_bytes(), Indexing::Cached, &mut out);
        }
        assert_eq!(out, bytes(block));
        assert_eq!(encoder.table_size(), size);
    }
}

const COOKIE: &str = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
const AT_21: &str = "Mon, 21 Oct 2013 20:13:21 GMT";
const AT_22: &str = "Mon, 21 Oct 2013 20:13:22 GMT";
const SITE: &str = "https://www.example.com";

const RESPONSES: [Pairs; 3] = [
    &[(":status", "302"), ("cache-control", "private"), ("date", AT_21), ("location", SITE)],
    &[(":status", "307"), ("cache-control", "private"), ("date", AT_21), ("location", SITE)],
    &[
        (":status", "200"),
        ("cache-control", "private"),
        ("date", AT_22),
        ("location", SITE),
        ("content-encoding", "gzip"),
        ("set-cookie", COOKIE),
    ],
];

const RESPONSE_TABLES: [(Pairs, usize); 3] = [
    (&[("location", SITE), ("date", AT_21), ("cache-control", "private"), (":status", "302")], 222),
    (&[(":status", "307"), ("location", SITE), ("date", AT_21), ("cache-control", "private")], 222),
    (&[("set-cookie", COOKIE), ("content-encoding", "gzip"), ("date", AT_22)], 215),
];

#[test]
fn c_5_responses_without_huffman() {
    let blocks = [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 \
         3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 \
         7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 \
         6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
    ];
    follow(&mut small(), &steps(blocks, RESPONSES, RESPONSE_TABLES));
}

#[test]
fn c_6_responses_with_huffman() {
    let blocks = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad \
         1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 \
         e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    follow(&mut small(), &steps(blocks, RESPONSES, RESPONSE_TABLES));
}
