//! Fields → field blocks.

use super::dynamic_table::{DynamicTable, entry_size};
use super::words::{field_hash, is_lower_of, name_hash};
use super::{INITIAL_TABLE_SIZE, Indexing, huffman, integer, static_table};

/// The most bytes of a table here, even if the peer would keep more.
const LARGEST: u32 = INITIAL_TABLE_SIZE;

/// First bits of a literal that is not indexed, and of one that never is (RFC 7541 §6.2.2, §6.2.3).
const PLAIN: u8 = 0x00;
const NEVER: u8 = 0x10;

/// The encoder of one direction of one connection. Each block begins with [`Encoder::begin`].
#[derive(Debug)]
pub struct Encoder {
    table: DynamicTable<Hashes>,
    /// The size the table is to have, and the least that was asked for since the last block: what the next one begins
    /// by saying (RFC 7541 §4.2).
    wanted: u32,
    lowest: u32,
}

/// What entries are looked for by. Equal hashes are a hint only: the texts are compared.
#[derive(Clone, Copy, Debug)]
struct Hashes {
    /// Names of the static table are never looked for here and have their index instead.
    name: u32,
    field: u32,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An encoder with an empty table of at most [`INITIAL_TABLE_SIZE`] bytes.
    pub fn new() -> Self {
        Self { table: DynamicTable::new(LARGEST), wanted: LARGEST, lowest: LARGEST }
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE, in bytes. The next block tells how it is followed; a table larger than
    /// [`INITIAL_TABLE_SIZE`] is not made use of.
    pub fn peer_table_size(&mut self, bytes: u32) {
        self.wanted = bytes.min(LARGEST);
        self.lowest = self.lowest.min(self.wanted);
    }

    /// Begins a block: table size updates, if any are due.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        if (self.lowest as usize) < self.table.limit() {
            self.resize(self.lowest, out);
        }
        if self.wanted as usize != self.table.limit() {
            self.resize(self.wanted, out);
        }
        self.lowest = self.wanted;
    }

    /// Appends `:status`.
    pub fn status(&mut self, status: u16, out: &mut Vec<u8>) {
        let digit = |n: u16| b'0' + (n % 10) as u8;
        let text = [digit(status / 100), digit(status / 10), digit(status)];
        self.field(b":status", &text, Indexing::Cached, out);
    }

    /// Appends a field. The name may be in any case and is written in lower case. What is in the static table is written
    /// as its index unless it is [`Indexing::Never`]; what would take more than a quarter of the dynamic table does not
    /// go into it.
    pub fn field(&mut self, name: &[u8], value: &[u8], how: Indexing, out: &mut Vec<u8>) {
        let known = static_table::find(name, value);
        match how {
            Indexing::Never => self.literal(NEVER, known.name, name, value, out),
            _ if known.field != 0 => integer::write(0x80, 7, usize::from(known.field), out),
            Indexing::Cached if entry_size(name, value) <= self.table.limit() / 4 => {
                self.cached(known.name, name, value, out);
            }
            Indexing::Cached | Indexing::Plain => self.literal(PLAIN, known.name, name, value, out),
        }
    }

    /// Bytes of the dynamic table as RFC 7541 §4.1 counts them.
    pub fn table_size(&self) -> usize {
        self.table.size()
    }

    /// Bytes of memory that this encoder holds beside itself.
    pub fn heap(&self) -> usize {
        self.table.heap()
    }

    fn resize(&mut self, size: u32, out: &mut Vec<u8>) {
        integer::write(0x20, 5, size as usize, out);
        self.table.set_limit(size);
    }

    /// A field as an index of the dynamic table; if it is not there it comes into it (RFC 7541 §6.2.1).
    fn cached(&mut self, static_name: u8, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let name_hash = if static_name == 0 { name_hash(name) } else { u32::from(static_name) };
        let hashes = Hashes { name: name_hash, field: field_hash(name_hash, value) };
        let at = self.position(|h| h.field == hashes.field, |n, v| v == value && is_lower_of(n, name));
        if let Some(at) = at {
            integer::write(0x80, 7, at, out);
            return;
        }
        let name_index = self.name_index(static_name, name_hash, name);
        integer::write(0x40, 6, name_index, out);
        texts(name_index, name, value, out);
        self.table.insert(name.iter().map(u8::to_ascii_lowercase), value, hashes);
    }

    /// A field that is not added to the table.
    fn literal(&self, kind: u8, static_name: u8, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let name_index = match static_name {
            0 if self.table.size() > 0 => self.name_index(0, name_hash(name), name),
            known => usize::from(known),
        };
        integer::write(kind, 4, name_index, out);
        texts(name_index, name, value, out);
    }

    /// The index of a name in either table, or 0.
    fn name_index(&self, static_name: u8, hash: u32, name: &[u8]) -> usize {
        match static_name {
            0 => self.position(|h| h.name == hash, |n, _| is_lower_of(n, name)).unwrap_or(0),
            known => usize::from(known),
        }
    }

    /// The index of the newest entry whose hashes promise it and whose texts keep the promise.
    #[inline]
    fn position(
        &self,
        likely: impl Fn(Hashes) -> bool,
        is_it: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Option<usize> {
        let promising = self.table.tags().enumerate().filter(|(_, h)| likely(*h)).map(|(i, _)| i);
        let found = { promising }.find(|i| self.table.get(*i).is_some_and(|(n, v, _)| is_it(n, v)));
        found.map(|i| i + static_table::LEN as usize + 1)
    }
}

