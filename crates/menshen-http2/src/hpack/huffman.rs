//! Texts in the Huffman code (RFC 7541 §5.2).

mod code;

use super::Error;
use code::{CODES, END, STEP_BITS, step, symbol};

/// Bytes that these bytes take in the code.
#[inline]
pub(super) fn encoded_len(text: impl Iterator<Item = u8>) -> usize {
    let bits: usize = text.map(|b| CODES.get(usize::from(b)).map_or(0, |c| usize::from(c.len))).sum();
    bits.div_ceil(8)
}

/// Appends these bytes in the code, the rest of the last byte filled with ones.
#[inline]
pub(super) fn encode(text: impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    // The low `held` bits of `window`, always fewer than 32, are still to be written.
    let (mut window, mut held) = (0_u64, 0_u32);
    for byte in text {
        let Some(code) = CODES.get(usize::from(byte)) else { continue };
        window = (window << code.len) | u64::from(code.bits);
        held += u32::from(code.len);
        if held >= u32::BITS {
            held -= u32::BITS;
            out.extend_from_slice(&((window >> held) as u32).to_be_bytes());
        }
    }
    let left = ((window << u32::BITS) | u64::from(u32::MAX)) >> held;
    out.extend_from_slice((left as u32).to_be_bytes().get(..held.div_ceil(8) as usize).unwrap_or_default());
}

/// Appends the text that `src` stands for.
pub(super) fn decode(src: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    // No code is shorter than five bits; eight bytes more, because chunks are written whole.
    out.reserve(src.len() + src.len() * 3 / 5 + 9);
    let mut bits = Bits { window: 0, held: 0, rest: src };
    while bits.fill() {
        if bits.four_steps(out) == 0 {
            bits.one_symbol(out)?;
        }
    }
    while bits.held >= STEP_BITS && bits.one_step(out) {}
    while bits.one_symbol(out)? {}
    Ok(())
}

/// The bits that are still to be decoded.
struct Bits<'a> {
    /// The next bits, from the highest down.
    window: u64,
    /// How many bits of the window are to be counted. Behind them stand bits of `rest`, or zeros.
    held: u32,
    rest: &'a [u8],
}

impl Bits<'_> {
    /// Fills the window with 56 bits or more; false when fewer are left.
    #[inline(always)]
    fn fill(&mut self) -> bool {
        if let Some((word, _)) = self.rest.split_first_chunk() {
            self.window |= u64::from_be_bytes(*word) >> self.held;
            let bytes = (63 - self.held) / 8;
            self.rest = self.rest.get(bytes as usize..).unwrap_or_default();
            self.held += bytes * 8;
            return true;
        }
        while self.held < 56 {
            let Some((byte, rest)) = self.rest.split_first() else { return false };
            self.window |= u64::from(*byte) << (56 - self.held);
            self.held += 8;
            self.rest = rest;
        }
        true
    }

    /// Appends what four steps give, eight symbols at most, and says how many. A code that is longer than a step stops
    /// it without a branch: its step takes no bits, and so do those that follow.
    #[inline(always)]
    fn four_steps(&mut self, out: &mut Vec<u8>) -> usize {
        let (mut chunk, mut count) = (0_u64, 0_usize);
        for _ in 0..4 {
            let step = step(self.window);
            chunk |= u64::from(u16::from_le_bytes(step.symbols)) << (8 * count);
            count += usize::from(step.count);
            self.take(u32::from(step.bits));
        }
        let end = out.len() + count;
        out.extend_from_slice(&chunk.to_le_bytes());
        out.truncate(end);
        count
    }

    /// Appends the symbols of one step; false if the next code is longer than that.
    fn one_step(&mut self, out: &mut Vec<u8>) -> bool {
        let step = step(self.window);
        out.extend_from_slice(step.symbols.get(..usize::from(step.count)).unwrap_or_default());
        self.take(u32::from(step.bits));
        step.count != 0
    }

    /// Appends one symbol; false at the end of the text.
    fn one_symbol(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        let padded = self.window | u64::MAX.checked_shr(self.held).unwrap_or(0);
        let (symbol, len) = symbol(padded);
        if len > self.held {
            let is_padding = self.held < 8 && padded == u64::MAX;
            return if is_padding { Ok(false) } else { Err(Error::HuffmanPadding) };
        }
        if symbol == END {
            return Err(Error::HuffmanEnd);
        }
        out.push(symbol as u8);
        self.take(len);
        Ok(true)
    }

    #[inline(always)]
    fn take(&mut self, bits: u32) {
        self.window <<= bits;
        self.held -= bits;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(src: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        decode(src, &mut out).map(|()| out)
    }

    fn encoded(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(text.iter().copied(), &mut out);
        assert_eq!(out.len(), encoded_len(text.iter().copied()));
        out
    }

    /// By the definition: bit by bit.
    fn decoded_by_bits(src: &[u8]) -> Result<Vec<u8>, Error> {
        let bits: Vec<u8> = src.iter().flat_map(|b| (0..8).rev().map(move |i| b >> i & 1)).collect();
        let (mut out, mut at) = (Vec::new(), 0);
        'symbols: loop {
            let mut code = 0_u32;
            for (len, bit) in (1..=30).zip(bits.get(at..).unwrap_or_default()) {
                code = code << 1 | u32::from(*bit);
                if len == 30 && code == (1 << 30) - 1 {
                    return Err(Error::HuffmanEnd);
                }
                if let Some(byte) = CODES.iter().position(|c| (c.bits, c.len) == (code, len)) {
                    out.push(byte as u8);
                    at += usize::from(len);
                    continue 'symbols;
                }
            }
            let rest = &bits[at..];
            let is_padding = rest.len() < 8 && rest.iter().all(|b| *b == 1);
            return if is_padding { Ok(out) } else { Err(Error::HuffmanPadding) };
        }
    }

    #[test]
    fn padding_is_at_most_seven_ones() {
        // "0" is 00000; three ones follow.
        assert_eq!(decoded(&[0b0000_0111]), Ok(b"0".to_vec()));
        assert_eq!(decoded(&[]), Ok(Vec::new()));
        for wrong in [&[0b0000_0110][..], &[0b0000_0111, 0xff], &[0xff], &[0b0000_0011], &[0xff, 0xff, 0xff]]
        {
            assert_eq!(decoded(wrong), Err(Error::HuffmanPadding), "{wrong:x?}");
        }
        // "!" is ten bits, 1111111000: its first eight are no padding.
        assert_eq!(decoded(&[0xfe]), Err(Error::HuffmanPadding));
    }

    #[test]
    fn the_end_symbol_is_refused_anywhere() {
        assert_eq!(decoded(&[0xff; 4]), Err(Error::HuffmanEnd));
        assert_eq!(decoded(&[0xff; 40]), Err(Error::HuffmanEnd));
        let mut text = encoded(b"00000000");
        text.extend([0xff; 4]);
        assert_eq!(decoded(&text), Err(Error::HuffmanEnd));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(text in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(decoded(&encoded(&text)), Ok(text));
        }

        #[test]
        fn plain_text_is_decoded(text in "[ -~]{0,120}") {
            prop_assert_eq!(decoded(&encoded(text.as_bytes())), Ok(text.into_bytes()));
        }

        #[test]
        fn any_bytes_are_read_as_bit_by_bit(src in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xff), 0xf0_u8..], 0..40)) {
            prop_assert_eq!(decoded(&src), decoded_by_bits(&src));
        }
    }
}
