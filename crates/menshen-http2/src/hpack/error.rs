//! Why a field block was refused.

use std::fmt;

/// Why a field block cannot be decoded. All are connection errors of type COMPRESSION_ERROR (RFC 9113 §4.3): the table
/// is no longer that of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// The block ends within a field.
    Truncated,
    /// An integer above 2³²−1, or of more than five bytes after its prefix (RFC 7541 §5.1).
    Integer,
    /// Index 0, or one behind the end of the table (RFC 7541 §2.3.3).
    Index,
    /// Huffman padding that is longer than seven bits or not all ones (RFC 7541 §5.2).
    HuffmanPadding,
    /// The end-of-string symbol within a Huffman string (RFC 7541 §5.2).
    HuffmanEnd,
    /// A table size update above what we announced (RFC 7541 §6.3).
    TableSizeTooLarge,
    /// A table size update behind the first field of a block (RFC 7541 §4.2).
    TableSizeMisplaced,
    /// We lowered the table size, the peer acknowledged it, and its next block does not say so (RFC 7541 §4.2).
    TableSizeMissing,
}

impl Error {
    /// One sentence for a person.
    pub fn text(self) -> &'static str {
        match self {
            Self::Truncated => "A field block ends within a field.",
            Self::Integer => "A number in a field block is too large.",
            Self::Index => "A field block refers to a field that is in no table.",
            Self::HuffmanPadding => "A Huffman string ends in wrong padding.",
            Self::HuffmanEnd => "A Huffman string holds the end-of-string symbol.",
            Self::TableSizeTooLarge => "A table size update is above what was announced.",
            Self::TableSizeMisplaced => "A table size update stands behind a field.",
            Self::TableSizeMissing => "A lowered table size was acknowledged but not applied.",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Error {}
