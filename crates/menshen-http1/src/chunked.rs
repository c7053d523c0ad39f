//! Chunked bodies (RFC 9112 §7.1): a strict decoder that works on whatever slices arrive.

use std::fmt;
use std::ops::Range;

use crate::{FieldName, Fields, MAX_FIELDS, is_token_byte};

/// Why a chunked body was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChunkError {
    /// A chunk size is missing, not plain hexadecimal, or longer than 16 digits.
    Size,
    /// A chunk extension is malformed.
    Extension,
    /// Extensions of this body take more bytes than [`ChunkDecoder::EXTENSION_BUDGET`].
    ExtensionsTooLarge,
    /// A line does not end in CRLF, or data is not followed by one.
    LineEnd,
    /// A trailer field line is malformed.
    Trailer,
    /// Trailers take more bytes than [`ChunkDecoder::TRAILER_BUDGET`], or are more than [`MAX_FIELDS`].
    TrailersTooLarge,
}

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "a chunk size is not plain hexadecimal",
            Self::Extension => "a chunk extension is malformed",
            Self::ExtensionsTooLarge => "the chunk extensions of this body are too large",
            Self::LineEnd => "a chunk line does not end in CRLF",
            Self::Trailer => "a trailer field is malformed",
            Self::TrailersTooLarge => "the trailers are too large",
        })
    }
}

impl std::error::Error for ChunkError {}

/// What a call of [`ChunkDecoder::decode`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkStep {
    /// `consumed` bytes are done with; the content found is at `data` within them.
    Data {
        /// Bytes of the input that are done with.
        consumed: usize,
        /// The content among them.
        data: Range<usize>,
    },
    /// All bytes given are done with and held no content; more are needed.
    NeedMore,
    /// The body ended; `consumed` bytes belong to it, the rest is the next message.
    End {
        /// Bytes of the input that belong to the body.
        consumed: usize,
    },
}

/// Reads a chunked body piece by piece. Extensions are checked and dropped; trailers are kept apart.
#[derive(Clone, Debug)]
pub struct ChunkDecoder {
    state: State,
    /// Bytes left in this chunk, or the size read so far.
    size: u64,
    /// Hexadecimal digits read so far.
    digits: u8,
    extension_bytes: usize,
    trailer_line: Vec<u8>,
    trailer_bytes: usize,
    trailer_lines: usize,
    trailers: Fields,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    Extension(Extension),
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailer,
    TrailerLf,
    Ended,
    Refused(ChunkError),
}

/// Where in `;name[=value]` the decoder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    NameStart,
    Name,
    ValueStart,
    Token,
    Quoted,
    QuotedPair,
    QuotedEnd,
}

impl Default for ChunkDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkDecoder {
    /// Bytes that all chunk extensions of one body may take.
    pub const EXTENSION_BUDGET: usize = 16 * 1024;
    /// Bytes that the trailers of one body may take.
    pub const TRAILER_BUDGET: usize = 8 * 1024;
    /// Digits of a chunk size: 16 hexadecimal ones fill 64 bits.
    const MAX_DIGITS: u8 = 16;

    /// A decoder at the start of a body.
    pub fn new() -> Self {
        Self {
            state: State::Size,
            size: 0,
            digits: 0,
            extension_bytes: 0,
            trailer_line: Vec::new(),
            trailer_bytes: 0,
            trailer_lines: 0,
            trailers: Fields::new(),
        }
    }

    /// True once the end of the body was read.
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// The trailers read so far, complete after [`ChunkStep::End`].
    pub fn trailers(&self) -> &Fields {
        &self.trailers
    }

    /// Reads up to the next piece of content or the end. Behind the end nothing is consumed any more.
    ///
    /// # Errors
    /// A [`ChunkError`], and the same one ever after; the connection cannot be reused then.
    pub fn decode(&mut self, src: &[u8]) -> Result<ChunkStep, ChunkError> {
        match self.state {
            State::Ended => return Ok(ChunkStep::End { consumed: 0 }),
            State::Refused(e) => return Err(e),
            _ => {}
        }
        let mut at = 0;
        while let Some(&byte) = src.get(at) {
            if self.state == State::Data {
                let left = usize::try_from(self.size).unwrap_or(usize::MAX);
                let end = at.saturating_add(left).min(src.len());
                self.size -= (end - at) as u64;
                if self.size == 0 {
                    self.state = State::DataCr;
                }
                return Ok(ChunkStep::Data { consumed: end, data: at..end });
            }
            at += 1;
            if let Err(e) = self.step(byte) {
                self.state = State::Refused(e);
                return Err(e);
            }
            if self.state == State::Ended {
                return Ok(ChunkStep::End { consumed: at });
            }
        }
        Ok(ChunkStep::NeedMore)
    }

