//! Integers with a prefix of 4 to 7 bits (RFC 7541 §5.1).

use super::Error;

/// Most bytes after the prefix: 35 bits, of which the value may take 32.
const MOST_BYTES: u32 = 5;

/// Reads the integer whose prefix is the low `prefix` bits of `first`; `rest` is what follows.
#[inline]
pub(super) fn read(first: u8, prefix: u32, rest: &mut &[u8]) -> Result<u32, Error> {
    let full = (1 << prefix) - 1;
    let value = u32::from(first) & full;
    if value < full { Ok(value) } else { read_long(full, rest) }
}

fn read_long(full: u32, rest: &mut &[u8]) -> Result<u32, Error> {
    let mut value = u64::from(full);
    for i in 0..MOST_BYTES {
        let (&byte, after) = rest.split_first().ok_or(Error::Truncated)?;
        *rest = after;
        value += u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return u32::try_from(value).map_err(|_| Error::Integer);
        }
    }
    Err(Error::Integer)
}

/// Writes an integer; `flags` are the bits of the first byte above the prefix.
#[inline]
pub(super) fn write(flags: u8, prefix: u32, value: usize, out: &mut Vec<u8>) {
    let full = (1_u8 << prefix) - 1;
    match u8::try_from(value) {
        Ok(small) if small < full => out.push(flags | small),
        _ => {
            out.push(flags | full);
            write_long(value - usize::from(full), out);
        }
    }
}

fn write_long(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(0x80 | (value & 0x7f) as u8);
        value >>= 7;
    }
    out.push(value as u8);
}
