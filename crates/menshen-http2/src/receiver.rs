//! Who takes what comes in over a connection.

use crate::Code;
use crate::hpack::Field;

/// What is kept for each stream by whoever serves it.
pub trait Lane {
    /// Something has changed for the stream: there is content, or room, or it is no more.
    fn wake(&mut self);

    /// The connection has ended. What has come by then can still be taken; nothing follows.
    fn lost(&mut self) {
        self.wake();
    }
}

/// What a field block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// The head of a request, on a new stream.
    Request,
    /// The head of a response, interim or final.
    Response,
    /// Trailers, which are the end of a message.
    Trailers,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The stream is reset (RFC 9113 §5.4.2).
    Stream(Code),
    /// The connection ends (RFC 9113 §5.4.1).
    Connection(Code),
}

/// Takes what comes in.
pub trait Receiver {
    /// What is kept for each stream.
    type Lane: Lane;

    /// A field block begins.
    fn begin(&mut self, block: Block);

    /// The next field of the block. Names and values are as they were sent, and may be anything.
    fn field(&mut self, field: Field<'_>);

    /// The head of a request is complete. `ends` when nothing follows it.
    ///
    /// # Errors
    /// It cannot be served.
    fn request(&mut self, stream: u32, ends: bool) -> Result<Self::Lane, Flaw>;

    /// The head of a response is complete. True when it was an interim one (RFC 9110 §15.2).
    ///
    /// # Errors
    /// It makes no sense.
    fn response(&mut self, lane: &mut Self::Lane, ends: bool) -> Result<bool, Flaw>;

    /// Trailers are complete. [`Receiver::end`] follows.
    ///
    /// # Errors
    /// They make no sense.
    fn trailers(&mut self, lane: &mut Self::Lane) -> Result<(), Flaw>;

    /// Content, without padding. It counts against the windows until [`Connection::used`](crate::Connection::used).
    ///
    /// # Errors
    /// It is more than there can be.
    fn content(&mut self, lane: &mut Self::Lane, bytes: &[u8]) -> Result<(), Flaw>;

    /// The peer has sent all of its message.
    ///
    /// # Errors
    /// Something is missing.
    fn end(&mut self, lane: &mut Self::Lane) -> Result<(), Flaw>;

    /// A stream that we have opened was reset, by either side, or the peer does not look at it. What has come by then can
    /// still be taken.
    fn reset(&mut self, lane: &mut Self::Lane, code: Code);
}
