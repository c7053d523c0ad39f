//! What a client must not send (RFC 9113 §4 to §6), told by frame headers and the first bytes of payloads. Every offence
//! ends the connection, also where the RFC would be content with the stream: who makes us reset streams makes us work
//! for nothing (CVE-2025-8671), and no client that works ever does these things.

use ::h2::Reason;

use super::field_block::FieldBlock;
use super::frames::{Head, REST, flag, kind};
use super::streams::{MAX_WINDOW, Streams};

/// The largest frame, which we never offer to change (RFC 9113 §6.5.2).
const MAX_FRAME: usize = 16_384;
/// The largest frame that anybody may offer.
const LARGEST_FRAME: u32 = (1 << 24) - 1;
/// Bytes of one setting.
const SETTING: usize = 6;
/// So many times the fields that a request may have are an attack (CVE-2026-47774).
const ABUSE: u32 = 4;
/// Bytes in front of a field block when it has a priority (RFC 9113 §6.2).
const PRIORITY: usize = 5;

type Judgement = Result<(), Reason>;

/// Judges the frames of a client in their order.
#[derive(Debug)]
pub(super) struct Rules {
    greeted: bool,
    acknowledged: bool,
    /// The stream whose field block is not complete.
    open_block: Option<u32>,
    block: FieldBlock,
    /// Bytes of it that are still to come in the frame at hand, once that is known.
    left: Option<usize>,
    /// The block is a trailer section.
    is_trailers: bool,
    /// More fields than this are not even refused.
    most_fields: u32,
    pub(super) streams: Streams,
}

impl Rules {
    /// For a client that may have this many requests under way, each with so many fields.
    pub(super) fn new(streams: u32, fields: usize) -> Self {
        Self {
            greeted: false,
            acknowledged: false,
            open_block: None,
            block: FieldBlock::default(),
            left: None,
            is_trailers: false,
            most_fields: u32::try_from(fields).unwrap_or(u32::MAX).saturating_mul(ABUSE),
            streams: Streams::new(streams),
        }
    }

    /// Judges a frame by its header; the result is how much of its payload must be seen.
    pub(super) fn begins(&mut self, head: &Head) -> Result<usize, Reason> {
        if head.length > MAX_FRAME {
            return Err(Reason::FRAME_SIZE_ERROR);
        }
        self.order(head)?;
        place(head)?;
        size(head)?;
        match head.kind {
            kind::DATA => {
                self.streams.data(head.stream, head.has(flag::END_STREAM))?;
                Ok(usize::from(head.has(flag::PADDED)))
            }
            kind::HEADERS => self.headers(head),
            kind::RST_STREAM => self.streams.reset(head.stream).map(|()| 0),
            kind::SETTINGS if head.has(flag::ACK) => self.acknowledge().map(|()| 0),
            kind::SETTINGS => Ok(SETTING),
            kind::PRIORITY => Ok(4),
            kind::WINDOW_UPDATE if head.stream != 0 && self.streams.is_idle(head.stream) => {
                Err(Reason::PROTOCOL_ERROR)
            }
            kind::WINDOW_UPDATE => Ok(4),
            kind::CONTINUATION => self.start_fragment(head, head.length).map(|()| REST),
            // Only servers promise.
            kind::PUSH_PROMISE => Err(Reason::PROTOCOL_ERROR),
            _ => Ok(0),
        }
    }

