//! What we send on streams: heads, content within the windows, resets.

use crate::frame::{self, FrameHead, HEADER, MAX_PAYLOAD, flag, kind};
use crate::hpack::Encoder;
use crate::settings::FIRST_WINDOW;
use crate::streams::{Side, Stream, Turn};
use crate::{Code, Connection, Lane, Role};

/// Above this many bytes that wait to be written no more content is taken.
const HIGH_WATER: usize = 64 * 1024;

/// The most that may be allowed to be on its way on a stream.
const MAX_ALLOWANCE: u32 = 1 << 30;

/// Whether something is the last of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing follows.
    Now,
    /// More follows.
    Later,
}

/// How much content of a stream can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// So many bytes, now.
    Bytes(usize),
    /// None now: the lane is woken when there may be.
    Wait,
    /// The stream is no more.
    Gone,
}

impl<L: Lane> Connection<L> {
    /// Opens a stream; its number. `None` when there are no more numbers, or the peer wants no more streams.
    pub fn open(&mut self, lane: L) -> Option<u32> {
        let id = self.streams.next().filter(|_| !self.is_leaving())?;
        self.meter.opened();
        self.insert(id, Side::Open, lane);
        Some(id)
    }

    pub(crate) fn insert(&mut self, id: u32, inward: Side, lane: L) {
        self.streams.push(Stream {
            id,
            inward,
            outward: Side::Open,
            send_window: i64::from(self.first_window),
            receive_window: i64::from(self.offer.stream_window),
            held: 0,
            used: 0,
            allowance: self.offer.stream_window,
            turn: Turn::None,
            has_head: false,
            lane,
        });
    }

    /// Sends a field block: a head, or trailers, which are an end. False when the stream is no more.
    pub fn send_fields(&mut self, id: u32, end: End, write: impl FnOnce(&mut Encoder, &mut Vec<u8>)) -> bool {
        if self.streams.get(id).is_none_or(|s| s.outward != Side::Open) {
            return false;
        }
        let at = self.out.len();
        let flags = flag::END_HEADERS | if end == End::Now { flag::END_STREAM } else { 0 };
        self.out.extend_from_slice(&[0; HEADER]);
        self.encoder.begin(&mut self.out);
        write(&mut self.encoder, &mut self.out);
        let length = self.out.len() - at - HEADER;
        if length > MAX_PAYLOAD {
            self.split(at, id, flags);
        } else if let Some(place) = self.out.get_mut(at..at + HEADER) {
            place.copy_from_slice(&FrameHead { length, kind: kind::HEADERS, flags, stream: id }.bytes());
        }
        self.note_end(id, end);
        true
    }

    /// A block that is too large for one frame goes on in CONTINUATION frames (RFC 9113 §6.10).
    fn split(&mut self, at: usize, id: u32, flags: u8) {
        let block = self.out.split_off(at);
        let pieces = block.get(HEADER..).unwrap_or_default().chunks(MAX_PAYLOAD);
        let last = pieces.len() - 1;
        for (n, piece) in pieces.enumerate() {
            let ends = if n == last { flag::END_HEADERS } else { 0 };
            let (kind, flags) = match n {
                0 => (kind::HEADERS, flags & !flag::END_HEADERS | ends),
                _ => (kind::CONTINUATION, ends),
            };
            FrameHead { length: piece.len(), kind, flags, stream: id }.write(&mut self.out);
            self.out.extend_from_slice(piece);
        }
    }

    /// How much content of a stream the windows of the peer let pass, whoever else waits for a turn.
    pub fn window(&mut self, id: u32) -> usize {
        let of_stream = self.streams.get(id).map_or(0, |stream| stream.send_window);
        usize::try_from(of_stream.min(self.send_window)).unwrap_or(0)
    }

    /// How much of `wanted` bytes of content can be sent now, as one frame. Streams that must wait take turns.
    pub fn room(&mut self, id: u32, wanted: usize) -> Room {
        let has_room = self.has_room();
        let (send_window, nobody_waits) = (self.send_window, self.queue.is_empty() && self.granted.is_none());
        let Some(stream) = self.streams.get(id).filter(|s| s.outward == Side::Open) else {
            return Room::Gone;
        };
        if stream.send_window <= 0 {
            self.yield_turn(id);
            return Room::Wait;
        }
        let is_next = match stream.turn {
            Turn::None => nobody_waits,
            Turn::Queued => false,
            Turn::Granted => true,
        };
        if !is_next || !has_room {
            self.queue_up(id);
            // It may have been its turn at once; nobody would wake it a second time.
            return if self.granted == Some(id) { self.room(id, wanted) } else { Room::Wait };
        }
        let most = stream.send_window.min(send_window).min(MAX_PAYLOAD as i64);
        Room::Bytes(usize::try_from(most).unwrap_or(0).min(wanted))
    }

    /// The stream waits for its turn; one that could not use the turn it has keeps its place.
    fn queue_up(&mut self, id: u32) {
        let Some(stream) = self.streams.get(id) else { return };
        match std::mem::replace(&mut stream.turn, Turn::Queued) {
            Turn::Queued => {}
            Turn::None => self.queue.push_back(id),
            Turn::Granted => {
                self.granted = None;
                self.queue.push_front(id);
            }
        }
        self.grant();
    }

