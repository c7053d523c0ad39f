//! The Huffman code (RFC 7541 Appendix B) and its tables.
//!
//! The code is canonical: within a length codes count up with the symbols, and shorter codes come first. So the
//! lengths are all there is to it, and the tables are made of them while compiling.

/// The symbol that must not appear in a string.
pub(super) const END: u16 = 256;

/// The longest code, in bits.
const LONGEST: usize = 30;

/// Bits that one step of decoding looks at. Its table takes 8 KiB; one of twice the size is a fifth faster, as long as
/// nothing else wants the cache.
pub(super) const STEP_BITS: u32 = 11;

/// Bits of the code of each symbol.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24,
    23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23,
    23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26,
    26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20,
    21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27,
    27, 27, 26, 30,
];

/// A code word: its bits at the low end, and how many they are.
#[derive(Clone, Copy)]
pub(super) struct Code {
    pub bits: u32,
    pub len: u8,
}

/// The codes of all bytes.
pub(super) const CODES: [Code; 256] = codes();

/// The codes of one length.
#[derive(Clone, Copy)]
struct Row {
    /// The first code.
    first: u32,
    /// One more than the last code.
    end: u32,
    /// Where the symbol of the first stands in [`SORTED`].
    at: u16,
}

/// The codes by length.
const ROWS: [Row; LONGEST + 1] = rows();

/// All symbols by their codes.
const SORTED: [u16; 257] = sorted();

/// What the next [`STEP_BITS`] bits say: as many whole symbols as fit, two at most.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// The symbols, in order; 0 where there is none.
    pub symbols: [u8; 2],
    /// How many there are: none if the code of the first is longer than a step.
    pub count: u8,
    /// Bits that they take.
    pub bits: u8,
}

static STEPS: [Step; 1 << STEP_BITS] = steps();

/// The step that the highest bits of `window` lead to.
#[inline(always)]
pub(super) fn step(window: u64) -> Step {
    let at = (window >> (u64::BITS - STEP_BITS)) as usize;
    STEPS.get(at).copied().unwrap_or(Step { symbols: [0; 2], count: 0, bits: 0 })
}

/// The symbol at the highest bits of `window`, and the bits it takes.
#[expect(
    clippy::indexing_slicing,
    reason = "SORTED has a symbol for each code of ROWS, and 30 bits are always some code"
)]
pub(super) const fn symbol(window: u64) -> (u16, u32) {
    let mut len = 5;
    while len < LONGEST {
        let code = (window >> (u64::BITS as usize - len)) as u32;
        if code < ROWS[len].end {
            break;
        }
        len += 1;
    }
    let code = (window >> (u64::BITS as usize - len)) as u32;
    (SORTED[(ROWS[len].at as u32 + code - ROWS[len].first) as usize], len as u32)
}

#[expect(clippy::indexing_slicing, reason = "runs while compiling only")]
const fn rows() -> [Row; LONGEST + 1] {
    let mut rows = [Row { first: 0, end: 0, at: 0 }; LONGEST + 1];
    let (mut len, mut code, mut at) = (1, 0, 0);
    while len <= LONGEST {
        code <<= 1;
        rows[len] = Row { first: code, end: code, at };
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == len {
                code += 1;
                at += 1;
            }
            symbol += 1;
        }
        rows[len].end = code;
        len += 1;
    }
    assert!(code == 1 << LONGEST, "not a complete prefix code");
    rows
}

#[expect(clippy::indexing_slicing, reason = "runs while compiling only")]
const fn sorted() -> [u16; 257] {
    let mut out = [0; 257];
    let (mut len, mut at) = (1, 0);
    while len <= LONGEST {
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == len {
                out[at] = symbol as u16;
                at += 1;
            }
            symbol += 1;
        }
        len += 1;
    }
    out
}

#[expect(clippy::indexing_slicing, reason = "runs while compiling only")]
const fn codes() -> [Code; 256] {
    let mut out = [Code { bits: 0, len: 0 }; 256];
    let mut at = 0;
    while at < SORTED.len() {
        if SORTED[at] != END {
            let symbol = SORTED[at] as usize;
            let row = ROWS[LENGTHS[symbol] as usize];
            out[symbol] = Code { bits: row.first + at as u32 - row.at as u32, len: LENGTHS[symbol] };
        }
        at += 1;
    }
    out
}

#[expect(clippy::indexing_slicing, reason = "runs while compiling only")]
const fn steps() -> [Step; 1 << STEP_BITS] {
    let mut out = [Step { symbols: [0; 2], count: 0, bits: 0 }; 1 << STEP_BITS];
    let mut at = 0;
    while at < out.len() {
        let window = (at as u64) << (u64::BITS - STEP_BITS);
        let (first, len) = symbol(window);
        if len <= STEP_BITS {
            let (second, more) = symbol(window << len);
            out[at] = if len + more <= STEP_BITS {
                Step { symbols: [first as u8, second as u8], count: 2, bits: (len + more) as u8 }
            } else {
                Step { symbols: [first as u8, 0], count: 1, bits: len as u8 }
            };
        }
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some rows of Appendix B: of each part of it, and the ends of lengths.
    const APPENDIX_B: [(u16, u32, u8); 20] = [
        (0, 0x1ff8, 13),
        (1, 0x7f_ffd8, 23),
        (10, 0x3fff_fffc, 30),
        (22, 0x3fff_fffe, 30),
        (32, 0x14, 6),
        (33, 0x3f8, 10),
        (48, 0x0, 5),
        (57, 0x1f, 6),
        (90, 0xfd, 8),
        (92, 0x7_fff0, 19),
        (97, 0x3, 5),
        (116, 0x9, 5),
        (122, 0x7b, 7),
        (127, 0xfff_fffc, 28),
        (128, 0xf_ffe6, 20),
        (195, 0x7_fff1, 19),
        (203, 0x7ff_ffde, 27),
        (249, 0xfff_fffe, 28),
        (254, 0x7ff_fff0, 27),
        (255, 0x3ff_ffee, 26),
    ];

    #[test]
    fn codes_are_those_of_the_appendix() {
        for (symbol, bits, len) in APPENDIX_B {
            let code = CODES[usize::from(symbol)];
            assert_eq!((code.bits, code.len), (bits, len), "symbol {symbol}");
        }
    }

    #[test]
    fn lengths_make_a_complete_code() {
        let kraft: u64 = LENGTHS.iter().map(|l| 1 << (30 - l)).sum();
        assert_eq!(kraft, 1 << 30);
    }

    #[test]
    fn every_code_is_read_back_and_the_last_one_is_the_end() {
        for (byte, code) in CODES.iter().enumerate() {
            let window = u64::from(code.bits) << (64 - code.len);
            assert_eq!(symbol(window), (byte as u16, u32::from(code.len)));
        }
        assert_eq!(symbol(u64::MAX), (END, 30));
    }
}
