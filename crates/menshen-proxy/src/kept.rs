//! Request content that is kept, so that it can be sent again: all of it, or what has passed so far. What passes is also
//! where copies of requests get their content from.

use std::task::{Context, Poll};

use menshen_http1::ResponseHead;

use crate::downstream::{Content, Downstream};
use crate::serve::{Answer, Mirrored};
use crate::timers::Deadline;
use crate::{Exchange, Failure, Finished};

/// Kept content, and how much of it this attempt has sent.
#[derive(Debug)]
pub(crate) struct Kept {
    bytes: Vec<u8>,
    sent: usize,
    more: More,
    copy: Copying,
}

/// What passes is copied for the mirror of a route.
#[derive(Debug)]
enum Copying {
    /// It is not, or not any more.
    No,
    /// Until the content ends.
    Yes(Box<Mirrored>),
    /// All of it was.
    Done,
}

/// What follows the kept content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum More {
    /// Nothing: the client's own content was read before.
    Nothing,
    /// What the client still sends; it is kept too, up to this many bytes in all.
    Kept { limit: usize },
    /// What the client still sends. Some of it was sent and not kept.
    Lost,
}

impl Kept {
    /// All content there is.
    pub(crate) fn whole(bytes: Vec<u8>) -> Self {
        Self { bytes, sent: 0, more: More::Nothing, copy: Copying::No }
    }

    /// Nothing so far; what passes is kept as long as it is no more than this many bytes.
    pub(crate) fn passing(limit: usize) -> Self {
        Self { bytes: Vec::new(), sent: 0, more: More::Kept { limit }, copy: Copying::No }
    }

    /// All content there is, if that is here already.
    pub(crate) fn all(&self) -> Option<&[u8]> {
        (self.more == More::Nothing).then_some(&self.bytes)
    }

    /// From now on what passes goes to this copy too, which is sent when the content has ended.
    pub(crate) fn copy_to(&mut self, copy: Box<Mirrored>) {
        self.copy = Copying::Yes(copy);
    }

    /// True when a copy got all content and was sent.
    pub(crate) fn was_copied(&self) -> bool {
        matches!(self.copy, Copying::Done)
    }

    /// True when the content can be sent from its start.
    pub(crate) fn is_complete(&self) -> bool {
        self.more != More::Lost
    }

    /// Starts again at the first byte.
    pub(crate) fn rewind(&mut self) {
        self.sent = 0;
    }

    /// An answer has begun: nothing more need be kept.
    pub(crate) fn settle(&mut self) {
        if self.rest().is_empty() && self.more != More::Nothing {
            self.lose();
        }
    }

    /// What was kept is no use any more.
    fn lose(&mut self) {
        (self.bytes, self.sent, self.more) = (Vec::new(), 0, More::Lost);
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// Takes note of content that passes.
    fn pass(&mut self, piece: &[u8]) {
        if let Copying::Yes(copy) = &mut self.copy
            && !copy.takes(piece)
        {
            self.copy = Copying::No;
        }
        let More::Kept { limit } = self.more else { return };
        if self.bytes.len() + piece.len() > limit {
            return self.lose();
        }
        self.bytes.extend_from_slice(piece);
        self.sent = self.bytes.len();
    }

    /// The client's content has ended.
    fn end(&mut self) {
        if let Copying::Yes(copy) = &mut self.copy {
            self.copy = if copy.send() { Copying::Done } else { Copying::No };
        }
    }
}

/// A client whose content is kept.
pub(crate) struct Source<'a, D> {
    pub(crate) kept: &'a mut Kept,
    pub(crate) client: &'a mut D,
}

impl<D: Downstream> Downstream for Source<'_, D> {
    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<Content, Failure>> {
        if !self.kept.rest().is_empty() {
            return Poll::Ready(Ok(Content::Data));
        }
        match self.kept.more {
            More::Nothing => Poll::Ready(Ok(Content::End)),
            More::Kept { .. } | More::Lost => {
                let polled = self.client.poll_content(cx);
                if let Poll::Ready(Ok(Content::End)) = polled {
                    self.kept.end();
                }
                polled
            }
        }
    }

    fn content(&self) -> &[u8] {
        let rest = self.kept.rest();
        match self.kept.more {
            More::Kept { .. } | More::Lost if rest.is_empty() => self.client.content(),
            _ => rest,
        }
    }

    fn consume(&mut self, n: usize) {
        let left = self.kept.rest().len();
        if left > 0 || self.kept.more == More::Nothing {
            self.kept.sent += n.min(left);
            return;
        }
        self.kept.pass(self.client.content().get(..n).unwrap_or_default());
        self.client.consume(n);
    }

    fn limit_content(&mut self, bytes: u64) {
        self.client.limit_content(bytes);
    }

    fn content_is_ended(&self) -> bool {
        self.kept.rest().is_empty() && (self.kept.more == More::Nothing || self.client.content_is_ended())
    }

    fn content_was_taken(&self) -> bool {
        !self.kept.is_complete() && self.client.content_was_taken()
    }

    fn appetite(&self) -> usize {
        self.client.appetite()
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.client.poll_gone(cx)
    }

    fn deadline(&self) -> &Deadline {
        self.client.deadline()
    }

    async fn interim(&mut self, exchange: &Exchange, head: &ResponseHead) -> Result<(), Failure> {
        self.client.interim(exchange, head).await
    }

    async fn send(&mut self, exchange: &mut Exchange, answer: Answer) -> Finished {
        self.client.send(exchange, answer).await
    }
}
