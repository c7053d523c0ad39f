//! As much of WebSocket (RFC 6455) as a gateway needs to say goodbye: where one frame ends and the next begins.

/// A Close frame from the server's side with the code 1001, "going away" (RFC 6455 §5.5.1, §7.4.1).
pub(crate) const GOING_AWAY: &[u8] = &[0x88, 0x02, 0x03, 0xe9];

/// The longest frame header: two bytes, a length of eight, a mask of four.
const LONGEST: usize = 14;

/// Follows the frames of one direction.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    header: [u8; LONGEST],
    /// Bytes of the header seen so far.
    seen: usize,
    /// Bytes of the payload still to come.
    payload: u64,
}

impl Frames {
    /// Takes note of bytes that passed.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
            self.payload -= skipped as u64;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let Some((first, rest)) = bytes.split_first() else { break };
            if let Some(place) = self.header.get_mut(self.seen) {
                *place = *first;
            }
            self.seen += 1;
            bytes = rest;
            if let Some(payload) = self.payload_length() {
                self.payload = payload;
                self.seen = 0;
            }
        }
    }

    /// True when all frames that began have ended.
    pub(crate) fn at_boundary(&self) -> bool {
        self.seen == 0 && self.payload == 0
    }

    /// The length of the payload, once the header is complete (RFC 6455 §5.2).
    fn payload_length(&self) -> Option<u64> {
        let [_, second, length @ ..] = &self.header;
        let (extended, short) = match second & 0x7f {
            126 => (2, 0),
            127 => (8, 0),
            short => (0, u64::from(short)),
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        if self.seen < 2 + extended + mask {
            return None;
        }
        let long = length.get(..extended).unwrap_or_default();
        Some(long.iter().fold(short, |n, b| n << 8 | u64::from(*b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: usize, mask: u8) -> Vec<u8> {
        let mut bytes = vec![0x82];
        match payload {
            0..=125 => bytes.push(mask | payload as u8),
            126..=0xffff => {
                bytes.push(mask | 126);
                bytes.extend((payload as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        if mask != 0 {
            bytes.extend([1, 2, 3, 4]);
        }
        bytes.resize(bytes.len() + payload, b'x');
        bytes
    }

    #[test]
    fn boundaries_are_found_however_frames_are_cut() {
        for payload in [0, 1, 125, 126, 65_535, 65_536] {
            for mask in [0, 0x80] {
                let bytes = frame(payload, mask);
                for size in [1, 3, 1000, bytes.len()] {
                    let mut frames = Frames::default();
                    let (last, before) = bytes.split_last().unwrap();
                    before.chunks(size).for_each(|part| frames.pass(part));
                    assert!(!frames.at_boundary(), "{payload} {mask} {size}");
                    frames.pass(&[*last]);
                    assert!(frames.at_boundary(), "{payload} {mask} {size}");
                }
            }
        }
    }

    #[test]
    fn frames_in_one_piece_are_told_apart() {
        let mut frames = Frames::default();
        frames.pass(&[frame(3, 0), frame(200, 0x80), GOING_AWAY.to_vec()].concat());
        assert!(frames.at_boundary());
    }
}