    /// The stream does not want to send content now, so that it keeps nobody waiting. It asks for
    /// [`Connection::room`] anew.
    pub fn yield_turn(&mut self, id: u32) {
        let Some(stream) = self.streams.get(id) else { return };
        match std::mem::replace(&mut stream.turn, Turn::None) {
            Turn::None => {}
            Turn::Queued => self.queue.retain(|queued| *queued != id),
            Turn::Granted => {
                self.granted = None;
                self.grant();
            }
        }
    }

    fn has_room(&self) -> bool {
        self.send_window > 0 && self.out.len() < HIGH_WATER
    }

    /// Sends content for which there is [`Connection::room`], or an end without content. False when the stream is no
    /// more.
    pub fn send_content(&mut self, id: u32, content: &[u8], end: End) -> bool {
        let Some(stream) = self.streams.get(id).filter(|s| s.outward == Side::Open) else { return false };
        stream.send_window -= content.len() as i64;
        self.send_window -= content.len() as i64;
        debug_assert!(content.is_empty() || (stream.send_window >= 0 && self.send_window >= 0));
        // A piece that is small because the peer wants it so pays for nothing.
        let is_by_choice = stream.send_window > 0 && self.send_window > 0;
        let flags = if end == End::Now { flag::END_STREAM } else { 0 };
        FrameHead { length: content.len(), kind: kind::DATA, flags, stream: id }.write(&mut self.out);
        self.out.extend_from_slice(content);
        self.meter.sent(content.len(), is_by_choice);
        self.yield_turn(id);
        self.note_end(id, end);
        true
    }

    fn note_end(&mut self, id: u32, end: End) {
        if end == End::Later {
            return;
        }
        if let Some(stream) = self.streams.get(id) {
            stream.outward = Side::Ended;
            // The answer to a client's request may not have been read yet.
            if stream.inward == Side::Ended && self.role == Role::Server {
                self.remove(id);
            }
        }
    }

    /// Resets a stream (RFC 9113 §5.4.2).
    pub fn reset(&mut self, id: u32, code: Code) {
        if self.streams.get(id).is_some() {
            frame::reset(&mut self.out, id, code);
            self.remove(id);
        }
    }

    /// Resets a stream because of what the peer did on it.
    ///
    /// # Errors
    /// It was one too many.
    pub fn blame(&mut self, id: u32, code: Code) -> Result<(), Code> {
        self.reset(id, code);
        if self.meter.provoked() { Ok(()) } else { Err(Code::ENHANCE_YOUR_CALM) }
    }

    /// Nobody looks at the stream any more: what the peer still sends is thrown away, what we have not sent is
    /// missing. A stream of which nothing is left to send is not reset.
    pub fn let_go(&mut self, id: u32, code: Code) {
        match self.streams.get(id).map(|s| (s.inward, s.outward)) {
            Some((Side::Ended | Side::CutShort, Side::Ended)) => drop(self.remove(id)),
            Some(_) => self.reset(id, code),
            None => {}
        }
    }

    /// As soon as some of what was offered is used, so much may be on its way on a stream; never less than was offered.
    pub fn allow(&mut self, id: u32, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(MAX_ALLOWANCE);
        let least = self.offer.stream_window;
        if let Some(stream) = self.streams.get(id) {
            stream.allowance = bytes.max(least);
        }
    }

    /// Content was used: the peer may send as much more, within what is allowed.
    pub fn used(&mut self, id: u32, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let half = (self.offer.stream_window / 2).max(1);
        // Of a stream that is no more all was used when it ended.
        let Some(stream) = self.streams.get(id) else { return };
        let bytes = bytes.min(stream.held);
        stream.held -= bytes;
        stream.used = stream.used.saturating_add(bytes);
        let due = i64::from(stream.allowance) - stream.receive_window - i64::from(stream.held);
        let is_worth_it = stream.used >= half && due >= i64::from(stream.allowance / 2).max(1);
        if is_worth_it && stream.inward == Side::Open {
            stream.used = 0;
            stream.receive_window += due;
            frame::window_update(&mut self.out, id, u32::try_from(due).unwrap_or(0));
        }
        self.used_of_all(bytes);
    }

    pub(crate) fn used_of_all(&mut self, bytes: u32) {
        self.used = self.used.saturating_add(bytes);
        if self.used >= self.offer.connection_window.max(FIRST_WINDOW) / 2 {
            let used = std::mem::take(&mut self.used);
            self.receive_window += i64::from(used);
            frame::window_update(&mut self.out, 0, used);
        }
    }

    /// Takes a stream out. What was not used of it takes no room any more.
    pub(crate) fn remove(&mut self, id: u32) -> Option<Stream<L>> {
        self.yield_turn(id);
        let stream = self.streams.remove(id)?;
        self.used_of_all(stream.held);
        Some(stream)
    }

    /// The bytes of [`Connection::out`] were taken to be written: there is room for more.
    pub fn drained(&mut self) {
        self.grant();
    }

    /// Bytes wait to be written, and no more should be read before they are.
    pub fn is_full(&self) -> bool {
        self.out.len() >= 2 * HIGH_WATER
    }

    /// Whoever has waited longest is the next.
    pub(crate) fn grant(&mut self) {
        while self.granted.is_none() && self.has_room() {
            let Some(id) = self.queue.pop_front() else { return };
            if let Some(stream) = self.streams.get(id) {
                stream.turn = Turn::Granted;
                stream.lane.wake();
                self.granted = Some(id);
            }
        }
    }
}
