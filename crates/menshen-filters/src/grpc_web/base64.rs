//! Base64 (RFC 4648 §4), piece by piece. Padding may stand within the text, where a writer has flushed; everything else
//! that is not exactly what an encoder writes is refused.

use menshen_proxy::{Failure, Transform};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Takes content out of Base64.
#[derive(Default)]
pub(super) struct Decoder {
    /// The bits of the symbols of a group that is not complete.
    bits: u32,
    /// How many symbols of the group there are, padding included.
    symbols: u8,
    /// How many of them are padding.
    padding: u8,
}

impl Decoder {
    fn take(&mut self, symbol: u8, out: &mut Vec<u8>) -> Result<(), Failure> {
        let value = match value(symbol) {
            Some(value) if self.padding == 0 => value,
            None if symbol == b'=' && self.symbols >= 2 => {
                self.padding += 1;
                0
            }
            _ => return Err(Failure::BadContent),
        };
        self.bits = self.bits << 6 | u32::from(value);
        self.symbols += 1;
        if self.symbols == 4 { self.give(out) } else { Ok(()) }
    }

    /// Gives out the bytes of a complete group.
    fn give(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let Self { bits, padding, .. } = std::mem::take(self);
        let [_, a, b, c] = bits.to_be_bytes();
        // The bits that padding stands for are zero.
        match (padding, b, c) {
            (0, ..) => out.extend_from_slice(&[a, b, c]),
            (1, _, 0) => out.extend_from_slice(&[a, b]),
            (2, 0, 0) => out.push(a),
            _ => return Err(Failure::BadContent),
        }
        Ok(())
    }
}

impl Transform for Decoder {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        out.reserve(piece.len() / 4 * 3 + 3);
        piece.iter().try_for_each(|symbol| self.take(*symbol, out))
    }

    fn finish(&mut self, _: &mut Vec<u8>) -> Result<(), Failure> {
        if self.symbols == 0 { Ok(()) } else { Err(Failure::BodyTruncated) }
    }
}

/// What a symbol stands for.
fn value(symbol: u8) -> Option<u8> {
    match symbol {
        b'A'..=b'Z' => Some(symbol - b'A'),
        b'a'..=b'z' => Some(symbol - b'a' + 26),
        b'0'..=b'9' => Some(symbol - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Puts content into Base64.
#[derive(Default)]
pub(super) struct Encoder {
    /// Bytes of a group that is not complete.
    held: Vec<u8>,
}

impl Encoder {
    /// Writes all complete groups.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let missing = (3 - self.held.len()) % 3;
        let (first, rest) = piece.split_at(missing.min(piece.len()));
        self.held.extend_from_slice(first);
        if self.held.len() == 3 {
            self.flush(out);
        }
        let (groups, rest) = rest.as_chunks::<3>();
        out.reserve(groups.len() * 4);
        for group in groups {
            encode(group, out);
        }
        self.held.extend_from_slice(rest);
    }

    /// Writes what is held back, with padding.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.held.is_empty() {
            encode(&self.held, out);
            self.held.clear();
        }
    }
}

/// Writes a group of one to three bytes.
fn encode(group: &[u8], out: &mut Vec<u8>) {
    let at = |i: usize| u32::from(group.get(i).copied().unwrap_or_default());
    let bits = at(0) << 16 | at(1) << 8 | at(2);
    for (i, shift) in [18, 12, 6, 0].into_iter().enumerate() {
        let value = (bits >> shift & 63) as usize;
        let symbol = ALPHABET.get(value).filter(|_| i <= group.len());
        out.push(symbol.copied().unwrap_or(b'='));
    }
}

#[cfg(test)]
mod tests;
