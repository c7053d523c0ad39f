//! What tests and fuzz targets of HPACK share.

use menshen_http2::hpack::{Decoder, Encoder, Error, Field, Indexing};

/// A field with texts of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    pub name: Vec<u8>,
    pub value: Vec<u8>,
    pub sensitive: bool,
}

impl Owned {
    pub fn new(name: &[u8], value: &[u8]) -> Self {
        Self { name: name.to_vec(), value: value.to_vec(), sensitive: false }
    }
}

impl From<Field<'_>> for Owned {
    fn from(f: Field<'_>) -> Self {
        Self { name: f.name.to_vec(), value: f.value.to_vec(), sensitive: f.sensitive }
    }
}

/// The fields of a block.
pub fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Owned>, Error> {
    let mut fields = Vec::new();
    decoder.decode(block, &mut |f| fields.push(f.into())).map(|()| fields)
}

/// What stands in the dynamic table, the newest first: what the indices behind the static table lead to.
pub fn table(decoder: &mut Decoder) -> Vec<Owned> {
    let mut fields = Vec::new();
    for index in 62_u8..=126 {
        if decoder.decode(&[0x80 | index], &mut |f| fields.push(f.into())).is_err() {
            break;
        }
    }
    fields
}

/// A field and how it is to be written.
pub type Wanted = (Vec<u8>, Vec<u8>, Indexing);

/// Writes a block, in any case of the names, and checks that a decoder reads it as it was meant.
pub fn round_trip(encoder: &mut Encoder, decoder: &mut Decoder, fields: &[Wanted]) {
    let mut block = Vec::new();
    encoder.begin(&mut block);
    for (name, value, how) in fields {
        encoder.field(name, value, *how, &mut block);
    }
    let written = fields.iter().map(|(name, value, how)| Owned {
        name: name.to_ascii_lowercase(),
        value: value.clone(),
        sensitive: *how == Indexing::Never,
    });
    assert_eq!(decode(decoder, &block), Ok(written.collect()));
    assert_eq!(encoder.table_size(), decoder.table_size());
}
