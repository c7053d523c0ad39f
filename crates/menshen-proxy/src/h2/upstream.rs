//! A call over HTTP/2: one stream of a connection that carries many (RFC 9113 §8).

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use menshen_http1::{FieldName, Fields, Method, ResponseFraming, ResponseHead};
use menshen_http2::hpack::{Encoder, Indexing};
use menshen_http2::{Code, End};

use super::block;
use super::link::{AtHand, room};
use super::pool::{MOST_AHEAD, Place, Way};
use super::response_reader::PendingResponse;
use crate::call::{Aim, Carrier, MAX_INTERIM, UnderWay, outgoing};
use crate::connect::{connect, within};
use crate::downstream::{Content, Downstream};
use crate::forwarding::{self, Outgoing};
use crate::snapshot::Route;
use crate::wait::{Wait, Watch};
use crate::{Exchange, Failure};

/// How often a request looks for a connection before it gives up: others may take what it waited for. Each time one is
/// opened, so that this is for as many times the requests of a connection.
const TRIES: usize = 64;

/// An attempt under way.
pub(crate) struct H2Call {
    under_way: UnderWay,
    place: Place,
    /// The number of the stream.
    id: u32,
    state: State,
    /// Request content that passed the transforms and is still to be sent.
    changed: Bytes,
    /// Response content at hand.
    at_hand: AtHand,
    body_ended: bool,
    trailers: Option<Fields>,
    moved: u64,
}

/// How far the request has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Content may follow.
    Open,
    /// The content at hand is the last.
    Ending,
    /// All is sent.
    Ended,
    /// The service does not take more; it may have answered.
    Broken,
}

/// A response on its way.
enum Came {
    Interim(ResponseHead),
    Final(ResponseHead),
}

