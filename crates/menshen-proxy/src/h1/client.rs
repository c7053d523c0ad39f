//! The client's side of an HTTP/1 exchange: its request content, and the answer to it.

mod relay;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use menshen_http1::{FieldName, Method, NameSet, RequestFraming, RequestHead, ResponseHead, Version, write};

use crate::body::Body;
use crate::buffer::{Buffer, Size};
use crate::call::Call;
use crate::downstream::{Content, Downstream};
use crate::h1::connection::Then;
use crate::h1::inbound::{Inbound, Next};
use crate::h1::tunnel;
use crate::outbound::{COPIED, Outbound};
use crate::reply::Maker;
use crate::serve::Answer;
use crate::stream::Stream;
use crate::timers::Deadline;
use crate::turns::Place;
use crate::wait::{Wait, Watch};
use crate::worker::Worker;
use crate::{Exchange, Failure, Finished, Reply, grpc};

/// Request content that is read and dropped after an early answer, to keep the connection.
const DRAINED: u64 = 64 * 1024;
/// A client that took so much without being waited for is sent more in large pieces. Of a large piece that is not taken
/// much has to be held.
const WELL_TAKEN: u64 = 16 * 1024 * 1024;
/// What any other may be expected to take.
const SOME: usize = 128 * 1024;

/// The time for that.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// How the answer's content is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    None,
    Plain,
    Chunked,
}

/// The client's side of one exchange.
pub(crate) struct H1Client<'a> {
    stream: &'a mut Stream,
    buffer: &'a mut Buffer,
    worker: &'a Rc<Worker>,
    deadline: &'a Deadline,
    /// Bytes that the client took since it was last waited for.
    taken: &'a mut u64,
    inbound: Inbound,
    out: Outbound,
    encoding: Encoding,
    version: Version,
    method: Method,
    keep_alive: bool,
    expects_continue: bool,
    has_content: bool,
    /// The client knows that its head is here.
    is_acknowledged: bool,
    then: Then,
    received: u64,
    limit: u64,
    sent: u64,
    place: Place,
    /// All of a streamed answer is encoded.
    ended: bool,
}

impl Drop for H1Client<'_> {
    fn drop(&mut self) {
        self.worker.give_bytes(std::mem::take(&mut self.out.bytes));
    }
}

impl<'a> H1Client<'a> {
    pub(crate) fn new(
        stream: &'a mut Stream,
        buffer: &'a mut Buffer,
        worker: &'a Rc<Worker>,
        deadline: &'a Deadline,
        taken: &'a mut u64,
        request: &RequestHead,
        is_last: bool,
    ) -> Self {
        Self {
            inbound: Inbound::of_request(request.framing),
            out: Outbound::default(),
            encoding: Encoding::None,
            version: request.version,
            method: request.method(),
            keep_alive: request.keep_alive && !is_last,
            expects_continue: request.expects_continue,
            has_content: request.framing != RequestFraming::None,
            is_acknowledged: false,
            then: Then::Close,
            received: 0,
            limit: u64::MAX,
            sent: 0,
            place: Place::default(),
            ended: false,
            stream,
            buffer,
            worker,
            deadline,
            taken,
        }
    }

    /// What to do with the connection after the exchange.
    pub(crate) fn then(&mut self) -> Then {
        std::mem::replace(&mut self.then, Then::Drop)
    }

    /// Where the next request starts can be known only if the rest of this one can be read.
    fn can_keep_alive(&self, call: Option<&Call>) -> bool {
        if !self.keep_alive || self.worker.is_draining() {
            return false;
        }
        let waits_for_100 = self.expects_continue && self.received == 0;
        let fits = self.inbound.left().is_some_and(|left| left <= DRAINED);
        self.inbound.is_ended() || (call.is_some() && !waits_for_100) || (fits && !waits_for_100)
    }

    /// Writes the head of the final answer and decides how its content is delimited.
    fn write_head(&mut self, exchange: &Exchange, answer: &Answer) {
        let reply = &answer.reply;
        let bodiless = self.method == Method::Head || matches!(reply.head.status, 204 | 304);
        let length = answer.length(self.method);
        let has_content = !bodiless && !matches!(reply.body, Body::Empty);
        self.encoding = match (has_content, length, self.version) {
            (false, ..) => Encoding::None,
            (true, Some(_), _) => Encoding::Plain,
            (true, None, Version::Http11 | Version::Http2) => Encoding::Chunked,
            (true, None, Version::Http10) => Encoding::Plain,
        };
        self.keep_alive = self.can_keep_alive(answer.call.as_ref())
            && (length.is_some() || self.encoding != Encoding::Plain)
            && !matches!(reply.maker, Maker::Failure(Failure::BadHead(_) | Failure::BodyTimeout));

        let out = self.out.lend(self.worker);
        write::status_line(out, &reply.head);
        write::end_to_end_fields(out, &reply.head.fields, NameSet::default());
        match (self.encoding, length) {
            (Encoding::Chunked, _) => write::field(out, b"transfer-encoding", b"chunked"),
            (_, Some(n)) if reply.head.status != 204 => write::content_length(out, n),
            _ => {}
        }
        if !reply.head.fields.has(FieldName::DATE) {
            out.extend_from_slice(b"date: ");
            self.worker.clock.write_http_date(out);
            out.extend_from_slice(b"\r\n");
        }
        match (self.keep_alive, self.version) {
            (false, _) => out.extend_from_slice(b"connection: close\r\n"),
            (true, Version::Http10) => out.extend_from_slice(b"connection: keep-alive\r\n"),
            (true, Version::Http11 | Version::Http2) => {}
        }
        crate::server_timing::write(out, exchange);
        out.extend_from_slice(b"\r\n");
    }

