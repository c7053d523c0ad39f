//! Content coming in: finds it in a read buffer, whatever its framing.

use menshen_http1::{ChunkDecoder, ChunkError, Fields, RequestFraming, ResponseFraming};

use crate::buffer::Buffer;

/// What stands at the front of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Content: [`Inbound::ready`] bytes.
    Data,
    /// Nothing yet; read more.
    NeedMore,
    /// The content is over; what follows in the buffer is another message.
    End,
}

#[derive(Debug)]
enum Framing {
    Length(u64),
    Chunked(Box<ChunkDecoder>),
    UntilClose,
    Ended,
}

/// The content of one message on its way in.
#[derive(Debug)]
pub(crate) struct Inbound {
    framing: Framing,
    ready: usize,
}

impl Inbound {
    /// No content.
    pub(crate) const NONE: Self = Self { framing: Framing::Ended, ready: 0 };

    pub(crate) fn of_request(framing: RequestFraming) -> Self {
        let framing = match framing {
            RequestFraming::None | RequestFraming::Length(0) => Framing::Ended,
            RequestFraming::Length(n) => Framing::Length(n),
            RequestFraming::Chunked => Framing::Chunked(Box::default()),
        };
        Self { framing, ready: 0 }
    }

    pub(crate) fn of_response(framing: ResponseFraming) -> Self {
        let framing = match framing {
            ResponseFraming::None | ResponseFraming::Length(0) => Framing::Ended,
            ResponseFraming::Length(n) => Framing::Length(n),
            ResponseFraming::Chunked => Framing::Chunked(Box::default()),
            ResponseFraming::UntilClose => Framing::UntilClose,
        };
        Self { framing, ready: 0 }
    }

    /// True when all content was taken.
    pub(crate) fn is_ended(&self) -> bool {
        matches!(self.framing, Framing::Ended)
    }

    /// Bytes still to come, where the length is known.
    pub(crate) fn left(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(n) => Some(n),
            Framing::Ended => Some(0),
            Framing::Chunked(_) | Framing::UntilClose => None,
        }
    }

    /// Content bytes at the front of the buffer.
    pub(crate) fn ready(&self) -> usize {
        self.ready
    }

    /// The trailers of a chunked body that has ended are kept by the caller through this.
    pub(crate) fn advance(
        &mut self,
        buffer: &mut Buffer,
        trailers: &mut Option<Fields>,
    ) -> Result<Next, ChunkError> {
        if self.ready > 0 {
            return Ok(Next::Data);
        }
        match &mut self.framing {
            Framing::Ended => return Ok(Next::End),
            Framing::Length(left) => {
                self.ready = buffer.len().min(usize::try_from(*left).unwrap_or(usize::MAX))
            }
            Framing::UntilClose => self.ready = buffer.len(),
            Framing::Chunked(decoder) => {
                self.ready = find_chunk_data(decoder, buffer)?;
                if decoder.is_ended() {
                    if !decoder.trailers().is_empty() {
                        *trailers = Some(decoder.trailers().clone());
                    }
                    self.framing = Framing::Ended;
                    return Ok(Next::End);
                }
            }
        }
        Ok(if self.ready > 0 { Next::Data } else { Next::NeedMore })
    }

    /// `n` bytes of content were used.
    pub(crate) fn consume(&mut self, buffer: &mut Buffer, n: usize) {
        let n = n.min(self.ready);
        self.ready -= n;
        buffer.consume(n);
        if let Framing::Length(left) = &mut self.framing {
            *left = left.saturating_sub(n as u64);
            if *left == 0 {
                self.framing = Framing::Ended;
            }
        }
    }

    /// The sender closed. True when that is a proper end.
    pub(crate) fn close(&mut self) -> bool {
        if matches!(self.framing, Framing::UntilClose) {
            self.framing = Framing::Ended;
        }
        self.is_ended()
    }
}

/// Drops chunk lines from the front of the buffer; the result is how much data then stands there.
fn find_chunk_data(decoder: &mut ChunkDecoder, buffer: &mut Buffer) -> Result<usize, ChunkError> {
    use menshen_http1::ChunkStep;
    match decoder.decode(buffer.data())? {
        ChunkStep::Data { data, .. } => {
            buffer.consume(data.start);
            Ok(data.len())
        }
        ChunkStep::NeedMore => {
            buffer.consume(buffer.len());
            Ok(0)
        }
        ChunkStep::End { consumed } => {
            buffer.consume(consumed);
            Ok(0)
        }
    }
}
