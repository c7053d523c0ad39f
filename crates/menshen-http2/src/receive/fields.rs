//! Field blocks (RFC 9113 §4.3, §6.2, §6.10): requests, responses, trailers.

use super::depends_on_itself;
use crate::frame::{self, FrameHead, flag};
use crate::streams::{End, Known, Side};
use crate::{Block, Code, Connection, Flaw, Lane, Receiver, Role, Stage};

/// Streams that are refused because too many are open, before the connection ends.
const REFUSALS: u32 = 64;
/// Bytes in front of a field block when it has a priority (RFC 9113 §6.2).
pub(super) const PRIORITY: usize = 5;

/// A field block that has not come as a whole.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    open: Option<Fragment>,
}

#[derive(Debug)]
struct Fragment {
    stream: u32,
    ends: bool,
    what: Expected,
    bytes: Vec<u8>,
}

impl Fragments {
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The stream whose block is not complete.
    pub(super) fn stream(&self) -> Option<u32> {
        self.open.as_ref().map(|fragment| fragment.stream)
    }
}

/// What a field block on a stream can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Block(Block),
    /// It is decoded for the sake of the table and nobody looks at it.
    Nothing,
}

impl<L: Lane> Connection<L> {
    pub(super) fn headers<R: Receiver<Lane = L>>(
        &mut self,
        head: &FrameHead,
        payload: &[u8],
        receiver: &mut R,
    ) -> Result<(), Code> {
        let padded = usize::from(head.has(flag::PADDED));
        let before = padded + if head.has(flag::PRIORITY) { PRIORITY } else { 0 };
        let (prefix, rest) = payload.split_at_checked(before).ok_or(Code::FRAME_SIZE_ERROR)?;
        let pad = if padded > 0 { prefix.first().map_or(0, |pad| usize::from(*pad)) } else { 0 };
        let end = rest.len().checked_sub(pad).ok_or(Code::PROTOCOL_ERROR)?;
        if depends_on_itself(head, prefix.get(padded..).unwrap_or_default()) {
            return Err(Code::PROTOCOL_ERROR);
        }
        let block = rest.get(..end).unwrap_or_default();
        let ends = head.has(flag::END_STREAM);
        let what = self.expected(head.stream, ends)?;
        if head.has(flag::END_HEADERS) {
            return self.block(head.stream, what, ends, block, receiver);
        }
        let bytes = block.to_vec();
        self.fragments.open = Some(Fragment { stream: head.stream, ends, what, bytes });
        Ok(())
    }

    pub(super) fn continuation<R: Receiver<Lane = L>>(
        &mut self,
        head: &FrameHead,
        payload: &[u8],
        receiver: &mut R,
    ) -> Result<(), Code> {
        let Some(mut fragment) = self.fragments.open.take() else { return Err(Code::PROTOCOL_ERROR) };
        if fragment.bytes.len() + payload.len() > self.offer.block {
            return Err(Code::ENHANCE_YOUR_CALM);
        }
        fragment.bytes.extend_from_slice(payload);
        if head.has(flag::END_HEADERS) {
            return self.block(fragment.stream, fragment.what, fragment.ends, &fragment.bytes, receiver);
        }
        self.fragments.open = Some(fragment);
        Ok(())
    }

    /// What a field block on this stream can be (RFC 9113 §5.1, §8.1).
    fn expected(&mut self, id: u32, ends: bool) -> Result<Expected, Code> {
        match (self.role, self.streams.known(id)) {
            (Role::Server, Known::Idle) if id.is_multiple_of(2) => Err(Code::PROTOCOL_ERROR),
            (Role::Server, Known::Idle) => {
                self.streams.last = id;
                if matches!(self.stage, Stage::Open | Stage::Leaving) {
                    self.last_taken = id;
                    return Ok(Expected::Block(Block::Request));
                }
                self.streams.remember(id, End::ByUs);
                Ok(Expected::Nothing)
            }
            (Role::Server, Known::Open(Side::Open)) if ends => Ok(Expected::Block(Block::Trailers)),
            (Role::Client, Known::Open(Side::Open)) => {
                let has_head = self.streams.get(id).is_some_and(|s| s.has_head);
                match (has_head, ends) {
                    (false, _) => Ok(Expected::Block(Block::Response)),
                    (true, true) => Ok(Expected::Block(Block::Trailers)),
                    (true, false) => Err(Code::PROTOCOL_ERROR),
                }
            }
            (_, Known::Open(Side::CutShort) | Known::Past(End::ByUs)) => Ok(Expected::Nothing),
            (Role::Client, Known::Forgotten) => Ok(Expected::Nothing),
            (_, Known::Open(Side::Ended) | Known::Past(End::ByPeer)) => Err(Code::STREAM_CLOSED),
            // Trailers that are not the end, or a number that was passed over.
            (_, Known::Open(Side::Open) | Known::Idle | Known::Forgotten) => Err(Code::PROTOCOL_ERROR),
        }
    }

    /// A field block is complete.
    fn block<R: Receiver<Lane = L>>(
        &mut self,
        id: u32,
        what: Expected,
        ends: bool,
        block: &[u8],
        receiver: &mut R,
    ) -> Result<(), Code> {
        let is_one_too_many = what == Expected::Block(Block::Request)
            && self.streams.len() >= usize::try_from(self.offer.streams).unwrap_or(usize::MAX);
        let Expected::Block(what) = what else { return self.skip(block) };
        if is_one_too_many {
            self.skip(block)?;
            return self.refuse(id, ends);
        }
        receiver.begin(what);
        self.decoder
            .decode(block, &mut |field| receiver.field(field))
            .map_err(|_| Code::COMPRESSION_ERROR)?;
        let taken = match what {
            Block::Request => receiver.request(id, ends).map(|lane| {
                self.insert(id, if ends { Side::Ended } else { Side::Open }, lane);
            }),
            Block::Response => self.response(id, ends, receiver),
            Block::Trailers => match self.streams.get(id) {
                Some(stream) => receiver.trailers(&mut stream.lane).and_then(|()| self.ended(id, receiver)),
                None => Ok(()),
            },
        };
        match taken {
            Ok(()) => Ok(()),
            Err(flaw) => self.flawed(id, flaw, ends, receiver),
        }
    }

    fn response<R: Receiver<Lane = L>>(&mut self, id: u32, ends: bool, receiver: &mut R) -> Result<(), Flaw> {
        let Some(stream) = self.streams.get(id) else { return Ok(()) };
        let is_interim = receiver.response(&mut stream.lane, ends)?;
        stream.has_head = !is_interim;
        match (is_interim, ends) {
            (true, true) => Err(Flaw::Stream(Code::PROTOCOL_ERROR)),
            (false, true) => self.ended(id, receiver),
            (_, false) => {
                stream.lane.wake();
                Ok(())
            }
        }
    }

    /// Decodes a block that nobody looks at: the table must know what the peer knows.
    fn skip(&mut self, block: &[u8]) -> Result<(), Code> {
        self.decoder.decode(block, &mut |_| {}).map_err(|_| Code::COMPRESSION_ERROR)
    }

    /// There are too many streams (RFC 9113 §5.1.2).
    fn refuse(&mut self, id: u32, ends: bool) -> Result<(), Code> {
        self.refused += 1;
        if self.refused > REFUSALS {
            return Err(Code::ENHANCE_YOUR_CALM);
        }
        frame::reset(&mut self.out, id, Code::REFUSED_STREAM);
        self.streams.remember(id, if ends { End::ByPeer } else { End::ByUs });
        Ok(())
    }
}