    /// A number that changes when bytes of this exchange move.
    fn moved(&self) -> u64 {
        self.out.moved().wrapping_add(self.received)
    }

    /// Writes all that is encoded, then `rest`, taking away from it what was written.
    fn poll_write_all(&mut self, cx: &mut Context<'_>, rest: &mut &[u8]) -> Poll<Result<(), Failure>> {
        while !self.out.is_empty() || !rest.is_empty() {
            let n = ready!(self.out.poll_write(cx, self.stream, rest)).map_err(|_| Failure::ClientGone)?;
            *rest = rest.get(n..).unwrap_or_default();
        }
        self.stream.poll_flush(cx).map_err(|_| Failure::ClientGone)
    }

    /// Writes all that is encoded, then `rest`.
    async fn write_all(&mut self, exchange: &Exchange, mut rest: &[u8]) -> Result<(), Failure> {
        let mut watch = Watch::new();
        poll_fn(|cx| {
            if let Poll::Ready(result) = self.poll_write_all(cx, &mut rest) {
                return Poll::Ready(result);
            }
            watch.poll(cx, Wait::ClientWrite, self.moved(), self.deadline, exchange).map(Err)
        })
        .await
    }

    /// Sends content held in memory.
    async fn send_full(&mut self, exchange: &Exchange, body: &[u8]) -> Result<(), Failure> {
        self.sent = body.len() as u64;
        if body.len() <= COPIED {
            self.out.lend(self.worker).extend_from_slice(body);
            return self.write_all(exchange, &[]).await;
        }
        self.write_all(exchange, body).await
    }

    /// Reads and drops the rest of the request, within bounds. False when the connection cannot be kept.
    async fn drain_request(&mut self) -> bool {
        self.deadline.set(Instant::now(), DRAIN_TIME);
        self.limit = u64::MAX;
        let before = self.received;
        poll_fn(|cx| {
            loop {
                if self.received - before > DRAINED {
                    return Poll::Ready(false);
                }
                match self.poll_content(cx) {
                    Poll::Ready(Ok(Content::Data)) => {
                        let n = self.inbound.ready();
                        self.consume(n);
                    }
                    Poll::Ready(Ok(Content::End)) => return Poll::Ready(true),
                    Poll::Ready(Err(_)) => return Poll::Ready(false),
                    Poll::Pending => return self.deadline.poll(cx).map(|()| false),
                }
            }
        })
        .await
    }

    /// Sends the 101 and carries bytes both ways.
    async fn tunnel(&mut self, exchange: &Exchange, reply: &Reply, call: Call) -> Result<(), Failure> {
        write::status_line(self.out.lend(self.worker), &reply.head);
        write::end_to_end_fields(&mut self.out.bytes, &reply.head.fields, NameSet::default());
        self.out.bytes.extend_from_slice(b"connection: upgrade\r\n");
        let token = reply.head.fields.get(FieldName::UPGRADE).unwrap_or_default();
        write::field(&mut self.out.bytes, b"upgrade", token);
        self.out.bytes.extend_from_slice(b"\r\n");
        self.write_all(exchange, &[]).await?;
        let Some((mut service, from_service)) = call.into_tunnel() else { return Err(Failure::ServiceReset) };
        let from_client = std::mem::take(self.buffer);
        let idle = exchange.timeouts.tunnel;
        let client = (&mut *self.stream, from_client);
        let protocol = match token.eq_ignore_ascii_case(b"websocket") {
            true => tunnel::Protocol::WebSocket,
            false => tunnel::Protocol::Unknown,
        };
        let service = (&mut service, from_service);
        let carried = tunnel::run(self.worker, self.deadline, idle, protocol, client, service).await;
        (self.received, self.sent) = (carried.up, carried.down);
        Ok(())
    }

    async fn send_content(&mut self, exchange: &mut Exchange, answer: &mut Answer) -> Result<(), Failure> {
        if self.encoding == Encoding::None {
            return self.write_all(exchange, &[]).await;
        }
        match (&answer.reply.body, &mut answer.call) {
            (Body::Full(body), _) => {
                let body = body.clone();
                self.send_full(exchange, &body).await
            }
            (Body::Streaming, Some(call)) => self.relay(exchange, &mut answer.reply.transforms, call).await,
            (Body::Streaming, None) | (Body::Empty, _) => self.write_all(exchange, &[]).await,
        }
    }

