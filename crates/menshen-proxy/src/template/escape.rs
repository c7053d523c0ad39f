//! Filling a template into a URL: what comes from an exchange is percent-encoded (RFC 3986 §2.1), so that it stays
//! within the segment or value for which it was meant.

use super::{Fact, Piece, Template};
use crate::Exchange;

impl Template {
    /// The pieces in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// As [`Template::fill`], for a URL or path: the template's own text, the path and the query stand as they are.
    pub fn fill_url(&self, exchange: &Exchange, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            let keep = match piece {
                Piece::Text(_) => |_| true,
                Piece::Variable(_) => is_path_byte,
                Piece::Query(_) => is_query_value_byte,
                Piece::Fact(Fact::Path | Fact::Query | Fact::Host) => is_url_byte,
                Piece::Header(_) | Piece::Fact(_) => is_unreserved,
            };
            fill_escaped(piece, exchange, out, keep);
        }
    }

    /// As [`Template::fill`], for the value of a query parameter.
    pub fn fill_parameter(&self, exchange: &Exchange, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            let keep = match piece {
                Piece::Variable(_) => |b| is_unreserved(b) || b == b'%',
                Piece::Query(_) => is_query_value_byte,
                Piece::Text(_) | Piece::Header(_) | Piece::Fact(_) => is_unreserved,
            };
            fill_escaped(piece, exchange, out, keep);
        }
    }
}

/// Adds bytes with every one but the unreserved percent-encoded.
pub fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    push_but(out, bytes, is_unreserved);
}

fn fill_escaped(piece: &Piece, exchange: &Exchange, out: &mut Vec<u8>, keep: fn(u8) -> bool) {
    let from = out.len();
    super::fill_piece(piece, exchange, out);
    escape_from(from, out, keep);
}

/// Escapes what stands from `from` on; mostly there is nothing to do.
fn escape_from(from: usize, out: &mut Vec<u8>, keep: fn(u8) -> bool) {
    if !out.iter().skip(from).all(|b| keep(*b)) {
        let raw = out.split_off(from);
        push_but(out, &raw, keep);
    }
}

fn push_but(out: &mut Vec<u8>, bytes: &[u8], keep: fn(u8) -> bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |n: u8| HEX.get(usize::from(n & 0xf)).copied().unwrap_or(b'0');
    for &b in bytes {
        if keep(b) {
            out.push(b);
        } else {
            out.extend_from_slice(&[b'%', digit(b >> 4), digit(b)]);
        }
    }
}

fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

/// Of a path variable: it is decoded, and its only percent signs are those of escapes that were kept.
fn is_path_byte(b: u8) -> bool {
    is_unreserved(b) || matches!(b, b'/' | b'%' | b';' | b'=' | b',')
}

/// Of a query parameter, which is still as it was sent.
fn is_query_value_byte(b: u8) -> bool {
    is_unreserved(b) || matches!(b, b'%' | b'+')
}

/// Of text that is a piece of a URL already.
fn is_url_byte(b: u8) -> bool {
    b.is_ascii_graphic() && !matches!(b, b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_leave_its_place_is_escaped() {
        let mut out = b"/a".to_vec();
        push_escaped(&mut out, "/b?c&d é~".as_bytes());
        assert_eq!(out, b"/a%2Fb%3Fc%26d%20%C3%A9~");
    }

    #[test]
    fn a_decoded_path_variable_is_escaped_again_but_not_twice() {
        let mut out = b"/a b/".to_vec();
        out.extend_from_slice("x/y z?#&%2F%25é".as_bytes());
        escape_from(5, &mut out, is_path_byte);
        assert_eq!(String::from_utf8_lossy(&out), "/a b/x/y%20z%3F%23%26%2F%25%C3%A9");
    }
}