/// The name, if it has no index, and the value.
fn texts(name_index: usize, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    if name_index == 0 {
        text(name.iter().map(u8::to_ascii_lowercase), out);
    }
    text(value.iter().copied(), out);
}

/// A string literal, in the Huffman code if that is shorter (RFC 7541 §5.2).
#[inline]
fn text(text: impl ExactSizeIterator<Item = u8> + Clone, out: &mut Vec<u8>) {
    if text.len() <= SHORT { short_text(text, out) } else { long_text(text, out) }
}

/// Most bytes of a text whose length takes one byte.
const SHORT: usize = 126;

/// Tries the code at once: the one byte of the length is filled in later.
fn short_text(text: impl ExactSizeIterator<Item = u8> + Clone, out: &mut Vec<u8>) {
    let (start, plain) = (out.len(), text.len());
    out.push(plain as u8);
    huffman::encode(text.clone(), out);
    let coded = out.len() - start - 1;
    if coded < plain {
        if let Some(first) = out.get_mut(start) {
            *first = 0x80 | coded as u8;
        }
    } else {
        out.truncate(start + 1);
        out.extend(text);
    }
}

fn long_text(text: impl ExactSizeIterator<Item = u8> + Clone, out: &mut Vec<u8>) {
    let coded = huffman::encoded_len(text.clone());
    if coded < text.len() {
        integer::write(0x80, 7, coded, out);
        huffman::encode(text, out);
    } else {
        integer::write(0, 7, text.len(), out);
        out.extend(text);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn fields_with_the_same_hash_are_told_apart() {
        let name = name_hash(b"x-a");
        let mut seen = HashMap::new();
        let values = (0_u32..).map(|i| format!("{:08x}", i.wrapping_mul(0x9e37_79b9)));
        let (one, other) = values
            .take(1_000_000)
            .find_map(|v| seen.insert(field_hash(name, v.as_bytes()), v.clone()).map(|other| (v, other)))
            .unwrap();
        let (mut encoder, mut out) = (Encoder::new(), Vec::new());
        encoder.field(b"x-a", one.as_bytes(), Indexing::Cached, &mut out);
        out.clear();
        encoder.field(b"x-a", other.as_bytes(), Indexing::Cached, &mut out);
        assert_eq!(out.first(), Some(&0x7e), "a literal with the name of the first");
    }
}
