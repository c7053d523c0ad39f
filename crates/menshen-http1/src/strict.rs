//! Checks that httparse leaves to its callers.

use crate::HeadError;

/// Walks over the received bytes behind httparse and insists on the exact line structure:
/// what httparse tolerates (LF alone, extra whitespace) must not be.
pub(crate) struct Lines<'a> {
    src: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(src: &'a [u8], at: usize) -> Self {
        Self { src, at }
    }

    /// The next bytes must be optional whitespace and CRLF.
    pub(crate) fn end_of_line(&mut self) -> Result<(), HeadError> {
        while matches!(self.src.get(self.at), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        self.crlf()
    }

    /// The next bytes must be CRLF.
    pub(crate) fn crlf(&mut self) -> Result<(), HeadError> {
        match self.src.get(self.at..self.at + 2) {
            Some(b"\r\n") => {
                self.at += 2;
                Ok(())
            }
            Some([b'\n', _]) => Err(HeadError::BareLineFeed),
            _ if self.src.get(self.at) == Some(&b'\n') => Err(HeadError::BareLineFeed),
            _ => Err(HeadError::FieldLine),
        }
    }

    /// A field line must start here with this name; the cursor moves behind its value.
    pub(crate) fn field(&mut self, name_at: usize, value_at: usize, value: &[u8]) -> Result<(), HeadError> {
        if name_at != self.at {
            return Err(HeadError::FieldLine);
        }
        self.at = value_at + value.len();
        self.end_of_line()
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }
}

/// Where `part`, a slice of `whole`, starts in it.
pub(crate) fn offset(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize)
}

/// Target bytes: visible ASCII, and no fragment (RFC 3986; danger: raw 8-bit bytes are read differently downstream).
pub(crate) fn target_bytes_are_legal(target: &[u8]) -> bool {
    target.iter().all(|b| (0x21..=0x7e).contains(b) && *b != b'#')
}

/// True when no underscore is in the name.
pub(crate) fn has_no_underscore(name: &[u8]) -> bool {
    memchr::memchr(b'_', name).is_none()
}
