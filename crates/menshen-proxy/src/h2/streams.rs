//! What a client did to its streams (RFC 9113 §5.1): which it opened, whether it may still send on them, and how much it
//! would take of an answer.

use std::collections::VecDeque;

use ::h2::Reason;

/// Streams that are remembered, beside those that are open.
const REMEMBERED: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// More may come.
    Open,
    /// The client ended its side.
    Ended,
    /// The client took the request back.
    Reset,
    /// We reset it: the client may not know yet.
    ResetByUs,
}

/// The largest window (RFC 9113 §6.9.1).
pub(super) const MAX_WINDOW: u32 = (1 << 31) - 1;
/// The window of a stream unless settings say otherwise (RFC 9113 §6.9.2).
const FIRST_WINDOW: u32 = 65_535;

#[derive(Clone, Copy, Debug)]
struct Stream {
    id: u32,
    state: State,
    /// What the client would take, more or less than the window that every stream starts with.
    window: i64,
}

/// The streams of a client.
#[derive(Debug)]
pub(super) struct Streams {
    /// The last one that was opened.
    last: u32,
    /// By number.
    known: VecDeque<Stream>,
    most: usize,
    first_window: u32,
}

impl Streams {
    /// For a client that may have this many requests under way.
    pub(super) fn new(allowed: u32) -> Self {
        let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
        let most = allowed.saturating_mul(2).saturating_add(REMEMBERED);
        Self { last: 0, known: VecDeque::new(), most, first_window: FIRST_WINDOW }
    }

    /// True when the client has never opened it (RFC 9113 §5.1.1).
    pub(super) fn is_idle(&self, id: u32) -> bool {
        id > self.last || id.is_multiple_of(2)
    }

    /// True when a field block on this stream is a trailer section.
    pub(super) fn is_open(&self, id: u32) -> bool {
        self.find(id) == Some(State::Open)
    }

    /// A field block: a request, or the trailers of one.
    pub(super) fn headers(&mut self, id: u32, ends: bool) -> Result<(), Reason> {
        if id.is_multiple_of(2) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        if id > self.last {
            self.last = id;
            let state = if ends { State::Ended } else { State::Open };
            self.known.push_back(Stream { id, state, window: 0 });
            return self.forget();
        }
        match self.find(id) {
            Some(State::Open) if ends => self.set(id, State::Ended),
            Some(State::ResetByUs) => {}
            // Trailers that are not the end (RFC 9113 §8.1), or a number that was passed over.
            Some(State::Open) | None => return Err(Reason::PROTOCOL_ERROR),
            Some(State::Ended | State::Reset) => return Err(Reason::STREAM_CLOSED),
        }
        Ok(())
    }

    /// Content.
    pub(super) fn data(&mut self, id: u32, ends: bool) -> Result<(), Reason> {
        if self.is_idle(id) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        match self.find(id) {
            Some(State::Open) if ends => self.set(id, State::Ended),
            Some(State::Open | State::ResetByUs) => {}
            Some(State::Ended | State::Reset) | None => return Err(Reason::STREAM_CLOSED),
        }
        Ok(())
    }

    /// The client takes a request back.
    pub(super) fn reset(&mut self, id: u32) -> Result<(), Reason> {
        if self.is_idle(id) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        self.set(id, State::Reset);
        Ok(())
    }

    /// We reset a stream; what is on its way is no offence.
    pub(super) fn reset_by_us(&mut self, id: u32) {
        if self.is_open(id) {
            self.set(id, State::ResetByUs);
        }
    }

    /// Every stream starts with this window, those too that are open (RFC 9113 §6.9.2).
    pub(super) fn start_with_window(&mut self, bytes: u32) {
        self.first_window = bytes;
    }

    /// The client takes more of an answer (RFC 9113 §6.9.1). What it did not get yet must fit into a window.
    pub(super) fn opens(&mut self, id: u32, bytes: u32) -> Result<(), Reason> {
        let first = i64::from(self.first_window);
        let Some(stream) = self.get(id) else { return Ok(()) };
        stream.window += i64::from(bytes);
        let is_possible = first + stream.window <= i64::from(MAX_WINDOW);
        if is_possible { Ok(()) } else { Err(Reason::FLOW_CONTROL_ERROR) }
    }

    /// We sent content.
    pub(super) fn sent(&mut self, id: u32, bytes: usize) {
        if let Some(stream) = self.get(id) {
            stream.window -= i64::try_from(bytes).unwrap_or(0);
        }
    }

