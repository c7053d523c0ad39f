//! A connection without its socket: where it stands, how it starts and how it ends.

use std::collections::VecDeque;

use crate::hpack::{Decoder, Encoder};
use crate::meter::Meter;
use crate::receive::{Content, Fragments};
use crate::settings::FIRST_WINDOW;
use crate::streams::{Side, Streams, Turn};
use crate::{Code, Lane, Offer, PREFACE, frame};

/// What is sent along with a goodbye: the answer tells that the peer has seen it.
pub(crate) const FAREWELL: &[u8; 8] = b"farewell";
/// What is sent to see whether somebody is there.
pub(crate) const ANYBODY: &[u8; 8] = b"anybody?";

/// Which end of the connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The peer opens streams.
    Server,
    /// We open streams.
    Client,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Streams are opened.
    Open,
    /// The peer was told that no more streams are wanted; those that it has opened by then are served.
    Leaving,
    /// Streams that the peer opens now are not looked at.
    Closing,
    /// All is said.
    Over,
}

/// One end of a connection. Bytes that come in go to [`Connection::receive`]; what must go out gathers in
/// [`Connection::out`].
#[derive(Debug)]
pub struct Connection<L> {
    pub(crate) role: Role,
    /// Frames to be written. Whoever writes them takes them out, and says so with [`Connection::drained`].
    pub out: Vec<u8>,
    pub(crate) stage: Stage,
    pub(crate) offer: Offer,
    pub(crate) streams: Streams<L>,
    pub(crate) decoder: Decoder,
    pub(crate) encoder: Encoder,
    pub(crate) meter: Meter,
    /// Bytes of the preface that have not come.
    pub(crate) preface: usize,
    pub(crate) is_greeted: bool,
    pub(crate) is_acknowledged: bool,
    pub(crate) fragments: Fragments,
    pub(crate) content: Content,
    /// Content of all streams that the peer would take.
    pub(crate) send_window: i64,
    /// The window with which the peer wants streams to start.
    pub(crate) first_window: u32,
    /// Streams that the peer lets us have open.
    pub(crate) peer_streams: u32,
    /// Content of all streams that the peer may send.
    pub(crate) receive_window: i64,
    /// Content that was used, for which the peer has no window update yet.
    pub(crate) used: u32,
    /// Who waits for room, and who is the next.
    pub(crate) queue: VecDeque<u32>,
    pub(crate) granted: Option<u32>,
    /// Streams that were refused because there are too many.
    pub(crate) refused: u32,
    /// The last stream of the peer's that was looked at.
    pub(crate) last_taken: u32,
    /// The peer said goodbye.
    pub(crate) has_goodbye: bool,
    /// The peer has answered [`FAREWELL`] or [`ANYBODY`].
    pub(crate) has_answered: bool,
    /// Why it ended.
    pub(crate) reason: Option<Code>,
}

