//! A call over HTTP/1.1: a connection that carries one request at a time.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use menshen_http1::{FieldName, Fields, HeadLimits, Parsed, ResponseHead, write};

use crate::buffer::{Buffer, Size};
use crate::call::{Aim, Carrier, MAX_INTERIM, UnderWay, outgoing};
use crate::connect::connect;
use crate::downstream::{Content, Downstream};
use crate::forwarding::{self, Outgoing};
use crate::h1::inbound::{Inbound, Next};
use crate::outbound::{COPIED, Outbound};
use crate::pool::{self, Connection};
use crate::snapshot::Route;
use crate::stream::Stream;
use crate::turns::Place;
use crate::wait::{Wait, Watch};
use crate::{Exchange, Failure, tls};

/// Limits of response heads: services are trusted more than clients, but not without end.
const RESPONSE_HEAD: HeadLimits = HeadLimits { head: 64 * 1024, fields: 200, target: 0 };
/// An attempt under way: the connection, what is still to be sent, what has come.
pub(crate) struct H1Call {
    connection: Option<Connection>,
    under_way: UnderWay,
    input: Buffer,
    /// What is read into when the client takes all there is.
    size: Size,
    /// What the client would take now.
    appetite: usize,
    place: Place,
    inbound: Inbound,
    /// The request head, then encoded content.
    out: Outbound,
    content: Outgoing,
    request: Request,
    response_keeps_alive: bool,
    is_upgrade: bool,
    /// Content bytes and interim responses received, as a sign of progress. Bytes of a response head are none: all of
    /// it has one deadline.
    received: u64,
    trailers: Option<Fields>,
    /// The service knows that its head is here.
    is_acknowledged: bool,
    /// How long the service says that it keeps the connection.
    kept_for: Option<Duration>,
}

/// How far the request has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    /// Content may follow.
    Open,
    /// All is encoded, maybe not all written.
    Encoded,
    /// The service does not take more; it may have answered.
    Broken,
}

impl H1Call {
    /// Connects, sends the request and waits for the final response head, which is left in `head`.
    pub(crate) async fn start<D: Downstream>(
        exchange: &mut Exchange,
        client: &mut D,
        route: &Route,
        aim: &Aim<'_>,
        head: &mut ResponseHead,
    ) -> Result<Box<Self>, Failure> {
        let worker = exchange.live.worker().clone();
        // Before a connection is taken: a target that cannot be made must not cost one.
        let (content, mut out) = (outgoing(exchange), Outbound::default());
        forwarding::write_request(out.lend(&worker), exchange, route, aim, content)?;
        let may_reuse = aim.endpoint.introduction.is_none() && !exchange.wants_new_connection;
        let pooled = if may_reuse { worker.pools.take(aim.endpoint, worker.recent()) } else { None };
        let (connection, carrier) = match pooled {
            Some(connection) => (connection, Carrier::Used),
            None => {
                let stream = connect(exchange, client, aim.endpoint).await?;
                (Connection { stream, born: Instant::now() }, Carrier::New)
            }
        };
        let mut call = Box::new(Self {
            connection: Some(connection),
            input: Buffer::waiting(Size::Medium),
            size: Size::Medium,
            appetite: usize::MAX,
            place: Place::default(),
            inbound: Inbound::NONE,
            out,
            content,
            request: Request::Open,
            response_keeps_alive: false,
            is_upgrade: exchange.request.wants_upgrade,
            received: 0,
            trailers: None,
            is_acknowledged: false,
            kept_for: None,
            under_way: UnderWay::new(worker, aim, carrier),
        });
        call.final_head(exchange, client, head).await?;
        Ok(call)
    }

