//! The shape of a field block (RFC 7541 §5, §6): how many fields it has and whether it can be decoded at all, told
//! without decoding it. Names, values and the dynamic table are left to the h2 crate.

use ::h2::Reason;

/// The pseudo-fields in the static table are its first entries (RFC 7541, Appendix A).
const PSEUDO: std::ops::RangeInclusive<u32> = 1..=14;
/// The static table and as many entries as fit into the dynamic one, of 32 bytes at least each.
const LAST_INDEX: u32 = 61 + TABLE / 32;
/// The size of the dynamic table (RFC 9113 §6.5.2), which we never offer to change.
const TABLE: u32 = super::connection::HEADER_TABLE;
/// No number in a block that we take is larger.
const LARGEST_NUMBER: u32 = 1 << 24;

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    /// The first byte of a field.
    #[default]
    Field,
    /// The rest of a number that says this.
    Number(Meaning),
    /// The length of a name or a value.
    Length(Text),
    /// The bytes of a name or a value.
    Bytes(Text),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Which entry of the tables the field is.
    Entry,
    /// Which entry has its name, 0 for none.
    Name,
    TableSize,
    Length(Text),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Name,
    Value,
}

/// A field block as its bytes come.
#[derive(Debug, Default)]
pub(super) struct FieldBlock {
    next: Next,
    number: u32,
    shift: u32,
    /// Bytes of a name or a value still to come.
    left: usize,
    /// The string at hand is in Huffman's code, and none of it has come.
    is_coded: bool,
    is_fresh: bool,
    /// Fields so far.
    pub(super) fields: u32,
    /// It starts with a pseudo-field. They stand before all others, which the h2 crate checks, so that a block that does
    /// not start with one has none.
    pub(super) is_pseudo: bool,
}

impl FieldBlock {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// They cannot be decoded.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Reason> {
        while let Some((byte, rest)) = bytes.split_first() {
            if let Next::Bytes(text) = self.next {
                self.look_at(text, *byte);
                let n = self.left.min(bytes.len());
                self.left -= n;
                bytes = bytes.get(n..).unwrap_or_default();
                self.next = if self.left > 0 { self.next } else { after(text) };
                continue;
            }
            bytes = rest;
            match self.next {
                Next::Field => self.field(*byte)?,
                Next::Length(text) => {
                    (self.is_coded, self.is_fresh) = (byte & 0x80 != 0, true);
                    self.start_number(*byte, 0x7f, Meaning::Length(text))?;
                }
                Next::Number(meaning) => self.go_on(*byte, meaning)?,
                Next::Bytes(_) => {}
            }
        }
        Ok(())
    }

    /// The block is complete.
    ///
    /// # Errors
    /// Something is missing.
    pub(super) fn end(&self) -> Result<(), Reason> {
        if self.next == Next::Field { Ok(()) } else { Err(Reason::COMPRESSION_ERROR) }
    }

    /// The first byte of the first name tells whether that is a pseudo-field; Huffman's code writes `:` as 1011100
    /// (RFC 7541, Appendix B).
    fn look_at(&mut self, text: Text, byte: u8) {
        if std::mem::take(&mut self.is_fresh) && text == Text::Name && self.fields == 1 {
            self.is_pseudo = if self.is_coded { byte >> 1 == 0b101_1100 } else { byte == b':' };
        }
    }

    fn field(&mut self, byte: u8) -> Result<(), Reason> {
        let (mask, meaning) = match byte {
            0x80.. => (0x7f, Meaning::Entry),
            0x40..0x80 => (0x3f, Meaning::Name),
            0x20..0x40 => (0x1f, Meaning::TableSize),
            _ => (0x0f, Meaning::Name),
        };
        self.fields += u32::from(meaning != Meaning::TableSize);
        self.start_number(byte, mask, meaning)
    }

    /// A number starts in the last bits of a byte (RFC 7541 §5.1).
    fn start_number(&mut self, byte: u8, mask: u8, meaning: Meaning) -> Result<(), Reason> {
        (self.number, self.shift) = (u32::from(byte & mask), 0);
        self.next = Next::Number(meaning);
        if byte & mask == mask { Ok(()) } else { self.numbered(meaning) }
    }

    fn go_on(&mut self, byte: u8, meaning: Meaning) -> Result<(), Reason> {
        let more = u32::from(byte & 0x7f).checked_shl(self.shift).unwrap_or(u32::MAX);
        self.number = self.number.saturating_add(more);
        self.shift += 7;
        if self.number > LARGEST_NUMBER || self.shift > 28 {
            return Err(Reason::COMPRESSION_ERROR);
        }
        if byte & 0x80 == 0 { self.numbered(meaning) } else { Ok(()) }
    }

    /// A number is complete.
    fn numbered(&mut self, meaning: Meaning) -> Result<(), Reason> {
        let is_possible = match meaning {
            Meaning::Entry => (1..=LAST_INDEX).contains(&self.number),
            Meaning::Name => self.number <= LAST_INDEX,
            Meaning::TableSize => self.number <= TABLE,
            Meaning::Length(_) => true,
        };
        if !is_possible {
            return Err(Reason::COMPRESSION_ERROR);
        }
        if self.fields == 1 && matches!(meaning, Meaning::Entry | Meaning::Name) {
            self.is_pseudo = PSEUDO.contains(&self.number);
        }
        self.left = self.number as usize;
        self.next = match meaning {
            Meaning::Entry | Meaning::TableSize => Next::Field,
            Meaning::Name if self.number == 0 => Next::Length(Text::Name),
            Meaning::Name => Next::Length(Text::Value),
            Meaning::Length(text) if self.number == 0 => after(text),
            Meaning::Length(text) => Next::Bytes(text),
        };
        Ok(())
    }
}

