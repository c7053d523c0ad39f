//! What the h2 crate sends on our behalf, seen as it passes by: content, streams that we reset, and why the
//! connection ends.

use std::time::Instant;

use ::h2::Reason;

use super::frames::{Head, Walker, Watcher, kind};
use super::meter::Meter;
use super::streams::Streams;

/// Where we stand in what is sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    walker: Walker,
    /// Why the connection ends, if it does because of the client.
    pub(super) blamed: Option<Reason>,
}

/// Learns from what was sent.
struct Learner<'a> {
    streams: &'a mut Streams,
    meter: &'a mut Meter,
    now: Instant,
    blamed: Option<Reason>,
    is_too_much: bool,
}

impl Watcher for Learner<'_> {
    fn begins(&mut self, head: &Head, _: usize) -> Result<usize, Reason> {
        if head.kind == kind::DATA {
            self.streams.sent(head.stream, head.length);
        }
        Ok(shown(head))
    }

    fn part(&mut self, head: &Head, part: &[u8]) -> Result<usize, Reason> {
        let reason = reason(part);
        if head.kind == kind::GOAWAY {
            self.blamed = reason.filter(|reason| *reason != Reason::NO_ERROR);
        } else {
            self.streams.reset_by_us(head.stream);
            let blames = matches!(
                reason,
                Some(Reason::PROTOCOL_ERROR | Reason::FLOW_CONTROL_ERROR | Reason::STREAM_CLOSED)
            );
            self.is_too_much |= blames && !self.meter.provoked(self.now);
        }
        Ok(0)
    }
}

impl Sent {
    /// Takes note of bytes that were sent. False when the client has made us reset too many streams.
    pub(super) fn note(
        &mut self,
        bytes: &[u8],
        streams: &mut Streams,
        meter: &mut Meter,
        now: Instant,
    ) -> bool {
        meter.moved(bytes.len());
        let mut learner = Learner { streams, meter, now, blamed: None, is_too_much: false };
        let _ = self.walker.walk(bytes, &mut learner);
        self.blamed = learner.blamed.or(self.blamed);
        !learner.is_too_much
    }
}

/// Bytes up to the end of the reason (RFC 9113 §6.4, §6.8).
fn shown(head: &Head) -> usize {
    match head.kind {
        kind::RST_STREAM => 4,
        kind::GOAWAY => 8,
        _ => 0,
    }
}

fn reason(part: &[u8]) -> Option<Reason> {
    part.last_chunk().map(|code| u32::from_be_bytes(*code).into())
}

#[cfg(test)]
mod tests {
    use super::super::frames::tests::frame;
    use super::*;

    fn goaway(code: u8) -> Vec<u8> {
        frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, code])
    }

    #[test]
    fn what_was_sent_is_learned_from() {
        let now = Instant::now();
        let (mut streams, mut meter, mut sent) = (Streams::new(100), Meter::new(now), Sent::default());
        streams.headers(1, false).unwrap();
        let bytes = [frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 1]), goaway(9)].concat();
        for piece in bytes.chunks(5) {
            assert!(sent.note(piece, &mut streams, &mut meter, now));
        }
        assert_eq!(streams.data(1, true), Ok(()), "we reset it, and the client may not know");
        assert_eq!(sent.blamed, Some(Reason::COMPRESSION_ERROR));
    }
}
