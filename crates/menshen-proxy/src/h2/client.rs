//! The client's side of an HTTP/2 exchange: one stream.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use menshen_http1::{FieldName, Fields, Method, RequestFraming, RequestHead, ResponseHead};
use menshen_http2::{Code, End};

use super::link::AtHand;
use super::side::Side;
use super::{block, request, tunnel};
use crate::body::Body;
use crate::call::Call;
use crate::downstream::{Content, Downstream};
use crate::reply::Maker;
use crate::serve::Answer;
use crate::timers::Deadline;
use crate::wait::{Wait, Watch};
use crate::worker::Worker;
use crate::{Exchange, Failure, Finished, Reply, grpc, server_timing};

/// Bytes that count as progress of an answer: a client that opens its window by a byte now and then makes none.
const PROGRESS: u64 = 1024;

/// What is read at once of an answer that passes transforms.
const TRANSFORMED: usize = 16 * 1024;

/// Bytes of content that are read and thrown away behind an answer, and for how long.
const DRAINED: usize = 64 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// What is still to be sent of an answer that passed transforms.
#[derive(Default)]
struct Rest {
    content: Bytes,
    /// Nothing but these follows.
    trailers: Option<Fields>,
}

/// The client's side of one exchange.
pub(super) struct H2Client<'a> {
    worker: &'a Worker,
    deadline: &'a Deadline,
    side: Side<'a>,
    /// Request content at hand.
    at_hand: AtHand,
    body_ended: bool,
    has_content: bool,
    was_reset: bool,
    method: Method,
    received: u64,
    limit: u64,
    sent: u64,
}

impl<'a> H2Client<'a> {
    pub(super) fn new(
        worker: &'a Worker,
        deadline: &'a Deadline,
        request: &RequestHead,
        side: Side<'a>,
    ) -> Self {
        let has_content = request.framing != RequestFraming::None;
        Self {
            worker,
            deadline,
            side,
            at_hand: AtHand::default(),
            // Content that follows a wish for WebSocket is none of the request's.
            body_ended: request.wants_upgrade || !has_content,
            has_content,
            was_reset: false,
            method: request.method(),
            received: 0,
            limit: u64::MAX,
            sent: 0,
        }
    }

    /// Sends the head; true when content follows.
    fn send_head(&mut self, exchange: &Exchange, answer: &Answer) -> Result<bool, Failure> {
        let reply = &answer.reply;
        let bodiless = self.method == Method::Head || matches!(reply.head.status, 204 | 304);
        let length = answer.length(self.method).filter(|_| reply.head.status != 204);
        let has_content = !bodiless && !matches!(reply.body, Body::Empty);
        let end = if has_content { End::Later } else { End::Now };
        let worker = self.worker;
        let is_sent = self.side.link.core().send_fields(self.side.id, end, |encoder, out| {
            block::response(encoder, out, &reply.head);
            if let Some(n) = length {
                let mut digits = itoa::Buffer::new();
                block::named(encoder, out, FieldName::CONTENT_LENGTH, digits.format(n).as_bytes());
            }
            if !reply.head.fields.has(FieldName::DATE) {
                worker.clock.with_http_date(|date| block::named(encoder, out, FieldName::DATE, date));
            }
            if server_timing::may_see(exchange) {
                let mut value = Vec::new();
                server_timing::write_value(&mut value, exchange);
                block::named(encoder, out, FieldName::SERVER_TIMING, &value);
            }
        });
        self.side.link.call();
        if is_sent { Ok(has_content) } else { Err(Failure::ClientGone) }
    }

    /// Waits until a part of `wanted` bytes may be sent; the result is how much.
    fn poll_room(&self, cx: &Context<'_>, wanted: usize) -> Poll<Result<usize, Failure>> {
        self.side.poll_room(cx, wanted).map(|room| room.ok_or(Failure::ClientGone))
    }

    fn send_content(&mut self, content: &[u8], end: End) -> Result<(), Failure> {
        self.sent += content.len() as u64;
        if self.side.send(content, end) { Ok(()) } else { Err(Failure::ClientGone) }
    }

