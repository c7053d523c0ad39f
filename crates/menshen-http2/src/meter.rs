//! Counts the frames that a peer sends against the work that they ask for: frames that cost the sender nothing are the
//! stuff of floods (CVE-2019-9511 and its family, CVE-2023-44487, CVE-2024-27316, CVE-2025-8671).

use std::time::Duration;

use crate::frame::{FrameHead, flag, kind};

/// Cheap frames that a client may send at once; what is used up comes back with time, requests and content.
const CHEAP: Allowance = Allowance { most: 2_000, each_second: 200 };
/// Cheap frames that come with a request: window updates, a ping.
const WITH_REQUEST: u32 = 4;
/// Cheap frames that come with a piece of content that we send.
const WITH_PIECE: u32 = 2;
/// Bytes of content, either way, that give one cheap frame back: window updates go along with content.
const CONTENT: usize = 1_024;
/// Bytes of one setting (RFC 9113 §6.5.1).
const SETTING: usize = 6;
/// Requests that a client may take back at once, in halves: every request gives a half back, so that who takes back
/// less than every second one is never told to calm down. A page that is left takes back all that are under way.
const RESETS: Allowance = Allowance { most: 200, each_second: 40 };

/// How much there may be of something.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    most: u32,
    each_second: u32,
}

/// What is left of an allowance.
#[derive(Debug)]
struct Left {
    allowance: Allowance,
    left: u32,
    refilled: Duration,
}

impl Left {
    fn of(allowance: Allowance) -> Self {
        Self { allowance, left: allowance.most, refilled: Duration::ZERO }
    }

    fn give(&mut self, n: u32) {
        self.left = self.left.saturating_add(n).min(self.allowance.most);
    }

    /// False when there is not so much left.
    fn take(&mut self, n: u32, now: Duration) -> bool {
        if self.left < n {
            let passed = now.saturating_sub(self.refilled).min(Duration::from_secs(60));
            self.give((passed.as_secs_f32() * self.allowance.each_second as f32) as u32);
            self.refilled = now;
        }
        match self.left.checked_sub(n) {
            Some(left) => self.left = left,
            None => return false,
        }
        true
    }
}

