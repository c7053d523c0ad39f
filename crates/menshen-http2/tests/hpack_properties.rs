//! Whatever fields are written are read again; whatever bytes are read do no harm.

use menshen_http2::hpack::{Decoder, Encoder, Indexing};
use proptest::prelude::*;
use support::{Wanted, decode, round_trip};

#[path = "support/hpack.rs"]
#[allow(dead_code)]
mod support;

fn name() -> impl Strategy<Value = Vec<u8>> {
    const KNOWN: [&str; 7] =
        ["Content-Type", "accept-encoding", "cookie", "X-Request-Id", "set-cookie", ":status", ":path"];
    prop_oneof![
        prop::sample::select(&KNOWN).prop_map(|n| n.as_bytes().to_vec()),
        "[A-Za-z-]{0,20}".prop_map(String::into_bytes),
        "[a-d]".prop_map(String::into_bytes),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-c]{0,2}".prop_map(String::into_bytes),
        4 => "[ -~]{0,60}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..400),
        1 => Just(b"gzip, deflate".to_vec()),
    ]
}

fn field() -> impl Strategy<Value = Wanted> {
    let how =
        prop_oneof![3 => Just(Indexing::Cached), 1 => Just(Indexing::Plain), 1 => Just(Indexing::Never)];
    (name(), value(), how)
}

/// Table sizes that are set, and then a block.
type Turn = (Vec<u32>, Vec<Wanted>);

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let size = prop_oneof![Just(0), Just(4096), 0..600_u32, 0..70_000_u32];
    let sizes = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(size, 0..4)];
    prop::collection::vec((sizes, prop::collection::vec(field(), 0..12)), 1..12)
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(turns in turns()) {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new(65_536));
        for (sizes, fields) in turns {
            for size in sizes {
                encoder.peer_table_size(size);
                decoder.acknowledged(size);
            }
            round_trip(&mut encoder, &mut decoder, &fields);
        }
    }

    #[test]
    fn any_bytes_do_no_harm(
        blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..20),
        size in 4096..9000_u32,
    ) {
        let mut decoder = Decoder::new(size);
        for block in blocks {
            let _ = decode(&mut decoder, &block);
            prop_assert!(decoder.table_size() <= size as usize);
            prop_assert!(decoder.heap() <= 2 * size as usize);
        }
    }

    #[test]
    fn a_block_with_wrong_bytes_does_no_harm(turns in turns(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new(4096));
        for (_, fields) in turns {
            let mut block = Vec::new();
            for (name, value, how) in &fields {
                encoder.field(name, value, *how, &mut block);
            }
            if let Some(wrong) = at.index(block.len() + 1).checked_sub(1) {
                block[wrong] = byte;
            }
            if decode(&mut decoder, &block).is_err() {
                break;
            }
            prop_assert!(decoder.table_size() <= 4096);
        }
    }
}
