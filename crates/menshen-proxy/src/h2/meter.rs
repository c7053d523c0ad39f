//! Counts the frames that a client sends against the work that they ask for: frames that cost the sender nothing are the
//! stuff of floods (CVE-2019-9511 and its family, CVE-2023-44487, CVE-2024-27316, CVE-2025-8671).

use std::time::{Duration, Instant};

/// Bytes of a frame header (RFC 9113 §4.1).
const HEADER: usize = 9;

/// Cheap frames that a client may send at once; what is used up comes back with time, requests and content.
const CHEAP: Allowance = Allowance { most: 2_000, each_second: 200 };
/// Cheap frames that come with a request: window updates, a ping.
const WITH_REQUEST: u32 = 4;
/// Bytes of content, either way, that give one cheap frame back: window updates go along with content.
const CONTENT: usize = 1_024;
/// Requests that a client may take back at once, in halves: every request gives a half back, so that who takes back
/// less than every second one is never told to calm down.
const RESETS: Allowance = Allowance { most: 400, each_second: 40 };

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
    refilled: Instant,
}

impl Left {
    fn of(allowance: Allowance, now: Instant) -> Self {
        Self { allowance, left: allowance.most, refilled: now }
    }

    fn give(&mut self, n: u32) {
        self.left = self.left.saturating_add(n).min(self.allowance.most);
    }

    /// False when there is not so much left.
    fn take(&mut self, n: u32, now: Instant) -> bool {
        if self.left < n {
            let passed = now.saturating_duration_since(self.refilled).min(Duration::from_secs(60));
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

/// Watches the frames that come in over a connection.
#[derive(Debug)]
pub(super) struct Meter {
    header: [u8; HEADER],
    /// Bytes of the header seen so far.
    seen: usize,
    /// Bytes of the payload still to come.
    payload: usize,
    cheap: Left,
    resets: Left,
    /// Bytes of content that have not given anything back yet.
    content: usize,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        let (cheap, resets) = (Left::of(CHEAP, now), Left::of(RESETS, now));
        Self { header: [0; HEADER], seen: 0, payload: 0, cheap, resets, content: 0 }
    }

    /// Takes note of bytes as they come, behind the preface. False when it was too much.
    pub(super) fn received(&mut self, mut bytes: &[u8], now: Instant) -> bool {
        loop {
            let skipped = self.payload.min(bytes.len());
            self.payload -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if bytes.is_empty() {
                return true;
            }
            let wanted = (HEADER - self.seen).min(bytes.len());
            let (head, rest) = bytes.split_at(wanted);
            if let Some(room) = self.header.get_mut(self.seen..self.seen + wanted) {
                room.copy_from_slice(head);
            }
            self.seen += wanted;
            bytes = rest;
            if self.seen == HEADER {
                self.seen = 0;
                if !self.frame(now) {
                    return false;
                }
            }
        }
    }

    /// Takes note of bytes that were sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.content += bytes;
        self.cheap.give(u32::try_from(self.content / CONTENT).unwrap_or(u32::MAX));
        self.content %= CONTENT;
    }

    fn frame(&mut self, now: Instant) -> bool {
        const DATA: u8 = 0;
        const HEADERS: u8 = 1;
        const RST_STREAM: u8 = 3;
        const END_STREAM: u8 = 0x1;
        let [a, b, c, kind, flags, ..] = self.header;
        self.payload = u32::from_be_bytes([0, a, b, c]) as usize;
        match kind {
            // The end of a request is of use, however short.
            DATA if self.payload == 0 && flags & END_STREAM == 0 => self.cheap.take(1, now),
            DATA => {
                self.sent(self.payload);
                true
            }
            HEADERS => {
                self.cheap.give(WITH_REQUEST);
                self.resets.give(1);
                true
            }
            RST_STREAM => self.resets.take(2, now),
            // PRIORITY, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION, and what nobody knows.
            _ => self.cheap.take(1, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn a_flood_of_pings_is_too_much_however_it_is_cut() {
        for size in [1, 7, 17, 4096] {
            let mut meter = Meter::new(Instant::now());
            let now = Instant::now();
            let pings = frame(6, 0, &[0; 8]).repeat(CHEAP.most as usize + 1);
            let accepted = pings.chunks(size).take_while(|bytes| meter.received(bytes, now)).count();
            assert!(accepted < pings.len().div_ceil(size), "{size}");
            assert!(accepted * size + size.max(17) >= CHEAP.most as usize * 17, "{size}");
        }
    }

    #[test]
    fn content_gives_cheap_frames_back() {
        let mut meter = Meter::new(Instant::now());
        let now = Instant::now();
        for _ in 0..10 * CHEAP.most {
            assert!(meter.received(&frame(0, 0, &[0; 2 * CONTENT]), now));
            assert!(meter.received(&frame(8, 0, &[0; 4]), now));
        }
    }

    #[test]
    fn a_slow_drip_is_no_flood_and_empty_data_is() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        for second in 0..20u64 {
            let now = start + Duration::from_secs(second);
            assert!((0..CHEAP.each_second).all(|_| meter.received(&frame(6, 0, &[0; 8]), now)), "{second}");
        }
        let flood = (0..=CHEAP.most).all(|_| meter.received(&frame(0, 0, b""), start));
        assert!(!flood);
    }

    #[test]
    fn who_takes_back_every_request_is_told_to_calm_down_and_who_takes_back_every_third_is_not() {
        let now = Instant::now();
        let (request, reset) = (frame(1, 5, &[0x82]), frame(3, 0, &[0; 4]));
        let mut meter = Meter::new(now);
        let pairs = [request.clone(), reset.clone()].concat();
        let accepted = (0..1000).take_while(|_| meter.received(&pairs, now)).count();
        assert!((RESETS.most as usize / 2..RESETS.most as usize + 2).contains(&accepted), "{accepted}");
        let mut meter = Meter::new(now);
        let thirds = [request.clone(), request.clone(), request, reset].concat();
        assert!((0..10_000).all(|_| meter.received(&thirds, now)));
    }

    #[test]
    fn requests_and_their_ends_cost_nothing_here() {
        let mut meter = Meter::new(Instant::now());
        let now = Instant::now();
        for _ in 0..10 * CHEAP.most {
            assert!(meter.received(&frame(1, 4, &[0x82]), now) && meter.received(&frame(0, 1, b""), now));
        }
    }
}
