//! Chunked bodies: the same however they are cut, and as the grammar says.
#![no_main]
#![allow(dead_code)] // of the shared readers

use libfuzzer_sys::fuzz_target;
use menshen_http1::{FieldName, valid_name, valid_value};

#[path = "../../crates/menshen-http1/tests/support/chunked_reference.rs"]
mod chunked_reference;
#[path = "../../crates/menshen-http1/tests/support/head_reference.rs"]
mod head_reference;
use chunked_reference::{Outcome, decode_by_grammar, decode_in_pieces};

fuzz_target!(|data: &[u8]| {
    let [first, size, src @ ..] = data else { return };
    let (head, tail) = src.split_at(usize::from(*first).min(src.len()));
    let pieces = [head].into_iter().chain(tail.chunks(usize::from(*size).max(1)));
    let (decoder, in_pieces) = decode_in_pieces(pieces);
    let (_, at_once) = decode_in_pieces([src]);
    assert_eq!(in_pieces, at_once);
    assert!(decoder.trailers().iter().all(|f| {
        valid_name(f.name) && valid_value(f.value) && !FieldName::HOP_BY_HOP.contains(f.id) && !f.name.contains(&b'_')
    }));
    match (in_pieces, decode_by_grammar(src)) {
        (Err(_), Outcome::Refused) => {}
        (
            Ok(Outcome::Whole { content, len, trailer_lines }),
            Outcome::Whole { content: expected, len: end, trailer_lines: lines },
        ) => {
            assert_eq!((content, len), (expected, end));
            assert!(trailer_lines <= lines);
        }
        (ours, grammar) => assert_eq!(ours, Ok(grammar)),
    }
});