    /// Judges a part of the payload; the result is the size of the next.
    pub(super) fn part(&mut self, head: &Head, part: &[u8]) -> Result<usize, Reason> {
        match (head.kind, part) {
            (kind::DATA, [pad]) if usize::from(*pad) >= head.length => Err(Reason::PROTOCOL_ERROR),
            (kind::HEADERS | kind::CONTINUATION, part) => {
                match self.left {
                    Some(left) => self.fragment(head, part, left)?,
                    None => self.before_fragment(head, part)?,
                }
                Ok(REST)
            }
            (kind::PRIORITY, part) if is_own(head, part) => Err(Reason::PROTOCOL_ERROR),
            (kind::WINDOW_UPDATE, part) => match number(part) & MAX_WINDOW {
                0 => Err(Reason::PROTOCOL_ERROR),
                bytes => self.streams.opens(head.stream, bytes).map(|()| 0),
            },
            (kind::SETTINGS, [a, b, value @ ..]) => {
                self.setting(u16::from_be_bytes([*a, *b]), number(value)).map(|()| SETTING)
            }
            _ => Ok(0),
        }
    }

    /// SETTINGS come first (RFC 9113 §3.4), and nothing comes within a field block (§4.3).
    fn order(&mut self, head: &Head) -> Judgement {
        let is_greeting = head.kind == kind::SETTINGS && !head.has(flag::ACK);
        self.greeted |= is_greeting;
        let continues = head.kind == kind::CONTINUATION;
        match self.open_block {
            _ if !self.greeted => Err(Reason::PROTOCOL_ERROR),
            None if continues => Err(Reason::PROTOCOL_ERROR),
            Some(stream) if !continues || stream != head.stream => Err(Reason::PROTOCOL_ERROR),
            Some(_) | None => Ok(()),
        }
    }

    fn headers(&mut self, head: &Head) -> Result<usize, Reason> {
        let before = before_block(head);
        if head.length < before {
            return Err(Reason::FRAME_SIZE_ERROR);
        }
        self.is_trailers = self.streams.is_open(head.stream);
        self.streams.headers(head.stream, head.has(flag::END_STREAM))?;
        (self.block, self.left) = (FieldBlock::default(), None);
        if before > 0 {
            return Ok(before);
        }
        self.start_fragment(head, head.length).map(|()| REST)
    }

    /// What stands before the fragment of a field block.
    fn before_fragment(&mut self, head: &Head, before: &[u8]) -> Judgement {
        let (pad, priority) = before.split_at(usize::from(head.has(flag::PADDED)));
        let pad = pad.first().map_or(0, |pad| usize::from(*pad));
        match (head.length - before.len()).checked_sub(pad) {
            Some(n) if !is_own(head, priority) => self.start_fragment(head, n),
            _ => Err(Reason::PROTOCOL_ERROR),
        }
    }

    fn start_fragment(&mut self, head: &Head, length: usize) -> Judgement {
        let is_last = head.has(flag::END_HEADERS);
        self.open_block = (!is_last).then_some(head.stream);
        self.left = Some(length);
        if length == 0 && is_last { self.end_block() } else { Ok(()) }
    }

    /// More of a fragment, or padding.
    fn fragment(&mut self, head: &Head, bytes: &[u8], left: usize) -> Judgement {
        let bytes = bytes.get(..left).unwrap_or(bytes);
        self.left = Some(left - bytes.len());
        self.block.feed(bytes)?;
        if self.block.fields > self.most_fields {
            return Err(Reason::ENHANCE_YOUR_CALM);
        }
        if left > 0 && left == bytes.len() && head.has(flag::END_HEADERS) { self.end_block() } else { Ok(()) }
    }

    fn end_block(&self) -> Judgement {
        self.block.end()?;
        if self.is_trailers && self.block.is_pseudo { Err(Reason::PROTOCOL_ERROR) } else { Ok(()) }
    }