    /// Sends as much of `rest` as there is room for. Ready when all is sent.
    fn poll_send(&mut self, cx: &Context<'_>, rest: &mut Bytes, end: End) -> Poll<Result<(), Failure>> {
        while !rest.is_empty() {
            let n = ready!(self.poll_room(cx, rest.len()))?;
            let piece = rest.split_to(n);
            let is_last = rest.is_empty() && end == End::Now;
            self.send_content(&piece, if is_last { End::Now } else { End::Later })?;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends content held in memory, and the end.
    async fn send_full(&mut self, exchange: &Exchange, rest: Bytes) -> Result<(), Failure> {
        if rest.is_empty() {
            self.send_content(b"", End::Now)
        } else {
            self.send_all(exchange, rest, End::Now).await
        }
    }

    async fn send_all(&mut self, exchange: &Exchange, mut rest: Bytes, end: End) -> Result<(), Failure> {
        let mut watch = Watch::new();
        poll_fn(|cx| {
            if let Poll::Ready(sent) = self.poll_send(cx, &mut rest, end) {
                return Poll::Ready(sent);
            }
            let moved = self.sent / PROGRESS;
            watch.poll(cx, Wait::ClientWrite, moved, self.deadline, exchange).map(Err)
        })
        .await
    }

    /// Sends content that the service is still sending, and the rest of the request the other way.
    async fn relay(
        &mut self,
        exchange: &mut Exchange,
        reply: &mut Reply,
        call: &mut Call,
    ) -> Result<(), Failure> {
        let mut watch = Watch::new();
        let mut rest = Rest::default();
        poll_fn(|cx| {
            // Request content first: a service that echoes answers only what it got.
            if let Poll::Ready(Err(failure)) = call.poll_pump(cx, exchange, self) {
                return Poll::Ready(Err(failure));
            }
            let wait = match self.poll_relay(cx, exchange, reply, call, &mut rest) {
                Ok(None) => return Poll::Ready(Ok(())),
                Ok(Some(wait)) => wait,
                Err(failure) => return Poll::Ready(Err(failure)),
            };
            if wait == Wait::ClientWrite {
                call.settle();
            }
            if self.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Failure::ClientGone));
            }
            let moved = match wait {
                Wait::ClientWrite => self.sent / PROGRESS,
                _ => self.received.wrapping_add(call.moved()),
            };
            watch.poll(cx, wait, moved, self.deadline, exchange).map(Err)
        })
        .await
    }

    /// Moves what can be moved. `None` when all is sent, else what is waited for.
    fn poll_relay(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &Exchange,
        reply: &mut Reply,
        call: &mut Call,
        rest: &mut Rest,
    ) -> Result<Option<Wait>, Failure> {
        loop {
            match self.poll_send(cx, &mut rest.content, End::Later) {
                Poll::Pending => return Ok(Some(Wait::ClientWrite)),
                Poll::Ready(sent) => sent?,
            }
            if let Some(trailers) = rest.trailers.take() {
                return self.send_end(&trailers).map(|()| None);
            }
            call.set_appetite(match reply.transforms.is_empty() {
                true => self.appetite(),
                // What is read goes through them before it waits, and small pieces do not compress.
                false => TRANSFORMED,
            });
            match call.poll_content(cx)? {
                Poll::Pending => return Ok(Some(Wait::BetweenBytes)),
                Poll::Ready(Content::End) => {
                    let (mut trailers, mut out) = (call.take_trailers(exchange), Vec::new());
                    reply.transforms.finish_with(&mut trailers, &mut out)?;
                    *rest = Rest { content: out.into(), trailers: Some(trailers) };
                }
                Poll::Ready(Content::Data) if !reply.transforms.is_empty() => {
                    let mut out = Vec::new();
                    reply.transforms.run(call.content(), &mut out)?;
                    call.consume(call.content().len());
                    rest.content = out.into();
                }
                Poll::Ready(Content::Data) => {
                    let wanted = call.content().len();
                    let Poll::Ready(room) = self.poll_room(cx, wanted) else {
                        return Ok(Some(Wait::ClientWrite));
                    };
                    let n = room?;
                    // The end goes along with the last bytes where it is known: a frame less.
                    let is_last = n == wanted && call.ends_after(n);
                    let piece = call.content().get(..n).unwrap_or_default();
                    self.send_content(piece, if is_last { End::Now } else { End::Later })?;
                    call.consume(n);
                    if is_last {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Trailers, or an empty frame.
    fn send_end(&mut self, trailers: &Fields) -> Result<(), Failure> {
        if trailers.is_empty() {
            return self.send_content(b"", End::Now);
        }
        let Side { link, id } = self.side;
        let is_sent =
            link.core().send_fields(id, End::Now, |encoder, out| block::trailers(encoder, out, trailers));
        link.call();
        if is_sent { Ok(()) } else { Err(Failure::ClientGone) }
    }

    /// Ends an answer that failed behind its head with a status, which callers of gRPC look for there.
    async fn end_with_status(
        &mut self,
        exchange: &Exchange,
        reply: &mut Reply,
        failure: Failure,
    ) -> Result<(), Failure> {
        let is_open = matches!(reply.body, Body::Streaming);
        if !is_open || failure.leaves_nobody() || !grpc::is_call(&reply.head.fields) {
            return Err(failure);
        }
        let (mut trailers, mut rest) = (Fields::new(), Vec::new());
        grpc::status(failure, &mut trailers);
        reply.transforms.finish_with(&mut trailers, &mut rest)?;
        self.send_all(exchange, rest.into(), End::Later).await?;
        self.send_end(&trailers)
    }

    /// Sends the 200 that stands for a 101 (RFC 8441 §5), and carries bytes both ways.
    async fn tunnel(&mut self, exchange: &Exchange, reply: &mut Reply, call: Call) -> Result<(), Failure> {
        let Side { link, id } = self.side;
        reply.head.set_status(200);
        reply.head.fields.remove_named(b"sec-websocket-accept");
        let head = &reply.head;
        let is_sent =
            link.core().send_fields(id, End::Later, |encoder, out| block::response(encoder, out, head));
        link.call();
        if !is_sent {
            return Err(Failure::ClientGone);
        }
        let (mut service, from_service) = call.into_tunnel().ok_or(Failure::ServiceReset)?;
        let idle = exchange.timeouts.tunnel;
        let service = (&mut service, from_service);
        let carried = tunnel::run(self.worker, self.deadline, idle, self.side, service).await;
        (self.received, self.sent) = (carried.up, carried.down);
        Ok(())
    }

    /// Takes the answer back, visibly.
    fn reset(&mut self, code: Code) {
        self.was_reset = true;
        self.side.link.reset(self.side.id, code);
    }

    /// Resets the stream of a malformed request (RFC 9113 §8.1.1).
    fn blame(&mut self) {
        self.was_reset = true;
        let Side { link, id } = self.side;
        let blamed = link.core().blame(id, Code::PROTOCOL_ERROR);
        if let Err(code) = blamed {
            self.worker.calmed_down();
            link.core().end(code);
        }
        link.call();
    }

    async fn send_answer(&mut self, exchange: &mut Exchange, answer: &mut Answer) -> Result<(), Failure> {
        if !self.send_head(exchange, answer)? {
            return Ok(());
        }
        match (&answer.reply.body, &mut answer.call) {
            (Body::Full(body), _) => {
                let body = body.clone();
                self.send_full(exchange, body).await
            }
            (Body::Streaming, Some(call)) => self.relay(exchange, &mut answer.reply, call).await,
            (Body::Streaming, None) | (Body::Empty, _) => self.send_content(b"", End::Now),
        }
    }

    /// Takes what the client still sends behind its answer, if it is little: a client whose stream is reset may not
    /// look at the answer that it got (RFC 9113 §8.1).
    pub(super) async fn take_the_rest(mut self) {
        if self.was_reset || self.body_ended {
            return;
        }
        self.deadline.set(self.worker.now(), DRAIN_TIME);
        let mut left = DRAINED;
        poll_fn(|cx| {
            while left > 0 {
                let Poll::Ready(filled) = self.side.poll_fill(cx, &mut self.at_hand) else {
                    return self.deadline.poll(cx);
                };
                if filled != Some(true) {
                    break;
                }
                let n = self.at_hand.content().len();
                left = left.saturating_sub(n);
                self.side.link.used(self.side.id, self.at_hand.take(n));
            }
            Poll::Ready(())
        })
        .await;
    }

    fn finished(&self, exchange: &mut Exchange, reply: Box<Reply>, result: Result<(), Failure>) -> Finished {
        let finished = Finished::of(&reply, result, exchange, self.received, self.sent);
        exchange.keep_reply(reply);
        finished
    }
}

impl Downstream for H2Client<'_> {
    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<Content, Failure>> {
        if self.body_ended {
            return Poll::Ready(Ok(Content::End));
        }
        match ready!(self.side.poll_fill(cx, &mut self.at_hand)) {
            None => Poll::Ready(Err(Failure::ClientGone)),
            Some(false) => {
                self.body_ended = true;
                Poll::Ready(Ok(Content::End))
            }
            Some(true) if self.received + self.at_hand.content().len() as u64 > self.limit => {
                Poll::Ready(Err(Failure::BodyTooLarge))
            }
            Some(true) => Poll::Ready(Ok(Content::Data)),
        }
    }

    fn content(&self) -> &[u8] {
        self.at_hand.content()
    }

    fn consume(&mut self, n: usize) {
        let n = self.at_hand.take(n);
        self.received += n as u64;
        // What was passed on makes room for more.
        self.side.link.used(self.side.id, n);
    }

    fn limit_content(&mut self, bytes: u64) {
        self.limit = bytes;
    }

    fn content_is_ended(&self) -> bool {
        self.body_ended && self.at_hand.is_empty()
    }

    fn content_was_taken(&self) -> bool {
        self.has_content && self.received > 0
    }

    fn appetite(&self) -> usize {
        self.side.appetite()
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.side.link.core().lane(self.side.id) {
            Some(inbox) => {
                inbox.listen(cx);
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }

    fn has_gone(&self) -> bool {
        self.side.link.core().lane(self.side.id).is_none()
    }

    fn deadline(&self) -> &Deadline {
        self.deadline
    }

    async fn interim(&mut self, _: &Exchange, head: &ResponseHead) -> Result<(), Failure> {
        let Side { link, id } = self.side;
        let is_sent =
            link.core().send_fields(id, End::Later, |encoder, out| block::response(encoder, out, head));
        link.call();
        if is_sent { Ok(()) } else { Err(Failure::ClientGone) }
    }

    async fn send(&mut self, exchange: &mut Exchange, mut answer: Answer) -> Finished {
        if answer.reply.head.status == 101
            && let Some(call) = answer.call.take()
        {
            let result = self.tunnel(exchange, &mut answer.reply, call).await;
            answer.reply.head.set_status(101);
            return self.finished(exchange, answer.reply, result);
        }
        if answer.reply.failure().is_some_and(Failure::leaves_nobody) {
            // 499 is for the log.
            self.reset(Code::CANCEL);
            return self.finished(exchange, answer.reply, Ok(()));
        }
        if let Maker::Failure(Failure::BadHead(error)) = answer.reply.maker
            && request::is_malformed(error, self.method)
        {
            self.blame();
            return self.finished(exchange, answer.reply, Ok(()));
        }
        if let Err(failure) = answer.reply.apply_transforms() {
            answer = Answer::made(Reply::of_failure(failure, exchange).into());
        }
        let result = self.send_answer(exchange, &mut answer).await;
        let result = result.map_err(|failure| grpc::by_deadline(failure, exchange));
        if let Some(call) = answer.call.take() {
            match result {
                Ok(()) => call.finish(),
                Err(failure) => call.abandon(failure),
            }
        }
        match result {
            Ok(()) => {}
            // A client that takes nothing would not take a status either.
            Err(Failure::ClientGone | Failure::WriteTimeout) => self.reset(Code::CANCEL),
            Err(failure) => {
                if self.end_with_status(exchange, &mut answer.reply, failure).await.is_err() {
                    // Content is missing, and the client must see that.
                    self.reset(Code::INTERNAL_ERROR);
                }
            }
        }
        self.finished(exchange, answer.reply, result)
    }
}