    fn step(&mut self, byte: u8) -> Result<(), ChunkError> {
        self.state = match (self.state, byte) {
            (State::Size, b'\r') if self.digits > 0 => State::SizeLf,
            (State::Size, b';') if self.digits > 0 => State::Extension(Extension::NameStart),
            (State::Size, _) => self.size_digit(byte)?,
            (State::Extension(e), _) => self.extension(e, byte)?,
            (State::SizeLf, b'\n') if self.size == 0 => State::Trailer,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.digits = 0;
                State::Size
            }
            (State::SizeLf | State::DataCr | State::DataLf, _) => return Err(ChunkError::LineEnd),
            (State::Trailer, _) => self.trailer_byte(byte)?,
            (State::TrailerLf, b'\n') => self.trailer_line_ended()?,
            (State::TrailerLf, _) => return Err(ChunkError::LineEnd),
            (state @ (State::Data | State::Ended | State::Refused(_)), _) => state,
        };
        Ok(())
    }

    fn size_digit(&mut self, byte: u8) -> Result<State, ChunkError> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\n' => return Err(ChunkError::LineEnd),
            _ => return Err(ChunkError::Size),
        };
        if self.digits == Self::MAX_DIGITS {
            return Err(ChunkError::Size);
        }
        self.size = if self.digits == 0 { 0 } else { self.size << 4 } | u64::from(digit);
        self.digits += 1;
        Ok(State::Size)
    }

    /// `*( ";" name [ "=" ( token / quoted-string ) ] )`, without the optional whitespace that RFC 9112 calls bad.
    fn extension(&mut self, at: Extension, byte: u8) -> Result<State, ChunkError> {
        self.extension_bytes += 1;
        if self.extension_bytes > Self::EXTENSION_BUDGET {
            return Err(ChunkError::ExtensionsTooLarge);
        }
        let next = match (at, byte) {
            (Extension::NameStart | Extension::Name, b) if is_token_byte(b) => Extension::Name,
            (Extension::Name, b'=') => Extension::ValueStart,
            (Extension::ValueStart, b'"') => Extension::Quoted,
            (Extension::ValueStart | Extension::Token, b) if is_token_byte(b) => Extension::Token,
            (Extension::Quoted, b'"') => Extension::QuotedEnd,
            (Extension::Quoted, b'\\') => Extension::QuotedPair,
            (Extension::Quoted | Extension::QuotedPair, b) if b == b'\t' || (b >= 0x20 && b != 0x7f) => {
                Extension::Quoted
            }
            (Extension::Name | Extension::Token | Extension::QuotedEnd, b';') => Extension::NameStart,
            (Extension::Name | Extension::Token | Extension::QuotedEnd, b'\r') => return Ok(State::SizeLf),
            (_, b'\n') => return Err(ChunkError::LineEnd),
            _ => return Err(ChunkError::Extension),
        };
        Ok(State::Extension(next))
    }

    fn trailer_byte(&mut self, byte: u8) -> Result<State, ChunkError> {
        self.trailer_bytes += 1;
        match byte {
            b'\r' => Ok(State::TrailerLf),
            b'\n' => Err(ChunkError::LineEnd),
            _ if self.trailer_bytes > Self::TRAILER_BUDGET => Err(ChunkError::TrailersTooLarge),
            _ => {
                self.trailer_line.push(byte);
                Ok(State::Trailer)
            }
        }
    }

    fn trailer_line_ended(&mut self) -> Result<State, ChunkError> {
        if self.trailer_line.is_empty() {
            return Ok(State::Ended);
        }
        let colon = memchr::memchr(b':', &self.trailer_line).ok_or(ChunkError::Trailer)?;
        let (name, value) = self.trailer_line.split_at(colon);
        let value = trim_blanks(value.get(1..).unwrap_or_default());
        if !crate::valid_name(name) || !crate::valid_value(value) {
            return Err(ChunkError::Trailer);
        }
        self.trailer_lines += 1;
        if self.trailer_lines > MAX_FIELDS {
            return Err(ChunkError::TrailersTooLarge);
        }
        if may_be_trailer(name) {
            self.trailers.append_named(name, value);
        }
        self.trailer_line.clear();
        Ok(State::Trailer)
    }
}

/// Without the spaces and tabs around it; other control bytes stay, to be refused.
fn trim_blanks(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// False for fields that must not come as trailers, because by then they were already acted upon (RFC 9110 §6.5.1).
pub fn may_be_trailer(name: &[u8]) -> bool {
    let id = FieldName::of(name);
    let framing_routing_or_identity = matches!(
        id,
        FieldName::CONTENT_LENGTH
            | FieldName::HOST
            | FieldName::AUTHORIZATION
            | FieldName::CONTENT_ENCODING
            | FieldName::CONTENT_TYPE
            | FieldName::CONTENT_RANGE
            | FieldName::CACHE_CONTROL
            | FieldName::EXPECT
            | FieldName::RANGE
            | FieldName::COOKIE
            | FieldName::SET_COOKIE
            | FieldName::FORWARDED
            | FieldName::X_FORWARDED_FOR
            | FieldName::X_FORWARDED_HOST
            | FieldName::X_FORWARDED_PORT
            | FieldName::X_FORWARDED_PREFIX
            | FieldName::X_FORWARDED_PROTO
            | FieldName::X_FORWARDED_SERVER
            | FieldName::X_REAL_IP
            | FieldName::X_REQUEST_ID
    );
    !framing_routing_or_identity
        && !FieldName::HOP_BY_HOP.contains(id)
        && memchr::memchr(b'_', name).is_none()
}