impl<L: Lane> Connection<L> {
    /// A connection over which nothing has come yet. The first frames are in [`Connection::out`].
    pub fn new(role: Role, offer: Offer, mut out: Vec<u8>) -> Self {
        let preface = match role {
            Role::Server => {
                frame::settings(&mut out, &offer.of_server());
                PREFACE.len()
            }
            Role::Client => {
                out.extend_from_slice(PREFACE);
                frame::settings(&mut out, &offer.of_client());
                0
            }
        };
        if let Some(more) = offer.connection_window.checked_sub(FIRST_WINDOW).filter(|more| *more > 0) {
            frame::window_update(&mut out, 0, more);
        }
        Self {
            role,
            out,
            stage: Stage::Open,
            offer,
            streams: Streams::new(),
            decoder: Decoder::new(offer.table),
            encoder: Encoder::new(),
            meter: Meter::new(),
            preface,
            is_greeted: false,
            is_acknowledged: false,
            fragments: Fragments::default(),
            content: Content::default(),
            send_window: i64::from(FIRST_WINDOW),
            first_window: FIRST_WINDOW,
            peer_streams: u32::MAX,
            receive_window: i64::from(offer.connection_window.max(FIRST_WINDOW)),
            used: 0,
            queue: VecDeque::new(),
            granted: None,
            refused: 0,
            last_taken: 0,
            has_goodbye: false,
            has_answered: false,
            reason: None,
        }
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// True when nothing more is said: it is over, or it closes and no stream is open.
    pub fn is_over(&self) -> bool {
        match self.stage {
            Stage::Over => true,
            Stage::Closing => self.streams.len() == 0,
            Stage::Open | Stage::Leaving => false,
        }
    }

    /// Streams that are open in one direction at least.
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// Streams that the peer lets us have open at once.
    pub fn peer_streams(&self) -> u32 {
        self.peer_streams
    }

    /// What belongs to a stream, while it is open.
    pub fn lane(&mut self, stream: u32) -> Option<&mut L> {
        self.streams.get(stream).map(|s| &mut s.lane)
    }

    /// No stream can be opened any more: the peer said goodbye, or we did, or there are no more numbers.
    pub fn is_leaving(&self) -> bool {
        self.has_goodbye || self.stage != Stage::Open || self.streams.next().is_none()
    }

    /// True once after the peer has answered a PING of ours.
    pub fn take_answer(&mut self) -> bool {
        std::mem::take(&mut self.has_answered)
    }

    /// Asks the peer whether it is still there; [`Connection::take_answer`] tells.
    pub fn ask(&mut self) {
        self.has_answered = false;
        frame::ping(&mut self.out, 0, ANYBODY);
    }

    /// True when the peer has sent a part of something that must come whole: a frame other than DATA, or a field block.
    /// `rest` are the bytes that [`Connection::receive`] left.
    pub fn is_within(&self, rest: &[u8]) -> bool {
        !rest.is_empty() || self.fragments.is_open() || self.preface > 0 || !self.is_greeted
    }

    /// Why the connection ended, once it has, if the peer is to blame.
    pub fn reason(&self) -> Option<Code> {
        self.reason
    }

    /// Tells the peer that no more streams are wanted (RFC 9113 §6.8). Those that it opens before it knows are served.
    pub fn leave(&mut self) {
        if self.stage == Stage::Open {
            self.stage = Stage::Leaving;
            frame::goaway(
                &mut self.out,
                u32::try_from(crate::settings::MAX_WINDOW).unwrap_or(0),
                Code::NO_ERROR,
            );
            frame::ping(&mut self.out, 0, FAREWELL);
        }
    }

    /// Looks at no more streams; those that are open go on.
    pub fn close(&mut self) {
        if matches!(self.stage, Stage::Open | Stage::Leaving) {
            self.stage = Stage::Closing;
            frame::goaway(&mut self.out, self.last_taken, Code::NO_ERROR);
        }
    }

    /// Ends the connection, and all streams with it.
    pub fn end(&mut self, code: Code) {
        if self.stage == Stage::Over {
            return;
        }
        frame::goaway(&mut self.out, self.last_taken, code);
        self.stage = Stage::Over;
        self.reason = Some(code).filter(|code| *code != Code::NO_ERROR);
        self.abandon();
    }

    /// The peer is gone. Streams that it has opened are gone too; those that we have opened stay until they are let go,
    /// because all of an answer may have come before the end.
    pub fn abandon(&mut self) {
        self.stage = Stage::Over;
        self.queue.clear();
        self.granted = None;
        match self.role {
            Role::Server => {
                while let Some(mut stream) = self.streams.pop() {
                    stream.lane.lost();
                }
            }
            Role::Client => {
                for stream in self.streams.iter_mut() {
                    (stream.inward, stream.outward) = (Side::Ended, Side::Ended);
                    stream.turn = Turn::None;
                    stream.lane.lost();
                }
            }
        }
    }
}
