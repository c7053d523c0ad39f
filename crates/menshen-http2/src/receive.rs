//! What comes in (RFC 9113 §4 to §6). Every offence ends the connection, also where the RFC would be content with the stream:
//! who makes us reset streams makes us work for nothing (CVE-2025-8671), and no peer that works ever does these things.
//! A malformed message is no such offence: its stream is reset.

mod content;
mod control;
mod fields;

use std::time::Duration;

pub(crate) use content::Content;
pub(crate) use fields::Fragments;

use crate::frame::{FrameHead, HEADER, MAX_PAYLOAD, flag, kind};
use crate::settings::{MAX_WINDOW, SETTING};
use crate::{Code, Connection, Lane, PREFACE, Receiver, Stage};
use fields::PRIORITY;

impl<L: Lane> Connection<L> {
    /// Takes bytes that came in at this time since the connection began; the result is how many were used. The rest is the start of a frame that must come as a
    /// whole and is at most [`MAX_PAYLOAD`] + [`HEADER`] bytes long.
    ///
    /// # Errors
    /// The peer broke a rule: end the connection with this code.
    pub fn receive<R: Receiver<Lane = L>>(
        &mut self,
        bytes: &[u8],
        now: Duration,
        receiver: &mut R,
    ) -> Result<usize, Code> {
        let mut at = self.preface(bytes)?;
        while self.preface == 0 && self.stage != Stage::Over {
            let rest = bytes.get(at..).unwrap_or_default();
            if self.content.is_open() {
                if rest.is_empty() {
                    break;
                }
                at += self.content(rest, receiver)?;
                continue;
            }
            let Some(head) = FrameHead::read(rest) else { break };
            check(&head)?;
            if head.kind == kind::DATA {
                let before = usize::from(head.has(flag::PADDED));
                let Some(pad) = rest.get(HEADER..HEADER + before) else { break };
                self.begins(&head, now)?;
                self.data(&head, pad.first().map(|pad| usize::from(*pad)), receiver)?;
                at += HEADER + before;
                continue;
            }
            let Some(payload) = rest.get(HEADER..HEADER + head.length) else { break };
            self.begins(&head, now)?;
            self.frame(&head, payload, receiver)?;
            at += HEADER + head.length;
        }
        Ok(at)
    }

    /// The preface of a client comes before its first frame (RFC 9113 §3.4).
    fn preface(&mut self, bytes: &[u8]) -> Result<usize, Code> {
        let n = self.preface.min(bytes.len());
        let expected = PREFACE.get(PREFACE.len() - self.preface..).unwrap_or_default();
        if expected.get(..n) != bytes.get(..n) {
            return Err(Code::PROTOCOL_ERROR);
        }
        self.preface -= n;
        Ok(n)
    }

    /// SETTINGS come first (RFC 9113 §3.4), nothing comes within a field block (§4.3), and nobody sends frames for nothing.
    fn begins(&mut self, head: &FrameHead, now: Duration) -> Result<(), Code> {
        self.is_greeted |= head.kind == kind::SETTINGS && !head.has(flag::ACK);
        let continues = head.kind == kind::CONTINUATION;
        let is_in_order = match self.fragments.stream() {
            None => !continues,
            Some(stream) => continues && stream == head.stream,
        };
        if !self.is_greeted || !is_in_order {
            return Err(Code::PROTOCOL_ERROR);
        }
        if self.meter.came(head, now) { Ok(()) } else { Err(Code::ENHANCE_YOUR_CALM) }
    }

    fn frame<R: Receiver<Lane = L>>(
        &mut self,
        head: &FrameHead,
        payload: &[u8],
        receiver: &mut R,
    ) -> Result<(), Code> {
        match head.kind {
            kind::HEADERS => self.headers(head, payload, receiver),
            kind::CONTINUATION => self.continuation(head, payload, receiver),
            kind::SETTINGS => self.settings(head, payload),
            kind::WINDOW_UPDATE => self.window_update(head.stream, i64::from(number(payload)) & MAX_WINDOW),
            kind::RST_STREAM => self.was_reset(head.stream, Code(number(payload)), receiver),
            kind::PING => {
                self.pinged(head, payload);
                Ok(())
            }
            kind::GOAWAY => {
                self.goodbye(number(payload) & 0x7fff_ffff, receiver);
                Ok(())
            }
            kind::PRIORITY if depends_on_itself(head, payload) => Err(Code::PROTOCOL_ERROR),
            // Clients do not promise, and servers were told not to.
            kind::PUSH_PROMISE => Err(Code::PROTOCOL_ERROR),
            _ => Ok(()),
        }
    }
}

/// What can be told of a frame by its header: it belongs to a stream or to the connection, and most have one size
/// (RFC 9113 §4.2, §6).
fn check(head: &FrameHead) -> Result<(), Code> {
    let has_size = match head.kind {
        _ if head.length > MAX_PAYLOAD => false,
        kind::DATA => head.length > 0 || !head.has(flag::PADDED),
        kind::PRIORITY => head.length == PRIORITY,
        kind::RST_STREAM | kind::WINDOW_UPDATE => head.length == 4,
        kind::SETTINGS if head.has(flag::ACK) => head.length == 0,
        kind::SETTINGS => head.length.is_multiple_of(SETTING),
        kind::PING => head.length == 8,
        kind::GOAWAY => head.length >= 8,
        _ => true,
    };
    let is_misplaced = match head.kind {
        kind::DATA | kind::HEADERS | kind::PRIORITY | kind::RST_STREAM => head.stream == 0,
        kind::SETTINGS | kind::PING | kind::GOAWAY => head.stream != 0,
        _ => false,
    };
    match (has_size, is_misplaced) {
        (_, true) => Err(Code::PROTOCOL_ERROR),
        (false, false) => Err(Code::FRAME_SIZE_ERROR),
        (true, false) => Ok(()),
    }
}

/// True when a stream is to depend on itself (RFC 7540 §5.3.1, which RFC 9113 leaves behind).
fn depends_on_itself(head: &FrameHead, priority: &[u8]) -> bool {
    priority.first_chunk::<4>().is_some_and(|id| u32::from_be_bytes(*id) & 0x7fff_ffff == head.stream)
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |n, byte| n << 8 | u32::from(*byte))
}