/// What comes behind a name or a value.
fn after(text: Text) -> Next {
    match text {
        Text::Name => Next::Length(Text::Value),
        Text::Value => Next::Field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields and whether the first is a pseudo-field, however the block is cut.
    fn shape(block: &[u8]) -> Option<(u32, bool)> {
        let of = |size: usize| {
            let mut shape = FieldBlock::default();
            let fed = block.chunks(size).try_for_each(|piece| shape.feed(piece));
            fed.and_then(|()| shape.end()).ok().map(|()| (shape.fields, shape.is_pseudo))
        };
        let whole = of(block.len().max(1));
        assert_eq!(of(1), whole, "{block:?}");
        whole
    }

    #[test]
    fn fields_are_counted_and_pseudo_fields_are_told_from_others() {
        for (block, expected) in [
            (&b""[..], (0, false)),
            (b"\x82", (1, true)),
            (b"\x8e", (1, true)),
            (b"\x8f\x82", (2, false)),
            (b"\xbe\xbe\xbe", (3, false)),
            (b"\x41\x01a\xbe", (2, true)),
            (b"\x01\x01a", (1, true)),
            (b"\x0f\x01\x01a", (1, false)),
            (b"\x40\x05:path\x00", (1, true)),
            (b"\x00\x01x\x01y", (1, false)),
            (b"\x00\x84\xb9\x49\x00\x00\x00", (1, true)),
            (b"\x00\x82\xa9\x49\x00", (1, false)),
            (b"\x20\x82", (1, true)),
            (b"\x3f\xe1\x1f\x82\x8f", (2, true)),
        ] {
            assert_eq!(shape(block), Some(expected), "{block:?}");
        }
        let long = [b"\x00\x7f\x01".to_vec(), vec![b'x'; 128], b"\x01y".to_vec()].concat();
        assert_eq!(shape(&long), Some((1, false)));
    }

    #[test]
    fn what_cannot_be_decoded_is_refused() {
        for block in [
            &b"\x40"[..],
            b"\x40\x01",
            b"\x40\x01a",
            b"\x40\x01a\x05abc",
            b"\x80",
            b"\xff\x7f",
            b"\x7f\x80\x02\x00",
            b"\xff\x80\x80\x80\x80\x80\x00",
            b"\x3f\xe2\x1f",
            b"\x00\x7f\xff\xff\xff\xff\x0f",
        ] {
            assert_eq!(shape(block), None, "{block:?}");
        }
    }
}