impl H2Call {
    /// Finds a connection, sends the request and waits for the final response head, which is left in `head`.
    pub(crate) async fn start<D: Downstream>(
        exchange: &mut Exchange,
        client: &mut D,
        route: &Route,
        aim: &Aim<'_>,
        head: &mut ResponseHead,
    ) -> Result<Box<Self>, Failure> {
        let content = outgoing(exchange);
        if exchange.request.expects_continue && content != Outgoing::None {
            // Streams have windows: there is nothing to wait for.
            client.interim(exchange, &ResponseHead::new(100)).await?;
        }
        let (place, carrier) = find_place(exchange, client, aim).await?;
        let id = send_request(exchange, route, aim, content, &place)?;
        let mut call = Box::new(Self {
            under_way: UnderWay::new(exchange.live.worker().clone(), aim, carrier),
            place,
            id,
            state: if content == Outgoing::None { State::Ended } else { State::Open },
            changed: Bytes::new(),
            at_hand: AtHand::default(),
            body_ended: false,
            trailers: None,
            moved: 0,
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
        for _ in 0..=MAX_INTERIM {
            let came = poll_fn(|cx| self.poll_head(cx, exchange, client, &mut watch)).await?;
            // Nobody pumps until the client has taken this, and other requests must not wait for that.
            self.place.link().yield_turn(self.id);
            match came {
                Came::Interim(interim) => {
                    client.interim(exchange, &interim).await?;
                    self.moved = self.moved.wrapping_add(1);
                }
                Came::Final(final_head) => {
                    self.body_ended |= final_head.framing == ResponseFraming::None;
                    *head = final_head;
                    self.set_appetite(client.appetite());
                    self.look();
                    return Ok(());
                }
            }
        }
        Err(Failure::BadInterim)
    }

    fn poll_head<D: Downstream>(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Exchange,
        client: &mut D,
        watch: &mut Watch,
    ) -> Poll<Result<Came, Failure>> {
        let pumped = self.poll_pump(cx, exchange, client);
        if let Poll::Ready(Err(failure)) = pumped {
            return Poll::Ready(Err(failure));
        }
        if let Some(came) = self.take_head(cx) {
            return Poll::Ready(came);
        }
        let wait = match &pumped {
            Poll::Ready(_) => Wait::FirstByte,
            Poll::Pending if client.content().is_empty() && self.changed.is_empty() => Wait::ClientBody,
            Poll::Pending => Wait::ServiceWrite,
        };
        if pumped.is_ready() && client.content_is_ended() && client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Failure::ClientGone));
        }
        watch.poll(cx, wait, self.moved, client.deadline(), exchange).map(Err)
    }

    /// What has come instead of content.
    fn take_head(&self, cx: &Context<'_>) -> Option<Result<Came, Failure>> {
        let mut core = self.place.link().core();
        let Some(response) = core.lane(self.id) else { return Some(Err(Failure::ServiceReset)) };
        if let Some(interim) = response.interim.pop_front() {
            return Some(Ok(Came::Interim(interim)));
        }
        if let Some(head) = response.head.take() {
            return Some(Ok(Came::Final(head)));
        }
        if let Some(code) = response.reset {
            tracing::debug!(%code, endpoint = %self.under_way.endpoint.authority, "a service reset a stream");
            // What the service says it has not looked at can be sent again.
            let is_unseen = code == Code::REFUSED_STREAM;
            return Some(Err(if is_unseen { Failure::ServiceRefused } else { Failure::ServiceReset }));
        }
        response.listen(cx);
        None
    }

    /// Moves request content from the client to the service. Ready when there is no more to send.
    pub(crate) fn poll_pump<D: Downstream>(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Exchange,
        client: &mut D,
    ) -> Poll<Result<(), Failure>> {
        while matches!(self.state, State::Open | State::Ending) {
            if !self.changed.is_empty() {
                let Some(room) = ready!(self.poll_room(cx, self.changed.len())) else { break };
                let piece = self.changed.split_to(room);
                self.send(&piece, End::Later);
                continue;
            }
            if self.state == State::Ending {
                self.send(b"", End::Now);
                break;
            }
            match ready!(client.poll_content(cx))? {
                Content::End => {
                    let mut rest = Vec::new();
                    exchange.transforms.finish(&mut rest)?;
                    (self.changed, self.state) = (rest.into(), State::Ending);
                }
                Content::Data if !exchange.transforms.is_empty() => {
                    let mut changed = Vec::new();
                    exchange.transforms.run(client.content(), &mut changed)?;
                    client.consume(client.content().len());
                    self.changed = changed.into();
                }
                Content::Data => {
                    let Some(room) = ready!(self.poll_room(cx, client.content().len())) else { break };
                    self.send(client.content().get(..room).unwrap_or_default(), End::Later);
                    client.consume(room);
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Waits until a part of `wanted` bytes may be sent. `None` when the service takes no more.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<Option<usize>> {
        let room = ready!(
            room(&mut self.place.link().core(), self.id, wanted, |o: &mut PendingResponse| o.listen(cx))
        );
        if room.is_none() {
            self.state = State::Broken;
        }
        Poll::Ready(room)
    }

    fn send(&mut self, piece: &[u8], end: End) {
        self.moved = self.moved.wrapping_add(piece.len() as u64);
        let is_sent = self.place.link().send(self.id, piece, end);
        self.state = match (is_sent, end) {
            // The service may have answered before it closed; the answer is worth reading.
            (false, _) => State::Broken,
            (true, End::Now) => State::Ended,
            (true, End::Later) => self.state,
        };
    }

    /// Waits for response content; then [`H2Call::content`] has some.
    pub(crate) fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<Content, Failure>> {
        if !self.at_hand.is_empty() {
            return Poll::Ready(Ok(Content::Data));
        }
        if self.body_ended {
            return Poll::Ready(Ok(Content::End));
        }
        let mut core = self.place.link().core();
        let Some(response) = core.lane(self.id) else { return Poll::Ready(Err(Failure::ServiceTruncated)) };
        match self.at_hand.poll_fill(cx, &mut response.inbox) {
            Poll::Ready(true) => {
                self.moved = self.moved.wrapping_add(self.at_hand.content().len() as u64);
                Poll::Ready(Ok(Content::Data))
            }
            Poll::Ready(false) => {
                self.trailers = response.trailers.take();
                self.body_ended = true;
                Poll::Ready(Ok(Content::End))
            }
            Poll::Pending if response.reset.is_some() => Poll::Ready(Err(Failure::ServiceTruncated)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// The client would take so many bytes now: the service may send that much ahead.
    pub(crate) fn set_appetite(&mut self, bytes: usize) {
        self.place.link().core().allow(self.id, bytes.min(MOST_AHEAD));
    }

    /// What is at hand waits in as little memory as it needs.
    pub(crate) fn settle(&mut self) {
        self.at_hand.settle();
    }

    /// The response content at hand.
    pub(crate) fn content(&self) -> &[u8] {
        self.at_hand.content()
    }

    /// `n` bytes of the content at hand were used.
    pub(crate) fn consume(&mut self, n: usize) {
        let n = self.at_hand.take(n);
        // What was passed on makes room for more.
        self.place.link().used(self.id, n);
        self.look();
    }

    /// Sees whether anything is still to come.
    fn look(&mut self) {
        self.body_ended |= self.at_hand.is_empty() && self.is_whole();
    }

    /// True when nothing more comes than what is at hand.
    fn is_whole(&self) -> bool {
        self.place.link().core().lane(self.id).is_some_and(|response| response.is_over())
    }

    /// True when more content, or its end, follows.
    pub(crate) fn has_content(&self) -> bool {
        !(self.body_ended && self.at_hand.is_empty())
    }

    /// True when `n` bytes of content are the last.
    pub(crate) fn ends_after(&self, n: usize) -> bool {
        n == self.at_hand.content().len() && self.is_whole()
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
        self.moved
    }
}

impl Drop for H2Call {
    fn drop(&mut self) {
        self.place.link().let_go(self.id, Code::CANCEL);
    }
}

/// A place on a connection: an open one, one that somebody is about to open, or one of our own.
async fn find_place<D: Downstream>(
    exchange: &Exchange,
    client: &D,
    aim: &Aim<'_>,
) -> Result<(Place, Carrier), Failure> {
    let worker = exchange.live.worker();
    let pool = &worker.pools.multiplexed;
    for _ in 0..TRIES {
        match pool.way(aim.endpoint, worker.recent()) {
            Way::Open(place) => return Ok((place, Carrier::Used)),
            Way::Wait(dialing) => {
                if !within(exchange, client, dialing.outcome()).await? {
                    return Err(Failure::ConnectFailed);
                }
            }
            Way::Dial(dialer) => {
                let stream = match connect(exchange, client, aim.endpoint).await {
                    Ok(stream) => stream,
                    Err(failure) => {
                        dialer.failed();
                        return Err(failure);
                    }
                };
                let place = pool.open(worker, aim.service, aim.endpoint, stream);
                drop(dialer);
                return Ok((place, Carrier::New));
            }
        }
    }
    Err(Failure::ServiceRefused)
}

/// Sends the request on a new stream; its number. The service gets the same fields as over HTTP/1, but for those of the
/// connection.
fn send_request(
    exchange: &Exchange,
    route: &Route,
    aim: &Aim<'_>,
    content: Outgoing,
    place: &Place,
) -> Result<u32, Failure> {
    let worker = exchange.live.worker();
    let mut scratch = Vec::new();
    let (method, target) = exchange.asked(route, aim.base, &mut scratch)?;
    let mut text = worker.take_bytes();
    forwarding::write_request(&mut text, exchange, route, aim, content)?;
    let scheme: &[u8] = if aim.endpoint.tls.is_some() { b"https" } else { b"http" };
    let end = if content == Outgoing::None { End::Now } else { End::Later };
    let link = place.link();
    let mut core = link.core();
    if core.out.capacity() == 0 {
        core.out = worker.take_bytes();
    }
    let Some(id) = core.open(PendingResponse::of(Method::of(method))) else {
        return Err(Failure::ServiceRefused);
    };
    core.send_fields(id, end, |encoder, out| {
        encoder.field(b":method", method, Indexing::Cached, out);
        encoder.field(b":scheme", scheme, Indexing::Cached, out);
        encoder.field(b":path", target, Indexing::Plain, out);
        write_lines(encoder, out, &text);
        // The one thing of TE that crosses (RFC 9113 §8.2.2), because gRPC asks for it.
        let mut wanted = exchange.request.fields.members(FieldName::TE);
        if wanted.any(|m| m.eq_ignore_ascii_case(b"trailers")) {
            encoder.field(b"te", b"trailers", Indexing::Cached, out);
        }
    });
    drop(core);
    link.call();
    worker.give_bytes(text);
    Ok(id)
}

/// The lines of a head behind the first, of which Host comes first.
fn write_lines(encoder: &mut Encoder, out: &mut Vec<u8>, text: &[u8]) {
    for line in text.split(|b| *b == b'\n').skip(1) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.get(2..).unwrap_or_default();
        match FieldName::of(name) {
            FieldName::HOST => encoder.field(b":authority", value, Indexing::Cached, out),
            FieldName::EXPECT => {}
            id if FieldName::HOP_BY_HOP.contains(id) => {}
            id => block::field(encoder, out, id, name, value),
        }
    }
}
