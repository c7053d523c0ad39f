//! An answer on its way from the service to a client of HTTP/1, while the rest of the request goes the other way.

use std::future::poll_fn;
use std::task::{Context, Poll};

use menshen_http1::{Fields, Version, write};

use super::{Encoding, H1Client};
use crate::body::Transforms;
use crate::call::Call;
use crate::downstream::{Content, Downstream};
use crate::h1::connection::Then;
use crate::outbound::COPIED;
use crate::wait::{Wait, Watch};
use crate::{Exchange, Failure, Reply, grpc};

impl H1Client<'_> {
    /// Sends content that the service is still sending, and the rest of the request the other way.
    pub(super) async fn relay(
        &mut self,
        exchange: &mut Exchange,
        transforms: &mut Transforms,
        call: &mut Call,
    ) -> Result<(), Failure> {
        let mut watch = Watch::new();
        poll_fn(|cx| {
            // Request content first: a service that echoes answers only what it got.
            let upload = call.poll_pump(cx, exchange, self);
            if let Poll::Ready(Err(failure)) = upload {
                return Poll::Ready(Err(failure));
            }
            let wait = match self.poll_relay(cx, exchange, transforms, call) {
                Ok(None) => return Poll::Ready(Ok(())),
                Ok(Some(wait)) => wait,
                Err(failure) => return Poll::Ready(Err(failure)),
            };
            if wait == Wait::ClientWrite {
                *self.taken = 0;
                call.set_appetite(self.appetite());
                call.settle();
                self.worker.buffers.settle(self.buffer);
            }
            let is_client_quiet = upload.is_ready() && self.inbound.is_ended();
            if wait == Wait::BetweenBytes && is_client_quiet && self.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Failure::ClientGone));
            }
            let moved = self.moved().wrapping_add(call.moved());
            watch.poll(cx, wait, moved, self.deadline, exchange).map(Err)
        })
        .await
    }

    /// Moves what can be moved. `None` when all is sent, else what is waited for.
    fn poll_relay(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &Exchange,
        transforms: &mut Transforms,
        call: &mut Call,
    ) -> Result<Option<Wait>, Failure> {
        loop {
            let mut starved = false;
            while !self.ended && self.out.has_room() {
                match call.poll_content(cx)? {
                    Poll::Ready(Content::Data) if self.sends_directly(transforms, call) => break,
                    Poll::Ready(Content::Data) => self.encode(transforms, call)?,
                    Poll::Ready(Content::End) => {
                        self.encode_end(exchange, transforms, call)?;
                        self.ended = true;
                    }
                    Poll::Pending => {
                        starved = true;
                        break;
                    }
                }
            }
            let is_direct = !self.ended && !starved && self.sends_directly(transforms, call);
            let direct = if is_direct { call.content() } else { &[] };
            if self.out.is_empty() && direct.is_empty() {
                return match self.stream.poll_flush(cx) {
                    Poll::Ready(Ok(())) if self.ended => Ok(None),
                    Poll::Ready(Ok(())) => Ok(Some(Wait::BetweenBytes)),
                    Poll::Ready(Err(_)) => Err(Failure::ClientGone),
                    Poll::Pending => Ok(Some(Wait::ClientWrite)),
                };
            }
            match self.out.poll_write(cx, self.stream, direct) {
                Poll::Ready(Ok(0)) => {}
                Poll::Ready(Ok(from_content)) => {
                    self.sent += from_content as u64;
                    *self.taken += from_content as u64;
                    call.consume(from_content);
                    call.set_appetite(self.appetite());
                }
                Poll::Ready(Err(_)) => return Err(Failure::ClientGone),
                Poll::Pending => return Ok(Some(Wait::ClientWrite)),
            }
        }
    }

    /// Large pieces of plain content are written from where they are.
    fn sends_directly(&self, transforms: &Transforms, call: &Call) -> bool {
        self.encoding == Encoding::Plain && transforms.is_empty() && call.content().len() > COPIED
    }

    fn encode(&mut self, transforms: &mut Transforms, call: &mut Call) -> Result<(), Failure> {
        let n = call.content().len();
        if transforms.is_empty() {
            encode_piece(self.out.lend(self.worker), self.encoding, call.content());
            self.sent += n as u64;
        } else {
            let mut changed = Vec::new();
            transforms.run(call.content(), &mut changed)?;
            encode_piece(self.out.lend(self.worker), self.encoding, &changed);
            self.sent += changed.len() as u64;
        }
        call.consume(n);
        Ok(())
    }

    fn encode_end(
        &mut self,
        exchange: &Exchange,
        transforms: &mut Transforms,
        call: &mut Call,
    ) -> Result<(), Failure> {
        let mut trailers = call.take_trailers(exchange);
        if !transforms.is_empty() {
            let mut rest = Vec::new();
            transforms.finish_with(&mut trailers, &mut rest)?;
            encode_piece(self.out.lend(self.worker), self.encoding, &rest);
            self.sent += rest.len() as u64;
        }
        if self.encoding == Encoding::Chunked {
            write::last_chunk(self.out.lend(self.worker), &trailers);
        }
        Ok(())
    }

    /// Ends an answer that failed behind its head, visibly.
    pub(super) async fn cut(&mut self, exchange: &Exchange, reply: &mut Reply, failure: Failure) {
        if self.end_with_status(exchange, reply, failure).await.is_ok() {
            self.then = Then::Close;
            return;
        }
        self.then = Then::Drop;
        // Neither a length nor a last chunk would show that content is missing.
        let hidden = self.encoding == Encoding::Plain && self.version == Version::Http10;
        if hidden || failure != Failure::ClientGone {
            self.stream.reset_on_close();
        }
    }

    /// Ends an answer that failed behind its head with a status, which callers of gRPC look for there.
    async fn end_with_status(
        &mut self,
        exchange: &Exchange,
        reply: &mut Reply,
        failure: Failure,
    ) -> Result<(), Failure> {
        let is_open = self.encoding == Encoding::Chunked && !self.ended;
        if !is_open || failure.leaves_nobody() || !grpc::is_call(&reply.head.fields) {
            return Err(failure);
        }
        let (mut trailers, mut rest) = (Fields::new(), Vec::new());
        grpc::status(failure, &mut trailers);
        reply.transforms.finish_with(&mut trailers, &mut rest)?;
        encode_piece(self.out.lend(self.worker), self.encoding, &rest);
        self.sent += rest.len() as u64;
        write::last_chunk(self.out.lend(self.worker), &trailers);
        self.write_all(exchange, &[]).await
    }
}

fn encode_piece(out: &mut Vec<u8>, encoding: Encoding, piece: &[u8]) {
    match encoding {
        Encoding::Chunked => write::chunk(out, piece),
        _ => out.extend_from_slice(piece),
    }
}