    async fn final_head<D: Downstream>(
        &mut self,
        exchange: &mut Exchange,
        client: &mut D,
        head: &mut ResponseHead,
    ) -> Result<(), Failure> {
        let mut watch = Watch::new();
        for passed_on in 0..=MAX_INTERIM {
            let len = poll_fn(|cx| self.poll_head(cx, exchange, client, head, &mut watch)).await?;
            self.input.consume(len);
            if !head.is_interim() {
                self.accept(head);
                return Ok(());
            }
            if head.status == 101 {
                return self.accept_upgrade(exchange, head);
            }
            if passed_on == MAX_INTERIM {
                break;
            }
            forwarding::drop_nominated(&mut head.fields);
            client.interim(exchange, head).await?;
            self.received = self.received.wrapping_add(1);
        }
        Err(Failure::BadInterim)
    }

    fn accept(&mut self, head: &mut ResponseHead) {
        self.inbound = Inbound::of_response(head.framing);
        self.response_keeps_alive = head.keep_alive;
        self.kept_for = head.fields.get(FieldName::KEEP_ALIVE).and_then(pool::announced);
        forwarding::drop_nominated(&mut head.fields);
        if self.inbound.left().is_some_and(|left| left > Size::Medium.bytes() as u64) {
            self.size = Size::Large;
        }
    }

    /// A 101 counts only if the client asked for this protocol (RFC 9110 §7.8).
    fn accept_upgrade(&mut self, exchange: &Exchange, head: &ResponseHead) -> Result<(), Failure> {
        let asked = |token: &[u8]| {
            exchange.request.fields.members(FieldName::UPGRADE).any(|m| m.eq_ignore_ascii_case(token))
        };
        let mut tokens = head.fields.members(FieldName::UPGRADE);
        match (exchange.request.wants_upgrade, tokens.next(), tokens.next()) {
            (true, Some(token), None) if asked(token) => Ok(()),
            _ => Err(Failure::BadInterim),
        }
    }

