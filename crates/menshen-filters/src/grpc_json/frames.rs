//! Messages as gRPC sends them: a flag, a length of four bytes, the message.

use menshen_proxy::Failure;

/// The bytes in front of a message.
const HEAD: usize = 5;

/// Writes a message.
pub(super) fn write(message: &[u8], out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(message);
}

/// Collects messages out of pieces of content.
pub(super) struct Messages {
    held: Vec<u8>,
    limit: usize,
}

impl Messages {
    /// Of messages no larger than this.
    pub(super) fn up_to(limit: usize) -> Self {
        Self { held: Vec::new(), limit }
    }

    /// Takes a piece, and hands over each message that is whole.
    ///
    /// # Errors
    /// [`Failure::ReplyTooLarge`]; [`Failure::BadResponseBody`] when a message is compressed, which nobody asked for;
    /// what `each` says.
    pub(super) fn push(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.held.extend_from_slice(piece);
        let mut at = 0;
        while let Some([flag, a, b, c, d]) = self.held.get(at..at + HEAD) {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            if *flag != 0 {
                return Err(Failure::BadResponseBody);
            }
            if length > self.limit {
                return Err(Failure::ReplyTooLarge);
            }
            let Some(message) = self.held.get(at + HEAD..at + HEAD + length) else { break };
            each(message)?;
            at += HEAD + length;
        }
        self.held.drain(..at);
        Ok(())
    }

    /// True between two messages.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}