    async fn settle(&mut self) -> Then {
        if !self.keep_alive {
            return Then::Close;
        }
        if self.inbound.is_ended() || self.drain_request().await { Then::Idle } else { Then::Close }
    }
}

impl Downstream for H1Client<'_> {
    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<Content, Failure>> {
        loop {
            match self.inbound.advance(self.buffer, &mut None) {
                Ok(Next::Data) if self.received + self.inbound.ready() as u64 > self.limit => {
                    return Poll::Ready(Err(Failure::BodyTooLarge));
                }
                Ok(Next::Data) => return Poll::Ready(Ok(Content::Data)),
                Ok(Next::End) => return Poll::Ready(Ok(Content::End)),
                Ok(Next::NeedMore) => {}
                Err(e) => {
                    self.keep_alive = false;
                    return Poll::Ready(Err(Failure::BadChunk(e)));
                }
            }
            if self.inbound.left().is_none_or(|left| left > Size::Small.bytes() as u64) {
                self.worker.buffers.widen(self.buffer);
            }
            ready!(self.worker.turns.poll(cx, &mut self.place, &self.worker.buffers, self.buffer));
            let read = self.stream.poll_read(cx, &self.worker.buffers, self.buffer);
            if read.is_pending() && !std::mem::replace(&mut self.is_acknowledged, true) {
                // A client that writes its content apart may be holding it back until then, as services do (`h1/upstream.rs`).
                self.stream.acknowledge_at_once();
            }
            match ready!(read) {
                Ok(0) | Err(_) => {
                    self.keep_alive = false;
                    return Poll::Ready(Err(Failure::ClientGone));
                }
                Ok(n) => self.worker.turns.moved(&mut self.place, n),
            }
        }
    }

    fn content(&self) -> &[u8] {
        self.buffer.data().get(..self.inbound.ready()).unwrap_or_default()
    }

    fn consume(&mut self, n: usize) {
        self.received += n as u64;
        self.inbound.consume(self.buffer, n);
    }

    fn appetite(&self) -> usize {
        if *self.taken < WELL_TAKEN { SOME } else { usize::MAX }
    }

    fn limit_content(&mut self, bytes: u64) {
        self.limit = bytes;
    }

    fn content_is_ended(&self) -> bool {
        self.inbound.is_ended()
    }

    fn content_was_taken(&self) -> bool {
        self.has_content && self.received > 0
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Pipelined requests are read ahead as far as there is room; then the client's end cannot be seen.
        loop {
            while !self.buffer.is_full() {
                match self.stream.poll_read(cx, &self.worker.buffers, self.buffer) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Pending => {
                        self.worker.buffers.settle(self.buffer);
                        return Poll::Pending;
                    }
                }
            }
            self.worker.buffers.settle(self.buffer);
            if self.buffer.is_full() {
                return Poll::Pending;
            }
        }
    }

    fn deadline(&self) -> &Deadline {
        self.deadline
    }

    async fn interim(&mut self, exchange: &Exchange, head: &ResponseHead) -> Result<(), Failure> {
        if self.version == Version::Http10 {
            return Ok(());
        }
        write::status_line(self.out.lend(self.worker), head);
        write::end_to_end_fields(&mut self.out.bytes, &head.fields, NameSet::default());
        self.out.bytes.extend_from_slice(b"\r\n");
        self.write_all(exchange, &[]).await
    }

    async fn send(&mut self, exchange: &mut Exchange, mut answer: Answer) -> Finished {
        let status = answer.reply.head.status;
        if status == 101
            && let Some(call) = answer.call.take()
        {
            let result = self.tunnel(exchange, &answer.reply, call).await;
            self.then = if result.is_ok() { Then::Close } else { Then::Drop };
            return self.finished(exchange, answer.reply, result);
        }
        if answer.reply.failure().is_some_and(Failure::leaves_nobody) {
            // 499 is for the log; bytes that came after all must not be taken for an answer to something else.
            self.then = Then::Drop;
            return self.finished(exchange, answer.reply, Ok(()));
        }
        if let Err(failure) = answer.reply.apply_transforms() {
            answer = Answer::made(Reply::of_failure(failure, exchange).into());
        }
        self.write_head(exchange, &answer);
        let result = self.send_content(exchange, &mut answer).await;
        let result = result.map_err(|failure| grpc::by_deadline(failure, exchange));
        if let Some(call) = answer.call.take() {
            match result {
                Ok(()) => call.finish(),
                Err(failure) => call.abandon(failure),
            }
        }
        match result {
            Ok(()) => self.then = self.settle().await,
            // Boxed: the plain path must not carry its size.
            Err(failure) => Box::pin(self.cut(exchange, &mut answer.reply, failure)).await,
        }
        self.finished(exchange, answer.reply, result)
    }
}

impl H1Client<'_> {
    fn finished(&self, exchange: &mut Exchange, reply: Box<Reply>, result: Result<(), Failure>) -> Finished {
        let finished = Finished::of(&reply, result, exchange, self.received, self.sent);
        exchange.keep_reply(reply);
        finished
    }
}
