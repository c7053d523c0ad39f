//! Blocks of other encoders: recorded between Node, Go and curl (`peers.txt`), and written by Python's `hpack` of
//! random fields and table sizes (`python_hpack.txt`).
//!
//! A story is one direction of a connection. `table` is a table size that the peer has acknowledged; a field begins with
//! a space, or with `!` if it is never indexed.

use menshen_http2::hpack::Decoder;
use support::{Owned, decode};

#[path = "support/hpack.rs"]
#[allow(dead_code)]
mod support;

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(|at| pair(at).unwrap()).collect()
}

fn field(line: &str) -> Owned {
    let (kind, field) = line.split_at(1);
    let (name, value) = field.split_at(field.get(1..).unwrap().find(": ").unwrap() + 1);
    Owned {
        sensitive: kind == "!",
        ..Owned::new(name.as_bytes(), value.strip_prefix(": ").unwrap().as_bytes())
    }
}

/// Decodes all stories and returns how many blocks they have.
fn retell(stories: &str) -> usize {
    let mut decoder = Decoder::new(4096);
    let mut lines = stories.lines().peekable();
    let mut blocks = 0;
    while let Some(line) = lines.next() {
        match line.split_once(' ').unwrap() {
            ("story", _) => decoder = Decoder::new(4096),
            ("table", size) => decoder.acknowledged(size.parse().unwrap()),
            ("block", hex) => {
                blocks += 1;
                let is_field = |l: &&str| l.starts_with([' ', '!']);
                let fields: Vec<Owned> = std::iter::from_fn(|| lines.next_if(is_field)).map(field).collect();
                assert_eq!(decode(&mut decoder, &bytes(hex)).as_ref(), Ok(&fields), "{line}");
            }
            _ => panic!("{line}"),
        }
    }
    blocks
}

#[test]
fn blocks_of_node_go_and_curl_are_read() {
    assert!(retell(include_str!("stories/peers.txt")) > 50);
}

#[test]
fn blocks_of_python_are_read() {
    assert!(retell(include_str!("stories/python_hpack.txt")) > 100);
}
