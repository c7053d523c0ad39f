//! One encoder per reply. It gives out what it has after every piece, so that streams keep flowing, and keeps no more
//! than its window.

use std::io::{self, Write};

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use menshen_proxy::{Failure, Transform};
use zstd::stream::write::Encoder as ZstdEncoder;

use super::Levels;
use super::coding::Coding;

/// The window of brotli and zstd, as a power of two: 256 KiB. (gzip has 32 KiB.)
const WINDOW: u8 = 18;
/// What brotli writes at a time.
const BUFFER: usize = 4096;

/// When what is encoded is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flush {
    /// After every piece: the next may come much later.
    EachPiece,
    /// At the end: all of it is here.
    AtEnd,
}

/// Encodes the content of a reply.
pub(super) struct Encoding {
    coding: Coding,
    levels: Levels,
    flush: Flush,
    /// Made when the first piece comes.
    encoder: Option<Encoder>,
}

enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Br(Box<CompressorWriter<Vec<u8>>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

impl Encoding {
    pub(super) fn new(coding: Coding, levels: Levels, flush: Flush) -> Self {
        Self { coding, levels, flush, encoder: None }
    }

    fn take(&mut self) -> io::Result<Encoder> {
        match self.encoder.take() {
            Some(encoder) => Ok(encoder),
            None => Encoder::new(self.coding, self.levels),
        }
    }

    fn encode(&mut self, piece: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let mut encoder = self.take()?;
        encoder.write(piece, self.flush)?;
        out.append(encoder.output());
        self.encoder = Some(encoder);
        Ok(())
    }
}

impl Transform for Encoding {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        if piece.is_empty() {
            return Ok(());
        }
        self.encode(piece, out).map_err(|_| Failure::FilterFailed)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let rest = self.take().and_then(Encoder::finish);
        out.append(&mut rest.map_err(|_| Failure::FilterFailed)?);
        Ok(())
    }
}

impl Encoder {
    fn new(coding: Coding, levels: Levels) -> io::Result<Self> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::new(u32::from(levels.gzip)))),
            Coding::Br => {
                let (level, window) = (u32::from(levels.br), u32::from(WINDOW));
                Self::Br(Box::new(CompressorWriter::new(Vec::new(), BUFFER, level, window)))
            }
            Coding::Zstd => {
                let mut encoder = ZstdEncoder::new(Vec::new(), i32::from(levels.zstd))?;
                encoder.window_log(u32::from(WINDOW))?;
                Self::Zstd(encoder)
            }
        })
    }

    fn write(&mut self, piece: &[u8], flush: Flush) -> io::Result<()> {
        let writer: &mut dyn Write = match self {
            Self::Gzip(e) => e,
            Self::Br(e) => e,
            Self::Zstd(e) => e,
        };
        writer.write_all(piece)?;
        if flush == Flush::EachPiece { writer.flush() } else { Ok(()) }
    }

    fn output(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Gzip(e) => e.get_mut(),
            Self::Br(e) => e.get_mut(),
            Self::Zstd(e) => e.get_mut(),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(e) => e.finish(),
            Self::Br(e) => Ok(e.into_inner()),
            Self::Zstd(e) => e.finish(),
        }
    }
}
