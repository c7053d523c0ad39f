//! HTTP/2 as a client gets it: any bytes, cut anywhere, do no harm and mean the same.
#![no_main]
#![allow(dead_code)] // of what the tests share

use libfuzzer_sys::fuzz_target;
use menshen_http2::Role;

#[path = "../../crates/menshen-http2/tests/support/connection.rs"]
mod support;
use support::in_pieces;

fuzz_target!(|data: &[u8]| {
    let [one, other, bytes @ ..] = data else { return };
    let whole = in_pieces(Role::Client, bytes, &[usize::MAX]);
    assert_eq!(in_pieces(Role::Client, bytes, &[usize::from(*one), usize::from(*other)]), whole);
});
