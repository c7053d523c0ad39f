//! Waiting for a peer's window.

use std::task::{Context, Poll, ready};

use ::h2::SendStream;
use bytes::Bytes;

/// Waits until a part of `wanted` bytes may be sent; the result is how much. `None` when the peer takes no more. At most
/// `most` bytes wait in memory for the window.
pub(super) fn poll(
    stream: &mut SendStream<Bytes>,
    cx: &mut Context<'_>,
    wanted: usize,
    most: usize,
) -> Poll<Option<usize>> {
    stream.reserve_capacity(wanted.min(most));
    loop {
        let room = stream.capacity();
        if room > 0 {
            return Poll::Ready(Some(room.min(wanted)));
        }
        if !matches!(ready!(stream.poll_capacity(cx)), Some(Ok(_))) {
            return Poll::Ready(None);
        }
    }
}
