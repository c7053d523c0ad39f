//! What the pipeline needs of a client, whatever protocol it speaks.

use std::task::{Context, Poll};

use menshen_http1::ResponseHead;

use crate::serve::Answer;
use crate::timers::Deadline;
use crate::{Exchange, Failure, Finished};

/// A piece of content, or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// There are bytes.
    Data,
    /// There will be no more.
    End,
}

/// The client's side of one exchange.
pub(crate) trait Downstream {
    /// Waits for request content; then [`Downstream::content`] has some.
    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<Content, Failure>>;

    /// The request content at hand.
    fn content(&self) -> &[u8];

    /// `n` bytes of the content at hand were used.
    fn consume(&mut self, n: usize);

    /// More content than this is [`Failure::BodyTooLarge`].
    fn limit_content(&mut self, bytes: u64);

    /// True when all request content was used.
    fn content_is_ended(&self) -> bool;

    /// True when some request content was used, so that it cannot be sent again.
    fn content_was_taken(&self) -> bool;

    /// Bytes of an answer that the client would take now, as far as is known: no more than these, and a little, are
    /// read for it.
    fn appetite(&self) -> usize {
        usize::MAX
    }

    /// Ready when the client has gone. Only asked while nothing else is expected from the client.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// True when the client is known to have gone before anything was done for it.
    fn has_gone(&self) -> bool {
        false
    }

    /// The deadline of the task that serves this client.
    fn deadline(&self) -> &Deadline;

    /// Passes an interim response on.
    async fn interim(&mut self, exchange: &Exchange, head: &ResponseHead) -> Result<(), Failure>;

    /// Sends the final answer.
    async fn send(&mut self, exchange: &mut Exchange, answer: Answer) -> Finished;
}
