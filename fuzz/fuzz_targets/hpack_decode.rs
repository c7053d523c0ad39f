//! HPACK: any blocks, with any table sizes between them, do no harm.
#![no_main]
#![allow(dead_code)] // of what the tests share

use libfuzzer_sys::fuzz_target;
use menshen_http2::hpack::Decoder;

#[path = "../../crates/menshen-http2/tests/support/hpack.rs"]
mod support;
use support::{decode, table};

fuzz_target!(|data: &[u8]| {
    let [announced, src @ ..] = data else { return };
    let mut allowed = u32::from(*announced) * 64;
    let mut decoder = Decoder::new(allowed);
    let mut most = allowed.max(4096) as usize;
    // A block is a length and so many bytes; 255 is a table size instead.
    let mut rest = src;
    while let [len, after @ ..] = rest {
        if let (255, [size, after @ ..]) = (len, after) {
            allowed = u32::from(*size) * 16;
            decoder.acknowledged(allowed);
            most = most.max(allowed as usize);
            rest = after;
            continue;
        }
        let (block, after) = after.split_at(usize::from(*len).min(after.len()));
        rest = after;
        let Ok(fields) = decode(&mut decoder, block) else { return };
        assert!(fields.len() <= block.len());
        assert!(decoder.table_size() <= most);
        assert!(decoder.heap() <= 2 * most, "{} bytes of memory", decoder.heap());
        let entries = table(&mut decoder);
        let size: usize = entries.iter().map(|f| f.name.len() + f.value.len() + 32).sum();
        assert!(size == decoder.table_size() || entries.len() == 65);
    }
});
