//! The client's side of an HTTP/2 exchange: one stream.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::h2::server::SendResponse;
use ::h2::{Reason, RecvStream, SendStream};
use ::http::Response;
use bytes::{Buf, Bytes};
use menshen_http1::{FieldName, Fields, Method, RequestFraming, RequestHead, ResponseHead};

use super::connection::SEND_BUFFER;
use super::{convert, room, tunnel};
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

/// Bytes of content that are read and thrown away behind an answer, and for how long.
const DRAINED: usize = 64 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// The client's side of one exchange.
pub(super) struct H2Client<'a> {
    worker: &'a Worker,
    deadline: &'a Deadline,
    respond: SendResponse<Bytes>,
    answer: Option<SendStream<Bytes>>,
    body: RecvStream,
    /// The piece of request content at hand.
    piece: Bytes,
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
        respond: SendResponse<Bytes>,
        body: RecvStream,
    ) -> Self {
        Self {
            worker,
            deadline,
            respond,
            answer: None,
            // Content that follows a wish for WebSocket is none of the request's.
            body_ended: request.wants_upgrade || body.is_end_stream(),
            body,
            piece: Bytes::new(),
            has_content: request.framing != RequestFraming::None,
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
        let length = answer.length(self.method);
        let has_content = !bodiless && !matches!(reply.body, Body::Empty);
        let mut response = convert::response(&reply.head);
        self.add_own_fields(exchange, reply, length, &mut response);
        let stream = self.respond.send_response(response, !has_content).map_err(|_| Failure::ClientGone)?;
        self.answer = Some(stream);
        Ok(has_content)
    }

    fn add_own_fields(
        &self,
        exchange: &Exchange,
        reply: &Reply,
        length: Option<u64>,
        response: &mut Response<()>,
    ) {
        let fields = response.headers_mut();
        if let Some(n) = length.filter(|_| reply.head.status != 204) {
            convert::append(fields, b"content-length", itoa::Buffer::new().format(n).as_bytes());
        }
        let mut value = Vec::new();
        if !reply.head.fields.has(FieldName::DATE) {
            self.worker.clock.write_http_date(&mut value);
            convert::append(fields, b"date", &value);
        }
        if server_timing::may_see(exchange) {
            value.clear();
            server_timing::write_value(&mut value, exchange);
            convert::append(fields, b"server-timing", &value);
        }
    }

    /// Waits until a part of `wanted` bytes may be sent; the result is how much.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<Result<usize, Failure>> {
        let Some(stream) = &mut self.answer else { return Poll::Ready(Err(Failure::ClientGone)) };
        room::poll(stream, cx, wanted, SEND_BUFFER).map(|room| room.ok_or(Failure::ClientGone))
    }

    fn send_data(&mut self, data: Bytes, is_last: bool) -> Result<(), Failure> {
        let Some(stream) = &mut self.answer else { return Err(Failure::ClientGone) };
        self.sent += data.len() as u64;
        stream.send_data(data, is_last).map_err(|_| Failure::ClientGone)
    }

    /// Sends content held in memory, and the end.
    async fn send_full(&mut self, exchange: &Exchange, mut rest: Bytes) -> Result<(), Failure> {
        let mut watch = Watch::new();
        poll_fn(|cx| {
            loop {
                if rest.is_empty() {
                    return Poll::Ready(self.send_data(Bytes::new(), true));
                }
                let Poll::Ready(room) = self.poll_room(cx, rest.len()) else { break };
                let piece = rest.split_to(room?);
                let is_last = rest.is_empty();
                self.send_data(piece, is_last)?;
                if is_last {
                    return Poll::Ready(Ok(()));
                }
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
        let mut changed = Bytes::new();
        poll_fn(|cx| {
            // Request content first: a service that echoes answers only what it got.
            if let Poll::Ready(Err(failure)) = call.poll_pump(cx, exchange, self) {
                return Poll::Ready(Err(failure));
            }
            let wait = match self.poll_relay(cx, exchange, reply, call, &mut changed) {
                Ok(None) => return Poll::Ready(Ok(())),
                Ok(Some(wait)) => wait,
                Err(failure) => return Poll::Ready(Err(failure)),
            };
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
        changed: &mut Bytes,
    ) -> Result<Option<Wait>, Failure> {
        loop {
            if !changed.is_empty() {
                let Poll::Ready(room) = self.poll_room(cx, changed.len()) else {
                    return Ok(Some(Wait::ClientWrite));
                };
                let piece = changed.split_to(room?);
                self.send_data(piece, false)?;
                continue;
            }
            match call.poll_content(cx)? {
                Poll::Pending => return Ok(Some(Wait::BetweenBytes)),
                Poll::Ready(Content::End) => {
                    let (mut trailers, mut rest) = (call.take_trailers(exchange), Vec::new());
                    reply.transforms.finish_with(&mut trailers, &mut rest)?;
                    if !rest.is_empty() {
                        // What is left is sent whole: it is what the transforms held back, which is bounded.
                        self.send_data(rest.into(), false)?;
                    }
                    return self.send_end(&trailers).map(|()| None);
                }
                Poll::Ready(Content::Data) if !reply.transforms.is_empty() => {
                    let mut out = Vec::new();
                    reply.transforms.run(call.content(), &mut out)?;
                    call.consume(call.content().len());
                    *changed = out.into();
                }
                Poll::Ready(Content::Data) => {
                    let Poll::Ready(room) = self.poll_room(cx, call.content().len()) else {
                        return Ok(Some(Wait::ClientWrite));
                    };
                    let n = room?;
                    let piece = Bytes::copy_from_slice(call.content().get(..n).unwrap_or_default());
                    call.consume(n);
                    // The end goes along with the last bytes where it is known: a frame less.
                    let is_last = !call.has_content();
                    self.send_data(piece, is_last)?;
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
            return self.send_data(Bytes::new(), true);
        }
        let Some(stream) = &mut self.answer else { return Err(Failure::ClientGone) };
        stream.send_trailers(convert::trailers(trailers)).map_err(|_| Failure::ClientGone)
    }

    /// Ends an answer that failed behind its head with a status, which callers of gRPC look for there.
    fn end_with_status(&mut self, reply: &mut Reply, failure: Failure) -> Result<(), Failure> {
        let is_open = matches!(reply.body, Body::Streaming);
        if !is_open || failure.leaves_nobody() || !grpc::is_call(&reply.head.fields) {
            return Err(failure);
        }
        let (mut trailers, mut rest) = (Fields::new(), Vec::new());
        grpc::status(failure, &mut trailers);
        reply.transforms.finish_with(&mut trailers, &mut rest)?;
        if !rest.is_empty() {
            self.send_data(rest.into(), false)?;
        }
        self.send_end(&trailers)
    }

    /// Sends the 200 that stands for a 101 (RFC 8441 §5), and carries bytes both ways.
    async fn tunnel(&mut self, exchange: &Exchange, reply: &Reply, call: Call) -> Result<(), Failure> {
        let mut response = convert::response(&reply.head);
        *response.status_mut() = ::http::StatusCode::OK;
        response.headers_mut().remove("sec-websocket-accept");
        let mut answer = self.respond.send_response(response, false).map_err(|_| Failure::ClientGone)?;
        let (mut service, from_service) = call.into_tunnel().ok_or(Failure::ServiceReset)?;
        let idle = exchange.timeouts.tunnel;
        let client = (&mut self.body, &mut answer);
        let service = (&mut service, from_service);
        let carried = tunnel::run(self.worker, self.deadline, idle, client, service).await;
        (self.received, self.sent) = (carried.up, carried.down);
        Ok(())
    }

    /// Takes the answer back, visibly.
    fn reset(&mut self, reason: Reason) {
        self.was_reset = true;
        match &mut self.answer {
            Some(stream) => stream.send_reset(reason),
            None => self.respond.send_reset(reason),
        }
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
            (Body::Streaming, None) | (Body::Empty, _) => self.send_data(Bytes::new(), true),
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
                let Poll::Ready(piece) = self.body.poll_data(cx) else { return self.deadline.poll(cx) };
                let Some(Ok(piece)) = piece else { break };
                left = left.saturating_sub(piece.len());
                let _ = self.body.flow_control().release_capacity(piece.len());
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
        while self.piece.is_empty() {
            if self.body_ended {
                return Poll::Ready(Ok(Content::End));
            }
            match ready!(self.body.poll_data(cx)) {
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(_)) => return Poll::Ready(Err(Failure::ClientGone)),
                None => self.body_ended = true,
            }
        }
        if self.received + self.piece.len() as u64 > self.limit {
            return Poll::Ready(Err(Failure::BodyTooLarge));
        }
        Poll::Ready(Ok(Content::Data))
    }

    fn content(&self) -> &[u8] {
        &self.piece
    }

    fn consume(&mut self, n: usize) {
        let n = n.min(self.piece.len());
        self.received += n as u64;
        self.piece.advance(n);
        // What was passed on makes room for more.
        let _ = self.body.flow_control().release_capacity(n);
    }

    fn limit_content(&mut self, bytes: u64) {
        self.limit = bytes;
    }

    fn content_is_ended(&self) -> bool {
        self.body_ended && self.piece.is_empty()
    }

    fn content_was_taken(&self) -> bool {
        self.has_content && self.received > 0
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.answer {
            Some(stream) => stream.poll_reset(cx).map(|_| ()),
            None => self.respond.poll_reset(cx).map(|_| ()),
        }
    }

    fn deadline(&self) -> &Deadline {
        self.deadline
    }

    async fn interim(&mut self, _: &Exchange, head: &ResponseHead) -> Result<(), Failure> {
        self.respond.send_informational(convert::response(head)).map_err(|_| Failure::ClientGone)
    }

    async fn send(&mut self, exchange: &mut Exchange, mut answer: Answer) -> Finished {
        if answer.reply.head.status == 101
            && let Some(call) = answer.call.take()
        {
            let result = self.tunnel(exchange, &answer.reply, call).await;
            return self.finished(exchange, answer.reply, result);
        }
        if answer.reply.failure().is_some_and(Failure::leaves_nobody) {
            // 499 is for the log.
            self.reset(Reason::CANCEL);
            return self.finished(exchange, answer.reply, Ok(()));
        }
        if let Maker::Failure(Failure::BadHead(error)) = answer.reply.maker
            && convert::is_malformed(error, self.method)
        {
            self.reset(Reason::PROTOCOL_ERROR);
            return self.finished(exchange, answer.reply, Ok(()));
        }
        if let Err(failure) = answer.reply.apply_transforms() {
            answer = Answer::made(Reply::of_failure(failure, exchange).into());
        }
        let result = self.send_answer(exchange, &mut answer).await;
        match result {
            Ok(()) => {
                if let Some(call) = answer.call.take() {
                    call.finish();
                }
            }
            // A client that takes nothing would not take a status either.
            Err(Failure::ClientGone | Failure::WriteTimeout) => self.reset(Reason::CANCEL),
            Err(failure) => {
                if self.end_with_status(&mut answer.reply, failure).is_err() {
                    // Content is missing, and the client must see that.
                    self.reset(Reason::INTERNAL_ERROR);
                }
            }
        }
        self.finished(exchange, answer.reply, result)
    }
}
