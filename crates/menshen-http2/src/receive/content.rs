//! Content (RFC 9113 §6.1), and the ends of messages.

use crate::frame::{self, FrameHead, flag};
use crate::streams::{End, Known, Side};
use crate::{Code, Connection, Flaw, Lane, Receiver, Role};

/// A DATA frame of which a part is still to come.
#[derive(Debug, Default)]
pub(crate) struct Content {
    stream: u32,
    left: usize,
    padding: usize,
    ends: bool,
}

impl Content {
    pub(super) fn is_open(&self) -> bool {
        self.left > 0 || self.padding > 0
    }
}

impl<L: Lane> Connection<L> {
    /// DATA begins (RFC 9113 §6.1). All of it counts against the windows, with its padding.
    pub(super) fn data<R: Receiver<Lane = L>>(
        &mut self,
        head: &FrameHead,
        pad: Option<usize>,
        receiver: &mut R,
    ) -> Result<(), Code> {
        let around = pad.map_or(0, |pad| pad + 1);
        let left = head.length.checked_sub(around).ok_or(Code::PROTOCOL_ERROR)?;
        self.receive_window -= head.length as i64;
        if self.receive_window < 0 {
            return Err(Code::FLOW_CONTROL_ERROR);
        }
        match self.streams.known(head.stream) {
            Known::Open(Side::Open | Side::CutShort) | Known::Past(End::ByUs) => {}
            // We may have taken back any number of requests since, and must not lose the others for it.
            Known::Forgotten if self.role == Role::Client => {}
            Known::Idle => return Err(Code::PROTOCOL_ERROR),
            Known::Open(Side::Ended) | Known::Past(End::ByPeer) | Known::Forgotten => {
                return Err(Code::STREAM_CLOSED);
            }
        }
        if let Some(stream) = self.streams.get(head.stream).filter(|s| s.inward == Side::Open) {
            stream.receive_window -= head.length as i64;
            stream.held += u32::try_from(head.length).unwrap_or(u32::MAX);
            if stream.receive_window < 0 {
                return Err(Code::FLOW_CONTROL_ERROR);
            }
            // Content before the head of a response (RFC 9113 §8.1).
            if self.role == Role::Client && !stream.has_head {
                return Err(Code::PROTOCOL_ERROR);
            }
            self.used(head.stream, around);
        } else {
            self.used_of_all(u32::try_from(head.length).unwrap_or(u32::MAX));
        }
        let ends = head.has(flag::END_STREAM);
        self.content = Content { stream: head.stream, left, padding: pad.unwrap_or(0), ends };
        if self.content.is_open() { Ok(()) } else { self.content_ends(receiver) }
    }

    /// Goes on in the payload of a DATA frame; the result is how far.
    pub(super) fn content<R: Receiver<Lane = L>>(
        &mut self,
        bytes: &[u8],
        receiver: &mut R,
    ) -> Result<usize, Code> {
        let id = self.content.stream;
        let n = self.content.left.min(bytes.len());
        if let (Some(piece), true) = (bytes.get(..n), n > 0) {
            self.content.left -= n;
            if let Some(stream) = self.streams.get(id).filter(|s| s.inward == Side::Open) {
                match receiver.content(&mut stream.lane, piece) {
                    Ok(()) => stream.lane.wake(),
                    Err(flaw) => {
                        let ends = self.content.ends;
                        self.flawed(id, flaw, ends, receiver)?;
                    }
                }
            }
        }
        let padding = self.content.padding.min(bytes.len() - n);
        self.content.padding -= padding;
        if !self.content.is_open() {
            self.content_ends(receiver)?;
        }
        Ok(n + padding)
    }

    fn content_ends<R: Receiver<Lane = L>>(&mut self, receiver: &mut R) -> Result<(), Code> {
        let Content { stream, ends, .. } = std::mem::take(&mut self.content);
        match ends.then(|| self.ended(stream, receiver)) {
            Some(Err(flaw)) => self.flawed(stream, flaw, true, receiver),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// The peer has sent all of its message.
    pub(super) fn ended<R: Receiver<Lane = L>>(&mut self, id: u32, receiver: &mut R) -> Result<(), Flaw> {
        let Some(stream) = self.streams.get(id).filter(|s| s.inward == Side::Open) else { return Ok(()) };
        stream.inward = Side::Ended;
        let fine = receiver.end(&mut stream.lane);
        stream.lane.wake();
        if stream.outward == Side::Ended && self.role == Role::Server {
            self.remove(id);
        }
        fine
    }

    /// A message makes no sense.
    pub(super) fn flawed<R: Receiver<Lane = L>>(
        &mut self,
        id: u32,
        flaw: Flaw,
        ends: bool,
        receiver: &mut R,
    ) -> Result<(), Code> {
        let code = match flaw {
            Flaw::Connection(code) => return Err(code),
            Flaw::Stream(code) => code,
        };
        if code.blames() && !self.meter.provoked() {
            return Err(Code::ENHANCE_YOUR_CALM);
        }
        frame::reset(&mut self.out, id, code);
        if self.streams.get(id).is_none() {
            self.streams.remember(id, if ends { End::ByPeer } else { End::ByUs });
        }
        self.cut(id, code, receiver);
        Ok(())
    }

    /// Nothing more comes or goes on a stream. A stream of ours stays until whoever opened it has seen why.
    pub(super) fn cut<R: Receiver<Lane = L>>(&mut self, id: u32, code: Code, receiver: &mut R) {
        self.yield_turn(id);
        match (self.role, self.streams.get(id)) {
            (_, None) => {}
            (Role::Client, Some(stream)) => {
                if stream.inward == Side::Open {
                    stream.inward = Side::CutShort;
                }
                stream.outward = Side::Ended;
                receiver.reset(&mut stream.lane, code);
                stream.lane.wake();
            }
            (Role::Server, Some(_)) => {
                if let Some(mut stream) = self.remove(id) {
                    stream.lane.wake();
                }
            }
        }
    }
}