/// Counts the frames that come in over a connection.
#[derive(Debug)]
pub(crate) struct Meter {
    cheap: Left,
    resets: Left,
    /// Bytes of content that have not given anything back yet.
    content: usize,
    /// When the last frame came, since the connection began.
    now: Duration,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self { cheap: Left::of(CHEAP), resets: Left::of(RESETS), content: 0, now: Duration::ZERO }
    }

    /// A frame has come. False when it is one too many.
    pub(crate) fn came(&mut self, head: &FrameHead, now: Duration) -> bool {
        self.now = now;
        match head.kind {
            // The end of a request is of use, however short; and padding is of none, however long.
            kind::DATA if head.has(flag::END_STREAM) => true,
            kind::DATA if head.length == 0 || head.has(flag::PADDED) => {
                self.moved(head.length);
                self.cheap.take(1, now)
            }
            kind::DATA => {
                self.moved(head.length);
                true
            }
            kind::HEADERS => {
                self.cheap.give(WITH_REQUEST);
                self.resets.give(1);
                true
            }
            kind::RST_STREAM => self.resets.take(2, now),
            // Every setting is work.
            kind::SETTINGS => {
                self.cheap.take(1 + u32::try_from(head.length / SETTING).unwrap_or(u32::MAX), now)
            }
            // PRIORITY, PING, WINDOW_UPDATE, CONTINUATION, and what nobody knows.
            _ => self.cheap.take(1, now),
        }
    }

    /// We have opened a stream, which the peer answers, or takes back.
    pub(crate) fn opened(&mut self) {
        self.cheap.give(WITH_REQUEST);
        self.resets.give(2);
    }

    /// We have sent a piece of content. Every piece of it may be followed by a PING and a window update: clients of gRPC
    /// measure the line so, however short their messages are.
    pub(crate) fn sent(&mut self, bytes: usize, is_by_choice: bool) {
        self.moved(bytes);
        if is_by_choice {
            self.cheap.give(WITH_PIECE);
        }
    }

    /// Content has moved, either way.
    fn moved(&mut self, bytes: usize) {
        self.content += bytes;
        self.cheap.give(u32::try_from(self.content / CONTENT).unwrap_or(u32::MAX));
        self.content %= CONTENT;
    }

    /// A stream had to be reset because of what the client did on it. False when it was one too many.
    pub(crate) fn provoked(&mut self) -> bool {
        self.resets.take(2, self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(kind: u8, flags: u8, length: usize) -> FrameHead {
        FrameHead { length, kind, flags, stream: 1 }
    }

    /// How many rounds of these frames are taken.
    fn rounds(frames: &[FrameHead]) -> usize {
        let now = Duration::ZERO;
        let mut meter = Meter::new();
        (0..20_000).take_while(|_| frames.iter().all(|head| meter.came(head, now))).count()
    }

    #[test]
    fn floods_of_cheap_frames_end() {
        let padded = head(kind::DATA, flag::PADDED, 256);
        for (name, flood, most) in [
            ("PING", head(kind::PING, 0, 8), CHEAP.most),
            ("PRIORITY", head(kind::PRIORITY, 0, 5), CHEAP.most),
            ("SETTINGS", head(kind::SETTINGS, 0, 6), CHEAP.most / 2),
            ("WINDOW_UPDATE", head(kind::WINDOW_UPDATE, 0, 4), CHEAP.most),
            ("CONTINUATION", head(kind::CONTINUATION, 0, 1), CHEAP.most),
            ("empty DATA", head(kind::DATA, 0, 0), CHEAP.most),
            ("padding", padded, 2 * CHEAP.most),
            ("an unknown frame", head(0xff, 0, 16_384), CHEAP.most),
            ("RST_STREAM", head(kind::RST_STREAM, 0, 4), RESETS.most / 2),
        ] {
            assert!(rounds(&[flood]) <= most as usize, "{name}");
        }
    }

    #[test]
    fn content_gives_cheap_frames_back() {
        let upload = [head(kind::DATA, 0, 2 * CONTENT), head(kind::WINDOW_UPDATE, 0, 4)];
        assert_eq!(rounds(&upload), 20_000);
        let padded = [head(kind::DATA, flag::PADDED, 2 * CONTENT)];
        assert_eq!(rounds(&padded), 20_000);
    }

    #[test]
    fn a_slow_drip_is_no_flood() {
        let mut meter = Meter::new();
        for second in 0..20u64 {
            let now = Duration::from_secs(second);
            let ping = head(kind::PING, 0, 8);
            assert!((0..CHEAP.each_second).all(|_| meter.came(&ping, now)), "{second}");
        }
    }

    #[test]
    fn who_takes_back_every_request_is_told_to_calm_down_and_who_takes_back_every_third_is_not() {
        let (request, reset) = (head(kind::HEADERS, 5, 1), head(kind::RST_STREAM, 0, 4));
        assert!((RESETS.most as usize - 1..=RESETS.most as usize).contains(&rounds(&[request, reset])));
        assert_eq!(rounds(&[request, request, request, reset]), 20_000);
    }

    #[test]
    fn a_reset_that_a_client_provokes_counts_like_its_own() {
        let now = Duration::ZERO;
        let mut meter = Meter::new();
        let provoked =
            (0..1000).take_while(|_| meter.came(&head(kind::HEADERS, 5, 1), now) && meter.provoked());
        assert!(provoked.count() <= RESETS.most as usize);
    }

    #[test]
    fn requests_and_their_ends_cost_nothing_here() {
        assert_eq!(rounds(&[head(kind::HEADERS, 4, 1), head(kind::DATA, 1, 0)]), 20_000);
    }
}
