//! A call whose first content was read before its answer goes on.

use std::task::{Context, Poll};

use bytes::{Buf, Bytes};

use crate::call::Call;
use crate::downstream::Content;
use crate::{Exchange, Failure};

/// A call, and what was read of it.
pub(crate) struct Begun {
    read: Bytes,
    pub(super) rest: Call,
}

impl Call {
    /// The same call with what a translation has read of it, if it has, before the rest.
    pub(crate) fn begun(self, exchange: &Exchange) -> Self {
        match &exchange.translation {
            Some(translation) if !translation.begun.is_empty() => {
                Self::Begun(Box::new(Begun { read: translation.begun.clone(), rest: self }))
            }
            _ => self,
        }
    }
}

impl Begun {
    pub(super) fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<Content, Failure>> {
        if self.read.is_empty() { self.rest.poll_content(cx) } else { Poll::Ready(Ok(Content::Data)) }
    }

    pub(super) fn content(&self) -> &[u8] {
        if self.read.is_empty() { self.rest.content() } else { &self.read }
    }

    pub(super) fn consume(&mut self, n: usize) {
        if self.read.is_empty() {
            return self.rest.consume(n);
        }
        self.read.advance(n.min(self.read.len()));
    }

    pub(super) fn has_content(&self) -> bool {
        !self.read.is_empty() || self.rest.has_content()
    }

    pub(super) fn ends_after(&self, n: usize) -> bool {
        self.read.is_empty() && self.rest.ends_after(n)
    }
}