    /// Judges a setting (RFC 9113 §6.5.2, RFC 8441 §3).
    fn setting(&mut self, name: u16, value: u32) -> Judgement {
        const ENABLE_PUSH: u16 = 2;
        const INITIAL_WINDOW_SIZE: u16 = 4;
        const MAX_FRAME_SIZE: u16 = 5;
        const ENABLE_CONNECT_PROTOCOL: u16 = 8;
        let is_frame_size = (MAX_FRAME as u32..=LARGEST_FRAME).contains(&value);
        match name {
            ENABLE_PUSH | ENABLE_CONNECT_PROTOCOL if value > 1 => Err(Reason::PROTOCOL_ERROR),
            INITIAL_WINDOW_SIZE if value > MAX_WINDOW => Err(Reason::FLOW_CONTROL_ERROR),
            MAX_FRAME_SIZE if !is_frame_size => Err(Reason::PROTOCOL_ERROR),
            INITIAL_WINDOW_SIZE => {
                self.streams.start_with_window(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// We sent our settings once, so that one acknowledgement is all there can be.
    fn acknowledge(&mut self) -> Judgement {
        if std::mem::replace(&mut self.acknowledged, true) { Err(Reason::PROTOCOL_ERROR) } else { Ok(()) }
    }
}

/// Bytes of a HEADERS frame before its field block.
fn before_block(head: &Head) -> usize {
    usize::from(head.has(flag::PADDED)) + if head.has(flag::PRIORITY) { PRIORITY } else { 0 }
}

/// Frames belong to a stream or to the connection.
fn place(head: &Head) -> Judgement {
    let is_odd = match head.kind {
        kind::DATA | kind::HEADERS | kind::PRIORITY | kind::RST_STREAM => head.stream == 0,
        kind::SETTINGS | kind::PING | kind::GOAWAY => head.stream != 0,
        _ => false,
    };
    if is_odd { Err(Reason::PROTOCOL_ERROR) } else { Ok(()) }
}

/// Most frames have one size.
fn size(head: &Head) -> Judgement {
    let is_right = match head.kind {
        kind::DATA => head.length > 0 || !head.has(flag::PADDED),
        kind::PRIORITY => head.length == PRIORITY,
        kind::RST_STREAM | kind::WINDOW_UPDATE => head.length == 4,
        kind::SETTINGS if head.has(flag::ACK) => head.length == 0,
        kind::SETTINGS => head.length.is_multiple_of(SETTING),
        kind::PING => head.length == 8,
        kind::GOAWAY => head.length >= 8,
        _ => true,
    };
    if is_right { Ok(()) } else { Err(Reason::FRAME_SIZE_ERROR) }
}

/// True when a stream is to depend on itself (RFC 7540 §5.3.1, which RFC 9113 leaves behind).
fn is_own(head: &Head, dependency: &[u8]) -> bool {
    dependency.get(..4).is_some_and(|id| number(id) & MAX_WINDOW == head.stream)
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |n, b| n << 8 | u32::from(*b))
}

#[cfg(test)]
mod tests {
    use super::super::frames::tests::frame;
    use super::super::frames::{Walker, Watcher};
    use super::*;

    impl Watcher for Rules {
        fn begins(&mut self, head: &Head, _: usize) -> Result<usize, Reason> {
            self.begins(head)
        }

        fn part(&mut self, head: &Head, part: &[u8]) -> Result<usize, Reason> {
            self.part(head, part)
        }
    }

    /// What becomes of these frames after the greeting, an open stream 1 and an ended stream 3.
    fn judged(frames: &[Vec<u8>]) -> Judgement {
        let (mut rules, mut walker) = (Rules::new(100, 100), Walker::default());
        let before = [
            frame(kind::SETTINGS, 0, 0, &[]),
            frame(kind::HEADERS, flag::END_HEADERS, 1, &[0x82]),
            frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 3, &[0x82]),
        ]
        .concat();
        walker.walk(&before, &mut rules).expect("a good start");
        walker.walk(&frames.concat(), &mut rules).map_err(|offence| offence.reason)
    }

    fn settings(name: u16, value: u32) -> Vec<u8> {
        frame(kind::SETTINGS, 0, 0, &[&name.to_be_bytes()[..], &value.to_be_bytes()[..]].concat())
    }

    #[test]
    fn frames_of_the_wrong_size_are_frame_size_errors() {
        let table = [
            ("DATA over the limit", frame(kind::DATA, 0, 1, &[0; MAX_FRAME + 1])),
            ("HEADERS over the limit", frame(kind::HEADERS, 4, 5, &[0; MAX_FRAME + 1])),
            ("unknown over the limit", frame(0xff, 0, 0, &[0; MAX_FRAME + 1])),
            ("DATA without its pad length", frame(kind::DATA, flag::PADDED, 1, &[])),
            ("HEADERS without their priority", frame(kind::HEADERS, 0x24, 5, &[0; 4])),
            ("short PRIORITY", frame(kind::PRIORITY, 0, 1, &[0; 4])),
            ("long RST_STREAM", frame(kind::RST_STREAM, 0, 1, &[0; 5])),
            ("SETTINGS of half a setting", frame(kind::SETTINGS, 0, 0, &[0; 3])),
            ("acknowledgement of something", frame(kind::SETTINGS, flag::ACK, 0, &[0; 6])),
            ("short PING", frame(kind::PING, 0, 0, &[0; 7])),
            ("short GOAWAY", frame(kind::GOAWAY, 0, 0, &[0; 7])),
            ("short WINDOW_UPDATE", frame(kind::WINDOW_UPDATE, 0, 0, &[0; 3])),
        ];
        for (name, bytes) in table {
            assert_eq!(judged(&[bytes]), Err(Reason::FRAME_SIZE_ERROR), "{name}");
        }
    }

    #[test]
    fn offences_against_the_protocol() {
        let (end, closed) = (flag::END_HEADERS | flag::END_STREAM, Reason::STREAM_CLOSED);
        let (odd, flow) = (Reason::PROTOCOL_ERROR, Reason::FLOW_CONTROL_ERROR);
        let table = [
            ("DATA on the connection", frame(kind::DATA, 0, 0, b"x"), odd),
            ("DATA that is all padding", frame(kind::DATA, flag::PADDED, 1, &[1]), odd),
            ("DATA on an idle stream", frame(kind::DATA, 0, 5, b"x"), odd),
            ("DATA after the end", frame(kind::DATA, 0, 3, b"x"), closed),
            ("HEADERS on the connection", frame(kind::HEADERS, end, 0, &[0x82]), odd),
            ("HEADERS on a stream of ours", frame(kind::HEADERS, end, 6, &[0x82]), odd),
            ("HEADERS after the end", frame(kind::HEADERS, end, 3, &[0x82]), closed),
            ("HEADERS with too much padding", frame(kind::HEADERS, 0x0d, 5, &[2, 0x82]), odd),
            ("HEADERS that depend on themselves", frame(kind::HEADERS, 0x25, 5, &[0, 0, 0, 5, 1]), odd),
            ("a field block cut short", frame(kind::HEADERS, end, 5, b"\x40"), Reason::COMPRESSION_ERROR),
            ("four times the fields", frame(kind::HEADERS, 5, 5, &[0xbe; 401]), Reason::ENHANCE_YOUR_CALM),
            ("a pseudo-field in trailers", frame(kind::HEADERS, end, 1, &[0x83]), odd),
            ("PRIORITY on the connection", frame(kind::PRIORITY, 0, 0, &[0; 5]), odd),
            ("PRIORITY on itself", frame(kind::PRIORITY, 0, 1, &[0x80, 0, 0, 1, 1]), odd),
            ("RST_STREAM on the connection", frame(kind::RST_STREAM, 0, 0, &[0; 4]), odd),
            ("RST_STREAM on an idle stream", frame(kind::RST_STREAM, 0, 5, &[0; 4]), odd),
            ("SETTINGS on a stream", frame(kind::SETTINGS, 0, 1, &[]), odd),
            ("push that is neither on nor off", settings(2, 2), odd),
            ("a window too large", settings(4, 1 << 31), flow),
            ("a frame size too small", settings(5, 16_383), odd),
            ("a frame size too large", settings(5, 1 << 24), odd),
            ("a promise", frame(kind::PUSH_PROMISE, 4, 1, &[0, 0, 0, 2, 0x82]), odd),
            ("PING on a stream", frame(kind::PING, 0, 1, &[0; 8]), odd),
            ("GOAWAY on a stream", frame(kind::GOAWAY, 0, 1, &[0; 8]), odd),
            ("WINDOW_UPDATE of nothing", frame(kind::WINDOW_UPDATE, 0, 1, &[0; 4]), odd),
            ("WINDOW_UPDATE of a reserved bit", frame(kind::WINDOW_UPDATE, 0, 0, &[0x80, 0, 0, 0]), odd),
            ("WINDOW_UPDATE on an idle stream", frame(kind::WINDOW_UPDATE, 0, 5, &[0, 0, 0, 1]), odd),
            ("WINDOW_UPDATE of too much", frame(kind::WINDOW_UPDATE, 0, 3, &[0x7f, 255, 255, 255]), flow),
            ("CONTINUATION of nothing", frame(kind::CONTINUATION, 4, 1, &[0x82]), odd),
        ];
        for (name, bytes, reason) in table {
            assert_eq!(judged(&[bytes]), Err(reason), "{name}");
        }
        let ack = frame(kind::SETTINGS, flag::ACK, 0, &[]);
        assert_eq!(judged(&[ack.clone(), ack]), Err(odd), "two acknowledgements");
        let block = frame(kind::HEADERS, 0, 5, &[0x82]);
        for (name, other) in [
            ("another kind", frame(kind::PRIORITY, 0, 1, &[0; 5])),
            ("an unknown kind", frame(0xff, 0, 5, &[])),
            ("another stream", frame(kind::CONTINUATION, 4, 7, &[0x82])),
        ] {
            assert_eq!(judged(&[block.clone(), other]), Err(odd), "{name} within a field block");
        }
    }

    #[test]
    fn what_the_protocol_allows_passes() {
        let padded = frame(kind::HEADERS, 0x2d, 5, &[2, 0, 0, 0, 3, 255, 0x82, 0, 0]);
        let table = [
            ("DATA of padding", vec![frame(kind::DATA, flag::PADDED, 1, &[2, 0, 0])]),
            (
                "trailers",
                vec![frame(kind::HEADERS, 5, 1, b"\x00\x01a\x01b"), frame(kind::RST_STREAM, 0, 1, &[0; 4])],
            ),
            ("no trailers after all", vec![frame(kind::HEADERS, 5, 1, b"")]),
            ("padding and a priority", vec![padded]),
            ("a late window update", vec![frame(kind::WINDOW_UPDATE, 0, 3, &[0, 0, 0, 1])]),
            ("a priority for later", vec![frame(kind::PRIORITY, 0, 99, &[0, 0, 0, 1, 1])]),
            ("settings", vec![settings(4, 0), settings(5, LARGEST_FRAME), settings(0xfafa, u32::MAX)]),
            ("an unknown frame", vec![frame(0xff, 0xff, 0, &[1; 8])]),
            ("flags that mean nothing", vec![frame(kind::PING, 0xfe, 0, &[0; 8])]),
            ("a field block in pieces", {
                let rest = [0, flag::END_HEADERS].map(|f| frame(kind::CONTINUATION, f, 5, b""));
                [vec![frame(kind::HEADERS, 1, 5, &[0x82])], rest.to_vec()].concat()
            }),
        ];
        for (name, frames) in table {
            assert_eq!(judged(&frames), Ok(()), "{name}");
        }
    }

    #[test]
    fn settings_come_first() {
        for first in [frame(kind::PING, 0, 0, &[0; 8]), frame(kind::SETTINGS, flag::ACK, 0, &[])] {
            let judged = Walker::default().walk(&first, &mut Rules::new(1, 1));
            assert_eq!(judged.map_err(|offence| offence.reason), Err(Reason::PROTOCOL_ERROR));
        }
    }
}
