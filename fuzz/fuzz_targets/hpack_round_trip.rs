//! HPACK: whatever fields are written, with any table sizes, the decoder reads and remembers the same.
#![no_main]
#![allow(dead_code)] // of what the tests share

use libfuzzer_sys::fuzz_target;
use menshen_http2::hpack::{Decoder, Encoder, Indexing};

#[path = "../../crates/menshen-http2/tests/support/hpack.rs"]
mod support;
use support::round_trip;

fuzz_target!(|data: &[u8]| {
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new(4096));
    let mut fields = Vec::new();
    // A field is how it is written, the lengths of its texts, and these; other first bytes end the block or set a size.
    let mut rest = data;
    while let [kind, name, value, after @ ..] = rest {
        let how = match kind % 8 {
            0..=3 => Indexing::Cached,
            4 => Indexing::Plain,
            5 => Indexing::Never,
            6 => {
                let size = u32::from(u16::from_be_bytes([*name, *value]));
                encoder.peer_table_size(size);
                decoder.acknowledged(size);
                rest = after;
                // What stands before the size is written after it: a block is never cut by one.
                continue;
            }
            _ => {
                round_trip(&mut encoder, &mut decoder, &fields);
                fields.clear();
                rest = after;
                continue;
            }
        };
        let (name, after) = after.split_at(usize::from(*name).min(after.len()));
        let (value, after) = after.split_at(usize::from(*value).min(after.len()));
        fields.push((name.to_vec(), value.to_vec(), how));
        rest = after;
    }
    round_trip(&mut encoder, &mut decoder, &fields);
});
