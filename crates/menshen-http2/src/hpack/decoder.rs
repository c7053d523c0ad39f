//! Field blocks → fields.

use super::dynamic_table::DynamicTable;
use super::{Error, Field, INITIAL_TABLE_SIZE, Indexing, MAX_TABLE_SIZE, huffman, integer, static_table};

/// Bytes of the buffer for Huffman texts that are kept between blocks.
const KEPT: usize = 256;

/// The decoder of one direction of one connection.
#[derive(Debug)]
pub struct Decoder {
    /// Notes the static index of each name.
    table: DynamicTable<u8>,
    /// What table size updates may say.
    allowed: u32,
    /// The least that was allowed since the last block: the table may not have stayed above it.
    lowest: u32,
    /// Texts of the field that is being decoded, where they do not stand in the block itself.
    scratch: Vec<u8>,
}

impl Decoder {
    /// `max_table_size` is what the first SETTINGS announce as SETTINGS_HEADER_TABLE_SIZE, in bytes, at most
    /// [`MAX_TABLE_SIZE`]. Until they are acknowledged the peer may use [`INITIAL_TABLE_SIZE`], if that is more.
    pub fn new(max_table_size: u32) -> Self {
        let allowed = max_table_size.clamp(INITIAL_TABLE_SIZE, MAX_TABLE_SIZE);
        Self { table: DynamicTable::new(INITIAL_TABLE_SIZE), allowed, lowest: allowed, scratch: Vec::new() }
    }

    /// The peer has acknowledged SETTINGS with this SETTINGS_HEADER_TABLE_SIZE. If its table is larger, its next block
    /// must begin by making it smaller (RFC 7541 §4.2). Need not be called for what [`Decoder::new`] was given, if that
    /// is [`INITIAL_TABLE_SIZE`] or more.
    pub fn acknowledged(&mut self, max_table_size: u32) {
        self.allowed = max_table_size.min(MAX_TABLE_SIZE);
        self.lowest = self.lowest.min(self.allowed);
    }

    /// Decodes one whole field block: the fragments of HEADERS or PUSH_PROMISE and its CONTINUATIONs, joined. Every field
    /// is handed to `sink`, which counts and refuses for itself: the table must stay right, so all of it is decoded.
    ///
    /// # Errors
    ///
    /// After any [`Error`] the decoder is of no further use.
    pub fn decode(&mut self, block: &[u8], sink: &mut impl FnMut(Field<'_>)) -> Result<(), Error> {
        let mut rest = block;
        self.size_updates(&mut rest)?;
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            match first {
                0x80.. => self.indexed(integer::read(first, 7, &mut rest)?, sink)?,
                0x40..=0x7f => self.literal(first, Indexing::Cached, &mut rest, sink)?,
                0x20..=0x3f => return Err(Error::TableSizeMisplaced),
                0x10..=0x1f => self.literal(first, Indexing::Never, &mut rest, sink)?,
                0x00..=0x0f => self.literal(first, Indexing::Plain, &mut rest, sink)?,
            }
        }
        if self.scratch.capacity() > KEPT {
            self.scratch = Vec::new();
        }
        Ok(())
    }

    /// Bytes of the dynamic table as RFC 7541 §4.1 counts them.
    pub fn table_size(&self) -> usize {
        self.table.size()
    }

    /// Bytes of memory that this decoder holds beside itself.
    pub fn heap(&self) -> usize {
        self.table.heap() + self.scratch.capacity()
    }

    /// Table size updates at the beginning of a block (RFC 7541 §4.2, §6.3).
    fn size_updates(&mut self, rest: &mut &[u8]) -> Result<(), Error> {
        let mut reached_lowest = self.table.limit() <= self.lowest as usize;
        while let Some((&first @ 0x20..=0x3f, after)) = rest.split_first() {
            *rest = after;
            let size = integer::read(first, 5, rest)?;
            if size > self.allowed {
                return Err(Error::TableSizeTooLarge);
            }
            reached_lowest |= size <= self.lowest;
            self.table.set_limit(size);
        }
        if !reached_lowest {
            return Err(Error::TableSizeMissing);
        }
        self.lowest = self.allowed;
        Ok(())
    }

    /// A field that is in a table (RFC 7541 §6.1).
    #[inline]
    fn indexed(&self, index: u32, sink: &mut impl FnMut(Field<'_>)) -> Result<(), Error> {
        let (name, value, static_index) = match static_table::get(index) {
            Some((name, value)) => (name, value, static_table::index_of_name(index as u8)),
            None => self.cached(index)?,
        };
        sink(Field { name, value, sensitive: false, static_index });
        Ok(())
    }

    /// A field whose value, and maybe its name, stands here (RFC 7541 §6.2).
    fn literal(
        &mut self,
        first: u8,
        indexing: Indexing,
        rest: &mut &[u8],
        sink: &mut impl FnMut(Field<'_>),
    ) -> Result<(), Error> {
        self.scratch.clear();
        let prefix = if indexing == Indexing::Cached { 6 } else { 4 };
        let (name, static_index) = match integer::read(first, prefix, rest)? {
            0 => (self.text(rest)?, 0),
            index => self.name(index)?,
        };
        let value = self.text(rest)?;
        let (name, value) = (name.of(&self.scratch), value.of(&self.scratch));
        sink(Field { name, value, sensitive: indexing == Indexing::Never, static_index });
        if indexing == Indexing::Cached {
            self.table.insert(name.iter().copied(), value, static_index);
        }
        Ok(())
    }

    /// The name of an entry. One of the dynamic table is copied, because adding the field may push that entry out.
    fn name<'a>(&mut self, index: u32) -> Result<(Text<'a>, u8), Error> {
        if let Some((name, _)) = static_table::get(index) {
            return Ok((Text::There(name), static_table::index_of_name(index as u8)));
        }
        let (name, _, static_index) = self.table.get(behind_static(index)?).ok_or(Error::Index)?;
        self.scratch.extend_from_slice(name);
        Ok((Text::Scratch { start: 0, end: name.len() }, static_index))
    }

    /// An entry of the dynamic table.
    fn cached(&self, index: u32) -> Result<(&[u8], &[u8], u8), Error> {
        self.table.get(behind_static(index)?).ok_or(Error::Index)
    }

    /// A string literal (RFC 7541 §5.2).
    fn text<'a>(&mut self, rest: &mut &'a [u8]) -> Result<Text<'a>, Error> {
        let (&first, after) = rest.split_first().ok_or(Error::Truncated)?;
        *rest = after;
        let len = integer::read(first, 7, rest)?;
        let (text, after) = rest.split_at_checked(len as usize).ok_or(Error::Truncated)?;
        *rest = after;
        if first & 0x80 == 0 {
            return Ok(Text::There(text));
        }
        let start = self.scratch.len();
        huffman::decode(text, &mut self.scratch)?;
        Ok(Text::Scratch { start, end: self.scratch.len() })
    }
}

/// Where an index points in the dynamic table; 0 is its newest entry.
fn behind_static(index: u32) -> Result<usize, Error> {
    index.checked_sub(static_table::LEN + 1).map(|i| i as usize).ok_or(Error::Index)
}

/// Where a text is.
enum Text<'a> {
    /// In the block, or in the static table.
    There(&'a [u8]),
    /// In the scratch.
    Scratch { start: usize, end: usize },
}

impl<'a> Text<'a> {
    fn of(self, scratch: &'a [u8]) -> &'a [u8] {
        match self {
            Self::There(text) => text,
            Self::Scratch { start, end } => scratch.get(start..end).unwrap_or_default(),
        }
    }
}
