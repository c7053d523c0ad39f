//! Heads and trailers as field blocks (RFC 9113 §8.2, §8.3.2).

use menshen_http1::{FieldName, Fields, NameSet, ResponseHead};
use menshen_http2::hpack::{Encoder, Indexing};

/// Fields that are not sent over HTTP/2 (RFC 9113 §8.2.2), and the length, which is told by whoever knows it.
const LEFT_OUT: NameSet = FieldName::HOP_BY_HOP.and(NameSet::of(&[FieldName::CONTENT_LENGTH]));

/// Fields whose values are seldom the same twice: in the table they would push out what comes again.
const ONCE: NameSet = NameSet::of(&[
    FieldName::CONTENT_LENGTH,
    FieldName::CONTENT_RANGE,
    FieldName::ETAG,
    FieldName::LOCATION,
    FieldName::SET_COOKIE,
    FieldName::SERVER_TIMING,
    FieldName::X_REQUEST_ID,
]);

/// Fields that nobody on the way should keep (RFC 7541 §7.1.3).
const SECRET: NameSet =
    NameSet::of(&[FieldName::AUTHORIZATION, FieldName::PROXY_AUTHORIZATION, FieldName::COOKIE]);

/// Longer values are rarely sent twice.
const LONG: usize = 96;

/// Adds a field.
pub(super) fn field(encoder: &mut Encoder, out: &mut Vec<u8>, id: FieldName, name: &[u8], value: &[u8]) {
    let how = match id {
        _ if SECRET.contains(id) => Indexing::Never,
        _ if ONCE.contains(id) || value.len() > LONG => Indexing::Plain,
        _ => Indexing::Cached,
    };
    encoder.field(name, value, how, out);
}

/// Adds a well-known field.
pub(super) fn named(encoder: &mut Encoder, out: &mut Vec<u8>, id: FieldName, value: &[u8]) {
    field(encoder, out, id, id.as_str().as_bytes(), value);
}

/// Adds the head of an answer, but for its length.
pub(super) fn response(encoder: &mut Encoder, out: &mut Vec<u8>, head: &ResponseHead) {
    encoder.status(head.status, out);
    for f in head.fields.iter().filter(|f| !LEFT_OUT.contains(f.id)) {
        field(encoder, out, f.id, f.name, f.value);
    }
}

/// Adds trailers.
pub(super) fn trailers(encoder: &mut Encoder, out: &mut Vec<u8>, trailers: &Fields) {
    for f in trailers.iter() {
        field(encoder, out, f.id, f.name, f.value);
    }
}
