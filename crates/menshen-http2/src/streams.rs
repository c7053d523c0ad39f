//! The streams of a connection (RFC 9113 §5.1): those that are open, and how the last ones ended.

use std::collections::VecDeque;

use crate::Lane;

/// Streams that the peer has ended and that are remembered, so that it is told what it did wrong.
const ENDED: usize = 64;
/// Streams that we have cut short and that are remembered, because frames of theirs may still be on their way. More than
/// the others, and apart from them: to forget one too early costs a connection that did nothing wrong.
const CUT_SHORT: usize = 256;

/// The largest number of a stream (RFC 9113 §5.1.1).
const LAST: u32 = 0x7fff_ffff;

/// One direction of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// More may come.
    Open,
    /// END_STREAM was seen, or it was reset by whoever sends.
    Ended,
    /// We have reset it and the peer may not know yet: what comes is thrown away.
    CutShort,
}

/// Whether a stream may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It has not asked.
    None,
    /// It stands in the queue.
    Queued,
    /// It is the next one.
    Granted,
}

/// A stream that is open in one direction at least.
#[derive(Debug)]
pub(crate) struct Stream<L> {
    pub(crate) id: u32,
    /// What the peer sends.
    pub(crate) inward: Side,
    /// What we send.
    pub(crate) outward: Side,
    /// Content that the peer would take. Settings can make it negative (RFC 9113 §6.9.2).
    pub(crate) send_window: i64,
    /// Content that the peer may send.
    pub(crate) receive_window: i64,
    /// Content that was received and not used yet.
    pub(crate) held: u32,
    /// Content that was used, for which the peer has no window update yet.
    pub(crate) used: u32,
    /// Content that may be on its way to whoever uses it: what the peer may send, and what is held.
    pub(crate) allowance: u32,
    pub(crate) turn: Turn,
    /// The final head of a response has come.
    pub(crate) has_head: bool,
    pub(crate) lane: L,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer had sent all, or took it back: it must not send more.
    ByPeer,
    /// We reset it while the peer was sending: it may not know yet.
    ByUs,
}

/// What is known of the number of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nobody has opened it.
    Idle,
    /// It is open, and this is what the peer may do.
    Open(Side),
    Past(End),
    /// It was ended or passed over long ago.
    Forgotten,
}

#[derive(Debug)]
pub(crate) struct Streams<L> {
    /// By number.
    open: VecDeque<Stream<L>>,
    ended: VecDeque<u32>,
    cut_short: VecDeque<u32>,
    /// The last one that was opened.
    pub(crate) last: u32,
}

impl<L: Lane> Streams<L> {
    pub(crate) fn new() -> Self {
        Self { open: VecDeque::new(), ended: VecDeque::new(), cut_short: VecDeque::new(), last: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn is_idle(&self, id: u32) -> bool {
        id > self.last || id.is_multiple_of(2)
    }

    pub(crate) fn known(&mut self, id: u32) -> Known {
        if self.is_idle(id) {
            return Known::Idle;
        }
        if let Some(stream) = self.get(id) {
            return Known::Open(stream.inward);
        }
        if self.cut_short.contains(&id) {
            return Known::Past(End::ByUs);
        }
        if self.ended.contains(&id) { Known::Past(End::ByPeer) } else { Known::Forgotten }
    }

    pub(crate) fn get(&mut self, id: u32) -> Option<&mut Stream<L>> {
        // The one asked for is often the last one.
        if self.open.back().is_some_and(|last| last.id == id) {
            return self.open.back_mut();
        }
        let place = self.place(id)?;
        self.open.get_mut(place)
    }

    fn place(&self, id: u32) -> Option<usize> {
        self.open.binary_search_by_key(&id, |stream| stream.id).ok()
    }

    pub(crate) fn push(&mut self, stream: Stream<L>) {
        self.last = self.last.max(stream.id);
        self.open.push_back(stream);
    }

    /// Takes a stream out, and remembers how it ended.
    pub(crate) fn remove(&mut self, id: u32) -> Option<Stream<L>> {
        let stream = self.open.remove(self.place(id)?)?;
        self.remember(id, if stream.inward == Side::Ended { End::ByPeer } else { End::ByUs });
        Some(stream)
    }

    pub(crate) fn remember(&mut self, id: u32, end: End) {
        let (past, most) = match end {
            End::ByPeer => (&mut self.ended, ENDED),
            End::ByUs => (&mut self.cut_short, CUT_SHORT),
        };
        if past.len() == most {
            past.pop_front();
        }
        past.push_back(id);
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream<L>> {
        self.open.iter_mut()
    }

    /// Takes out the last one, and remembers nothing.
    pub(crate) fn pop(&mut self) -> Option<Stream<L>> {
        self.open.pop_back()
    }

    /// The number of the next stream of a client's (RFC 9113 §5.1.1). `None` when there are no more.
    pub(crate) fn next(&self) -> Option<u32> {
        match self.last {
            0 => Some(1),
            last => last.checked_add(2).filter(|id| *id <= LAST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Connection, Offer, Role};

    impl Lane for () {
        fn wake(&mut self) {}
    }

    #[test]
    fn a_client_whose_numbers_run_out_leaves() {
        let offer = Offer {
            streams: 0,
            stream_window: 65_535,
            connection_window: 65_535,
            head: 1,
            block: 1,
            table: 0,
        };
        let mut client = Connection::<()>::new(Role::Client, offer, Vec::new());
        client.streams.last = LAST - 2;
        assert!(!client.is_leaving());
        assert_eq!(client.open(()), Some(LAST));
        assert!(client.is_leaving(), "or it would be asked for ever");
        assert_eq!(client.open(()), None);
    }

    #[test]
    fn those_that_have_ended_are_remembered_up_to_a_number_each_kind_for_itself() {
        let mut streams = Streams::<()>::new();
        streams.last = 9_999;
        for id in (1..10_000).step_by(2) {
            streams.remember(id, if id < 5_000 { End::ByUs } else { End::ByPeer });
        }
        assert_eq!((streams.cut_short.len(), streams.ended.len()), (CUT_SHORT, ENDED));
        assert_eq!(
            (streams.known(4_999), streams.known(9_999)),
            (Known::Past(End::ByUs), Known::Past(End::ByPeer))
        );
        assert_eq!(streams.known(1), Known::Forgotten);
    }
}