    /// Sends what can be sent and reads until a head is complete; the result is its length.
    fn poll_head<D: Downstream>(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Exchange,
        client: &mut D,
        head: &mut ResponseHead,
        watch: &mut Watch,
    ) -> Poll<Result<usize, Failure>> {
        let pumped = self.poll_pump(cx, exchange, client);
        if let Poll::Ready(Err(failure)) = pumped {
            return Poll::Ready(Err(failure));
        }
        self.appetite = client.appetite();
        self.suit();
        if watch.is_waiting() {
            // Woken: most probably because the response is here.
            self.under_way.worker.buffers.lend(&mut self.input);
        }
        loop {
            if !self.input.is_empty() {
                self.under_way.worker.lend_head(head);
                match head.parse(self.input.data(), exchange.request.method(), &RESPONSE_HEAD) {
                    Ok(Parsed::Complete(len)) => return Poll::Ready(Ok(len)),
                    Ok(Parsed::Partial) if self.input.is_full() => {
                        self.under_way.worker.buffers.enlarge(&mut self.input)
                    }
                    Ok(Parsed::Partial) => {}
                    Err(e) => return Poll::Ready(Err(Failure::BadResponse(e))),
                }
            }
            match self.poll_read(cx) {
                Poll::Ready(Err(error)) if tls::is_distrust(&error) => {
                    tls::tell(&self.under_way.endpoint, &error);
                    return Poll::Ready(Err(Failure::ServiceTlsFailed));
                }
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(self.broken())),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => break,
            }
        }
        let wait = if pumped.is_ready() { Wait::FirstByte } else { self.waits_for(client) };
        if pumped.is_ready() && client.content_is_ended() && client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Failure::ClientGone));
        }
        watch.poll(cx, wait, self.moved(), client.deadline(), exchange).map(Err)
    }

    /// Why there will be no answer. A service that took not a byte has seen nothing.
    fn broken(&self) -> Failure {
        if self.out.moved() == 0 { Failure::ServiceRefused } else { Failure::ServiceReset }
    }

    /// While the request is being sent: who holds it up?
    fn waits_for<D: Downstream>(&self, client: &D) -> Wait {
        let nothing_to_write = self.out.is_empty() && client.content().is_empty();
        if nothing_to_write { Wait::ClientBody } else { Wait::ServiceWrite }
    }

    /// Nothing more is read than the client would take, but for a little: there may be a head or an end in it. What the
    /// client does not take waits in the socket.
    fn suit(&mut self) {
        let size = self.size.filled_by(self.appetite);
        self.under_way.worker.buffers.suit(&mut self.input, size);
    }

    /// The client would take so many bytes now.
    pub(crate) fn set_appetite(&mut self, bytes: usize) {
        self.appetite = bytes;
    }

    /// What is at hand waits in as little memory as it needs.
    pub(crate) fn settle(&mut self) {
        self.under_way.worker.buffers.settle(&mut self.input);
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(Ok(0)) };
        connection.stream.poll_read(cx, &self.under_way.worker.buffers, &mut self.input)
    }

    /// Moves request content from the client to the service. Ready when there is no more to send.
    pub(crate) fn poll_pump<D: Downstream>(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Exchange,
        client: &mut D,
    ) -> Poll<Result<(), Failure>> {
        loop {
            if self.request == Request::Broken {
                return Poll::Ready(Ok(()));
            }
            while self.request == Request::Open && self.out.has_room() {
                match client.poll_content(cx)? {
                    Poll::Ready(Content::Data) if self.sends_directly(exchange, client) => break,
                    Poll::Ready(Content::Data) => self.encode(exchange, client)?,
                    Poll::Ready(Content::End) => self.encode_end(exchange)?,
                    Poll::Pending => break,
                }
            }
            let direct = if self.request == Request::Open && self.sends_directly(exchange, client) {
                client.content()
            } else {
                &[]
            };
            let Some(connection) = &mut self.connection else { return Poll::Ready(Ok(())) };
            if self.out.is_empty() && direct.is_empty() {
                if ready!(connection.stream.poll_flush(cx)).is_err() {
                    self.request = Request::Broken;
                }
                if self.request == Request::Open {
                    return Poll::Pending;
                }
                self.out.release(&self.under_way.worker);
                return Poll::Ready(Ok(()));
            }
            match ready!(self.out.poll_write(cx, &mut connection.stream, direct)) {
                Ok(0) => {}
                Ok(from_content) => client.consume(from_content),
                // The service may have answered before it closed; the answer is worth reading.
                Err(_) => self.request = Request::Broken,
            }
        }
    }

    /// Large pieces of a body of known length are written from where they are.
    fn sends_directly<D: Downstream>(&self, exchange: &Exchange, client: &D) -> bool {
        matches!(self.content, Outgoing::Length(_))
            && exchange.transforms.is_empty()
            && client.content().len() > COPIED
    }

    fn encode<D: Downstream>(&mut self, exchange: &mut Exchange, client: &mut D) -> Result<(), Failure> {
        let piece = client.content();
        let n = piece.len();
        if exchange.transforms.is_empty() {
            encode_piece(self.out.lend(&self.under_way.worker), self.content, piece);
        } else {
            let mut changed = Vec::new();
            exchange.transforms.run(piece, &mut changed)?;
            encode_piece(self.out.lend(&self.under_way.worker), self.content, &changed);
        }
        client.consume(n);
        Ok(())
    }

    fn encode_end(&mut self, exchange: &mut Exchange) -> Result<(), Failure> {
        if !exchange.transforms.is_empty() {
            let mut rest = Vec::new();
            exchange.transforms.finish(&mut rest)?;
            encode_piece(self.out.lend(&self.under_way.worker), self.content, &rest);
        }
        if self.content == Outgoing::Chunked {
            self.out.lend(&self.under_way.worker).extend_from_slice(write::LAST_CHUNK);
        }
        self.request = Request::Encoded;
        Ok(())
    }

    /// Waits for response content; then [`Call::content`] has some.
    pub(crate) fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<Content, Failure>> {
        loop {
            match self.inbound.advance(&mut self.input, &mut self.trailers) {
                Ok(Next::Data) => return Poll::Ready(Ok(Content::Data)),
                Ok(Next::End) => return Poll::Ready(Ok(Content::End)),
                Ok(Next::NeedMore) => {}
                Err(_) => return Poll::Ready(Err(Failure::BadResponseBody)),
            }
            self.suit();
            let worker = &self.under_way.worker;
            ready!(worker.turns.poll(cx, &mut self.place, &worker.buffers, &mut self.input));
            let read = self.poll_read(cx);
            if read.is_pending() {
                self.acknowledge();
            }
            match ready!(read) {
                Ok(0) if self.inbound.close() => {}
                Ok(0) | Err(_) => return Poll::Ready(Err(Failure::ServiceTruncated)),
                Ok(n) => self.has_read(n),
            }
        }
    }

    fn has_read(&mut self, bytes: usize) {
        self.received = self.received.wrapping_add(bytes as u64);
        self.under_way.worker.turns.moved(&mut self.place, bytes);
        if bytes == Size::Medium.bytes() {
            // Of unknown length, and much.
            self.size = Size::Large;
        }
    }

    /// Many services write a head and then its content, and their system holds the second back until the first is
    /// acknowledged (Nagle's algorithm, RFC 1122 §4.2.3.4), which ours would do after 40 ms.
    fn acknowledge(&mut self) {
        if !std::mem::replace(&mut self.is_acknowledged, true)
            && let Some(connection) = &self.connection
        {
            connection.stream.acknowledge_at_once();
        }
    }

    /// The response content at hand.
    pub(crate) fn content(&self) -> &[u8] {
        self.input.data().get(..self.inbound.ready()).unwrap_or_default()
    }

    /// `n` bytes of the content at hand were used.
    pub(crate) fn consume(&mut self, n: usize) {
        self.inbound.consume(&mut self.input, n);
    }

    /// True when content follows the head.
    pub(crate) fn has_content(&self) -> bool {
        !self.inbound.is_ended()
    }

    /// True when `n` bytes of content are the last.
    pub(crate) fn ends_after(&self, n: usize) -> bool {
        self.inbound.left() == Some(n as u64)
    }

    /// The trailers of the response, once its content has ended.
    pub(crate) fn take_trailers(&mut self) -> Option<Fields> {
        self.trailers.take()
    }

    pub(crate) fn under_way(&self) -> &UnderWay {
        &self.under_way
    }

    /// A number that changes when bytes move either way.
    pub(crate) fn moved(&self) -> u64 {
        self.out.moved().wrapping_add(self.received)
    }

    /// The connection and what was read ahead, for a tunnel.
    pub(crate) fn into_tunnel(mut self: Box<Self>) -> Option<(Stream, Buffer)> {
        (self.size, self.appetite) = (Size::Medium, usize::MAX);
        self.suit();
        let input = std::mem::take(&mut self.input);
        self.connection.take().map(|connection| (connection.stream, input))
    }

    /// Gives the connection back if both messages are complete and nothing else came.
    pub(crate) fn finish(mut self: Box<Self>) {
        let is_clean = self.inbound.is_ended()
            && self.input.is_empty()
            && self.request == Request::Encoded
            && self.out.is_empty()
            && self.response_keeps_alive
            && !self.is_upgrade
            && self.under_way.endpoint.introduction.is_none();
        if let Some(connection) = self.connection.take().filter(|_| is_clean) {
            let UnderWay { worker, service, endpoint } = &self.under_way;
            worker.pools.give(service, endpoint, connection, self.kept_for, worker.recent());
        }
    }
}

impl Drop for H1Call {
    fn drop(&mut self) {
        let worker = &self.under_way.worker;
        worker.buffers.give(std::mem::take(&mut self.input));
        worker.give_bytes(std::mem::take(&mut self.out.bytes));
    }
}

fn encode_piece(out: &mut Vec<u8>, content: Outgoing, piece: &[u8]) {
    match content {
        Outgoing::Chunked => write::chunk(out, piece),
        _ => out.extend_from_slice(piece),
    }
}
