//! A second decoder of chunked bodies, written from the grammar of RFC 9112 §7.1 by recursive descent over the
//! whole input; the decoder under test is a state machine over pieces. It is shared with the fuzz targets.

use menshen_http1::{ChunkDecoder, ChunkError, ChunkStep, MAX_FIELDS};

/// What became of some input.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The body ended after `len` bytes.
    Whole { content: Vec<u8>, trailer_lines: usize, len: usize },
    /// All of the input may be the start of a body with this content.
    Unfinished { content: Vec<u8> },
    /// No body starts like this.
    Refused,
}

enum Stop {
    Unfinished,
    Refused,
}

struct Reader<'a> {
    src: &'a [u8],
    at: usize,
    content: Vec<u8>,
    extensions: usize,
}

/// `chunked-body = *chunk last-chunk trailer-section CRLF`
pub fn decode_by_grammar(src: &[u8]) -> Outcome {
    let mut reader = Reader { src, at: 0, content: Vec::new(), extensions: 0 };
    match reader.body() {
        Ok(trailer_lines) => Outcome::Whole { content: reader.content, trailer_lines, len: reader.at },
        Err(Stop::Unfinished) => Outcome::Unfinished { content: reader.content },
        Err(Stop::Refused) => Outcome::Refused,
    }
}

impl<'a> Reader<'a> {
    fn body(&mut self) -> Result<usize, Stop> {
        loop {
            let size = self.size()?;
            self.extensions()?;
            self.crlf()?;
            if size == 0 {
                return self.trailers();
            }
            let there = (self.src.len() - self.at) as u64;
            let taken = there.min(size) as usize;
            self.content.extend_from_slice(&self.src[self.at..self.at + taken]);
            self.at += taken;
            self.crlf()?;
        }
    }

    fn size(&mut self) -> Result<u64, Stop> {
        let digits = self.while_true(|b| b.is_ascii_hexdigit());
        match std::str::from_utf8(digits).map(|d| (d.len(), u64::from_str_radix(d, 16))) {
            Ok((1..=16, Ok(size))) => Ok(size),
            Ok((0, _)) if self.at == self.src.len() => Err(Stop::Unfinished),
            _ => Err(Stop::Refused),
        }
    }

    fn extensions(&mut self) -> Result<(), Stop> {
        let from = self.at + 1;
        while self.peek()? == b';' {
            self.at += 1;
            self.token(from)?;
            if self.peek_within(from)? == b'=' {
                self.at += 1;
                if self.peek_within(from)? == b'"' { self.quoted(from)? } else { self.token(from)? }
            }
            self.peek_within(from)?;
        }
        self.extensions += (self.at + 1).saturating_sub(from);
        Ok(())
    }

    fn token(&mut self, from: usize) -> Result<(), Stop> {
        let token = self.while_true(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        self.peek_within(from)?;
        if token.is_empty() { Err(Stop::Refused) } else { Ok(()) }
    }

    fn quoted(&mut self, from: usize) -> Result<(), Stop> {
        self.at += 1;
        loop {
            let mut byte = self.peek_within(from)?;
            self.at += 1;
            match byte {
                b'"' => return Ok(()),
                b'\\' => {
                    byte = self.peek_within(from)?;
                    self.at += 1;
                }
                _ => {}
            }
            if byte != b'\t' && (byte < b' ' || byte == 0x7f) {
                return Err(Stop::Refused);
            }
        }
    }

    fn trailers(&mut self) -> Result<usize, Stop> {
        let (mut lines, mut bytes) = (0, 0);
        loop {
            let line = self.while_true(|b| b != b'\r' && b != b'\n');
            if !line.is_empty() && bytes + line.len() > ChunkDecoder::TRAILER_BUDGET {
                return Err(Stop::Refused);
            }
            bytes += line.len() + 1;
            self.crlf()?;
            if line.is_empty() {
                return Ok(lines);
            }
            lines += 1;
            let as_head = [b"x\r\n", line, b"\r\n\r\n"].concat();
            if super::head_reference::read_plainly(&as_head).is_none() || lines > MAX_FIELDS {
                return Err(Stop::Refused);
            }
        }
    }

    fn crlf(&mut self) -> Result<(), Stop> {
        for expected in *b"\r\n" {
            if self.peek()? != expected {
                return Err(Stop::Refused);
            }
            self.at += 1;
        }
        Ok(())
    }

    fn peek(&self) -> Result<u8, Stop> {
        self.src.get(self.at).copied().ok_or(Stop::Unfinished)
    }

    /// The next byte, which is within an extension that started at `from`.
    fn peek_within(&self, from: usize) -> Result<u8, Stop> {
        let spent = |to: usize| self.extensions + to.saturating_sub(from) > ChunkDecoder::EXTENSION_BUDGET;
        let next = self.peek();
        if spent(self.at + usize::from(next.is_ok())) { Err(Stop::Refused) } else { next }
    }

    fn while_true(&mut self, holds: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = &self.src[self.at..];
        let len = rest.iter().position(|b| !holds(*b)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }
}

/// Feeds pieces to the decoder under test, as a connection would, and checks what every step must keep.
pub fn decode_in_pieces<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (ChunkDecoder, Result<Outcome, ChunkError>) {
    let mut decoder = ChunkDecoder::new();
    let (mut content, mut len) = (Vec::new(), 0);
    for mut piece in pieces {
        loop {
            match decoder.decode(piece) {
                Err(e) => {
                    assert_eq!(decoder.decode(b"0\r\n\r\n"), Err(e), "a refused body stays refused");
                    assert!(!decoder.is_ended());
                    return (decoder, Err(e));
                }
                Ok(ChunkStep::NeedMore) => {
                    len += piece.len();
                    break;
                }
                Ok(ChunkStep::Data { consumed, data }) => {
                    assert!(!data.is_empty() && data.end <= consumed && consumed <= piece.len());
                    content.extend_from_slice(&piece[data]);
                    len += consumed;
                    piece = &piece[consumed..];
                }
                Ok(ChunkStep::End { consumed }) => {
                    assert!(decoder.is_ended());
                    assert_eq!(decoder.decode(b"GET /"), Ok(ChunkStep::End { consumed: 0 }));
                    let trailer_lines = decoder.trailers().len();
                    return (decoder, Ok(Outcome::Whole { content, trailer_lines, len: len + consumed }));
                }
            }
        }
    }
    assert!(!decoder.is_ended());
    (decoder, Ok(Outcome::Unfinished { content }))
}
