//! The frames of messages: a flag, a length of four bytes, the message.

/// Finds the ends of frames in a stream of bytes.
#[derive(Default)]
pub(super) struct Frames {
    /// How much of a frame's head has passed, and its length as far as it is known.
    head: u8,
    /// What is still to come of the message.
    left: u32,
}

/// The bytes of a frame's head.
const HEAD: u8 = 5;

impl Frames {
    /// How many bytes of the piece belong to the frame that is under way, and whether it ends with them.
    pub(super) fn pass(&mut self, piece: &[u8]) -> (usize, Frame) {
        let mut passed = 0;
        for byte in piece.iter().take(usize::from(HEAD.saturating_sub(self.head))) {
            // The flag is pushed out by the four bytes of the length.
            self.left = self.left << 8 | u32::from(*byte);
            self.head += 1;
            passed += 1;
        }
        if self.head < HEAD {
            return (passed, Frame::UnderWay);
        }
        let rest = u32::try_from(piece.len() - passed).unwrap_or(u32::MAX).min(self.left);
        self.left -= rest;
        passed += rest as usize;
        if self.left > 0 {
            return (passed, Frame::UnderWay);
        }
        *self = Self::default();
        (passed, Frame::Ended)
    }

    /// True within a frame.
    pub(super) fn is_under_way(&self) -> bool {
        self.head > 0
    }
}

/// Where a piece of a frame leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    UnderWay,
    Ended,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places where frames end.
    fn ends(pieces: &[&[u8]]) -> Vec<usize> {
        let (mut frames, mut at, mut ends) = (Frames::default(), 0, Vec::new());
        for piece in pieces {
            let mut piece = *piece;
            while !piece.is_empty() {
                let (n, frame) = frames.pass(piece);
                at += n;
                if frame == Frame::Ended {
                    ends.push(at);
                }
                piece = &piece[n..];
            }
        }
        ends
    }

    #[test]
    fn ends_are_found_however_the_frames_are_split() {
        let stream = [&[0, 0, 0, 0, 3][..], b"abc", &[1, 0, 0, 0, 0], &[0, 0, 0, 1, 1], &[7; 257]].concat();
        for a in 0..=stream.len() {
            assert_eq!(ends(&[&stream[..a], &stream[a..]]), [8, 13, 275], "split at {a}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(ends(&bytes), [8, 13, 275]);
    }

    #[test]
    fn the_flag_is_no_part_of_the_length() {
        assert_eq!(ends(&[&[0xff, 0, 0, 0, 1, 9, 0]]), [6]);
    }
}