    fn place(&self, id: u32) -> Option<usize> {
        self.known.binary_search_by_key(&id, |stream| stream.id).ok()
    }

    fn get(&mut self, id: u32) -> Option<&mut Stream> {
        let place = self.place(id)?;
        self.known.get_mut(place)
    }

    fn find(&self, id: u32) -> Option<State> {
        self.known.get(self.place(id)?).map(|stream| stream.state)
    }

    fn set(&mut self, id: u32, state: State) {
        if let Some(stream) = self.get(id) {
            stream.state = state;
        }
    }

    /// Forgets the oldest that has ended. Where none has, the client opens streams and does not care what becomes of
    /// them.
    fn forget(&mut self) -> Result<(), Reason> {
        if self.known.len() <= REMEMBERED {
            return Ok(());
        }
        let ended = self.known.iter().position(|stream| stream.state != State::Open);
        match ended.and_then(|place| self.known.remove(place)) {
            None if self.known.len() > self.most => Err(Reason::ENHANCE_YOUR_CALM),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_still_come_depends_on_what_the_client_did() {
        let mut streams = Streams::new(100);
        streams.headers(1, false).unwrap();
        streams.headers(5, true).unwrap();
        streams.headers(7, false).unwrap();
        streams.reset(7).unwrap();
        assert_eq!(streams.data(1, false), Ok(()));
        for (id, data, headers) in [
            (2, Reason::PROTOCOL_ERROR, Reason::PROTOCOL_ERROR),
            (3, Reason::STREAM_CLOSED, Reason::PROTOCOL_ERROR),
            (5, Reason::STREAM_CLOSED, Reason::STREAM_CLOSED),
            (7, Reason::STREAM_CLOSED, Reason::STREAM_CLOSED),
        ] {
            assert_eq!(
                (streams.data(id, true), streams.headers(id, true)),
                (Err(data), Err(headers)),
                "{id}"
            );
        }
        assert_eq!(streams.data(9, true), Err(Reason::PROTOCOL_ERROR));
        assert_eq!(streams.reset(9), Err(Reason::PROTOCOL_ERROR));
        assert_eq!(
            (streams.headers(1, true), streams.headers(1, true)),
            (Ok(()), Err(Reason::STREAM_CLOSED))
        );
    }

    #[test]
    fn trailers_are_the_end() {
        let mut streams = Streams::new(100);
        streams.headers(1, false).unwrap();
        assert_eq!(streams.headers(1, false), Err(Reason::PROTOCOL_ERROR));
    }

    #[test]
    fn what_is_on_its_way_when_we_reset_a_stream_is_no_offence() {
        let mut streams = Streams::new(100);
        streams.headers(1, false).unwrap();
        streams.reset_by_us(1);
        assert_eq!((streams.data(1, false), streams.headers(1, true)), (Ok(()), Ok(())));
        streams.headers(3, true).unwrap();
        streams.reset_by_us(3);
        assert_eq!(streams.data(3, true), Err(Reason::STREAM_CLOSED), "the client knew that it had ended");
    }

    #[test]
    fn an_open_stream_is_remembered_however_many_others_come() {
        let mut streams = Streams::new(10);
        streams.headers(1, false).unwrap();
        for id in 1..10_000 {
            streams.headers(2 * id + 1, true).unwrap();
        }
        assert_eq!(streams.data(1, false), Ok(()));
        assert_eq!(streams.known.len(), REMEMBERED);
    }

    #[test]
    fn who_opens_streams_without_end_is_told_to_calm_down() {
        let mut streams = Streams::new(10);
        let opened = (0..1000).take_while(|id| streams.headers(2 * id + 1, false).is_ok()).count();
        assert_eq!(opened, streams.most);
    }

    #[test]
    fn a_window_holds_what_was_not_sent_yet() {
        let mut streams = Streams::new(10);
        streams.headers(1, true).unwrap();
        assert_eq!(streams.opens(1, MAX_WINDOW - FIRST_WINDOW), Ok(()));
        streams.sent(1, 10);
        assert_eq!((streams.opens(1, 10), streams.opens(1, 1)), (Ok(()), Err(Reason::FLOW_CONTROL_ERROR)));
        streams.headers(3, true).unwrap();
        streams.start_with_window(0);
        assert_eq!(streams.opens(3, MAX_WINDOW), Ok(()), "the window that streams start with has changed");
        assert_eq!(streams.opens(99, MAX_WINDOW), Ok(()), "forgotten");
    }
}
