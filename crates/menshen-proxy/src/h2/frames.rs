//! Walks over frames while their bytes pass by, in pieces of any size (RFC 9113 §4.1).

use ::h2::Reason;

/// Bytes of a frame header.
const HEADER: usize = 9;
/// The most of a payload that is put together for a look at it.
const PART: usize = 8;
/// The size of a part that stands for all that follows, in pieces as they come.
pub(super) const REST: usize = usize::MAX;

/// Types of frames (RFC 9113 §6).
pub(super) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub(super) mod flag {
    pub(crate) const END_STREAM: u8 = 0x1;
    pub(crate) const ACK: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of the payload.
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

/// Bytes of a header behind the type.
pub(super) const BEHIND_TYPE: usize = 5;

impl Head {
    fn read([a, b, c, kind, flags, stream @ ..]: [u8; HEADER]) -> Self {
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        // The first bit is reserved and means nothing.
        Self { length, kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff }
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Who looks at frames.
pub(super) trait Watcher {
    /// A frame begins, whose header ends at this place of the bytes walked over. The result is how many bytes of its
    /// payload to show in one part: up to [`PART`], or [`REST`].
    fn begins(&mut self, head: &Head, end: usize) -> Result<usize, Reason>;

    /// A part of the payload. The result is the size of the next; what is too little for a part is not shown.
    fn part(&mut self, head: &Head, part: &[u8]) -> Result<usize, Reason>;
}

/// A frame that must not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offence {
    /// Where in the bytes walked over it starts.
    pub(super) at: usize,
    pub(super) reason: Reason,
}

/// Where a walk stands between two reads or writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Walker {
    header: [u8; HEADER],
    /// Bytes of the header seen so far.
    seen: usize,
    head: Head,
    /// Bytes of the payload still to come.
    payload: usize,
    part: [u8; PART],
    /// Bytes of the part seen so far, and those that make it whole.
    partial: usize,
    wanted: usize,
}

impl Walker {
    /// Walks over bytes.
    ///
    /// # Errors
    /// The watcher refuses a frame.
    pub(super) fn walk(&mut self, bytes: &[u8], watcher: &mut impl Watcher) -> Result<(), Offence> {
        let (mut at, mut start) = (0, 0);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let refused = |reason| Offence { at: start, reason };
            if self.payload > 0 {
                let n = self.payload(rest, watcher).map_err(refused)?;
                at += n;
                continue;
            }
            if self.seen == 0 {
                start = at;
            }
            at += fill(&mut self.header, &mut self.seen, HEADER, rest);
            if self.seen == HEADER {
                self.seen = 0;
                self.head = Head::read(self.header);
                self.payload = self.head.length;
                let refused = |reason| Offence { at: start, reason };
                self.wanted = watcher.begins(&self.head, at).map_err(refused)?;
            }
        }
        Ok(())
    }

    /// Goes on in the payload; the result is how far.
    fn payload(&mut self, rest: &[u8], watcher: &mut impl Watcher) -> Result<usize, Reason> {
        let rest = rest.get(..self.payload).unwrap_or(rest);
        let n = match self.wanted {
            0 => rest.len(),
            REST => {
                self.wanted = watcher.part(&self.head, rest)?;
                rest.len()
            }
            wanted => {
                let n = fill(&mut self.part, &mut self.partial, wanted, rest);
                if self.partial == wanted {
                    self.partial = 0;
                    let part = self.part.get(..wanted).unwrap_or_default();
                    self.wanted = watcher.part(&self.head, part)?;
                }
                n
            }
        };
        self.payload -= n;
        if self.payload == 0 {
            (self.partial, self.wanted) = (0, 0);
        }
        Ok(n)
    }
}

/// Copies what is missing until there are `wanted` bytes; the result is how many were taken.
fn fill(to: &mut [u8], have: &mut usize, wanted: usize, from: &[u8]) -> usize {
    let n = wanted.min(to.len()).saturating_sub(*have).min(from.len());
    if let (Some(room), Some(bytes)) = (to.get_mut(*have..*have + n), from.get(..n)) {
        room.copy_from_slice(bytes);
    }
    *have += n;
    n
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A frame as bytes.
    pub(in super::super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags];
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Writes down what it sees.
    #[derive(Default)]
    struct Scribe {
        seen: Vec<String>,
    }

    impl Watcher for Scribe {
        fn begins(&mut self, head: &Head, _: usize) -> Result<usize, Reason> {
            self.seen.push(format!("{} on {} of {}", head.kind, head.stream, head.length));
            match head.kind {
                kind::PUSH_PROMISE => Err(Reason::PROTOCOL_ERROR),
                kind::SETTINGS => Ok(6),
                kind::PRIORITY => Ok(4),
                _ => Ok(0),
            }
        }

        fn part(&mut self, head: &Head, part: &[u8]) -> Result<usize, Reason> {
            self.seen.push(format!("{part:?}"));
            Ok(if head.kind == kind::SETTINGS { 6 } else { 0 })
        }
    }

    #[test]
    fn frames_are_seen_the_same_however_they_are_cut() {
        let bytes = [
            frame(kind::SETTINGS, 0, 0, &[1; 12]),
            frame(kind::PRIORITY, 0, 0x8000_0003, &[0, 0, 0, 1, 9]),
            frame(kind::DATA, 0, 3, &[7; 300]),
            frame(kind::SETTINGS, 0, 0, &[2; 7]),
            frame(kind::PING, 0, 0, &[]),
        ]
        .concat();
        let mut whole = Scribe::default();
        Walker::default().walk(&bytes, &mut whole).unwrap();
        assert_eq!(whole.seen[3..7], ["2 on 3 of 5", "[0, 0, 0, 1]", "0 on 3 of 300", "4 on 0 of 7"]);
        for size in 1..40 {
            let (mut walker, mut scribe) = (Walker::default(), Scribe::default());
            assert!(bytes.chunks(size).all(|piece| walker.walk(piece, &mut scribe).is_ok()));
            assert_eq!(scribe.seen, whole.seen, "{size}");
        }
    }

    #[test]
    fn an_offence_is_where_its_frame_starts() {
        let good = frame(kind::PING, 0, 0, &[0; 8]);
        let bytes = [good.clone(), frame(kind::PUSH_PROMISE, 0, 1, &[0; 4]), good.clone()].concat();
        let offence = Walker::default().walk(&bytes, &mut Scribe::default()).unwrap_err();
        assert_eq!(offence, Offence { at: good.len(), reason: Reason::PROTOCOL_ERROR });
    }
}
