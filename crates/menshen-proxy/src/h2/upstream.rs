//! A call over HTTP/2: one stream of a connection that carries many (RFC 9113 §8).

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::h2::client::ResponseFuture;
use ::h2::{Reason, RecvStream, SendStream};
use ::http::{HeaderMap, Request, Response, Uri};
use bytes::{Buf, Bytes};
use menshen_http1::{FieldName, Fields, Method, ResponseFraming, ResponseHead, Version};

use super::pool::{Place, SEND_BUFFER, Way};
use super::room;
use crate::call::{Aim, Carrier, MAX_INTERIM, UnderWay, outgoing};
use crate::connect::{connect, within};
use crate::downstream::{Content, Downstream};
use crate::forwarding::{self, Outgoing};
use crate::snapshot::Route;
use crate::wait::{Wait, Watch};
use crate::{Exchange, Failure};

/// How often a request looks for a connection before it gives up: others may take what it waited for.
const TRIES: usize = 3;

/// An attempt under way.
pub(crate) struct H2Call {
    under_way: UnderWay,
    place: Place,
    response: ResponseFuture,
    request: SendStream<Bytes>,
    state: State,
    /// Request content that passed the transforms and is still to be sent.
    changed: Bytes,
    body: Option<RecvStream>,
    /// The piece of response content at hand.
    piece: Bytes,
    body_ended: bool,
    trailers: Option<Fields>,
    moved: u64,
}

/// How far the request has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Content may follow.
    Open,
    /// All is sent.
    Ended,
    /// The service does not take more; it may have answered.
    Broken,
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
        let request = request(exchange, route, aim, content)?;
        if exchange.request.expects_continue && content != Outgoing::None {
            // Streams have windows: there is nothing to wait for.
            client.interim(exchange, &ResponseHead::new(100)).await?;
        }
        let (place, carrier) = find_place(exchange, client, aim).await?;
        let requests = within(exchange, client, place.ready()).await?;
        let mut requests = requests.map_err(|_| Failure::ServiceRefused)?;
        let is_whole = content == Outgoing::None;
        let (response, stream) = requests.send_request(request, is_whole).map_err(|error| {
            tracing::debug!(%error, endpoint = %aim.endpoint.authority, "a request could not be sent over HTTP/2");
            Failure::ServiceRefused
        })?;
        let mut call = Box::new(Self {
            under_way: UnderWay::new(exchange.live.worker().clone(), aim, carrier),
            place,
            response,
            request: stream,
            state: if is_whole { State::Ended } else { State::Open },
            changed: Bytes::new(),
            body: None,
            piece: Bytes::new(),
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
            let response = poll_fn(|cx| self.poll_head(cx, exchange, client, &mut watch)).await?;
            match response {
                Came::Interim(interim) => {
                    read_head(head, &interim, Method::Get);
                    client.interim(exchange, head).await?;
                    self.moved = self.moved.wrapping_add(1);
                }
                Came::Final(response) => {
                    let (parts, body) = response.into_parts();
                    self.body_ended = body.is_end_stream();
                    read_head(head, &Response::from_parts(parts, ()), exchange.request.method());
                    if head.framing == ResponseFraming::None {
                        self.body_ended = true;
                    }
                    self.body = Some(body);
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
        if let Poll::Ready(Some(Ok(interim))) = self.response.poll_informational(cx) {
            return Poll::Ready(Ok(Came::Interim(interim)));
        }
        if let Poll::Ready(response) = Pin::new(&mut self.response).poll(cx) {
            return Poll::Ready(response.map(Came::Final).map_err(|error| self.refused(&error)));
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

    /// What an error before the response head means: what the service says it has not looked at can be sent again.
    fn refused(&self, error: &::h2::Error) -> Failure {
        tracing::debug!(%error, endpoint = %self.under_way.endpoint.authority, "an HTTP/2 stream of a service failed");
        let unseen = error.reason() == Some(Reason::REFUSED_STREAM) || error.is_go_away();
        if !error.is_reset() {
            self.place.retire();
        }
        if error.is_remote() && unseen { Failure::ServiceRefused } else { Failure::ServiceReset }
    }

    /// Moves request content from the client to the service. Ready when there is no more to send.
    pub(crate) fn poll_pump<D: Downstream>(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Exchange,
        client: &mut D,
    ) -> Poll<Result<(), Failure>> {
        while self.state == State::Open {
            if !self.changed.is_empty() {
                let Some(room) = ready!(self.poll_room(cx, self.changed.len())) else { break };
                let piece = self.changed.split_to(room);
                self.send(piece, End::Later);
                continue;
            }
            match ready!(client.poll_content(cx))? {
                Content::End => {
                    let mut rest = Vec::new();
                    exchange.transforms.finish(&mut rest)?;
                    self.send(rest.into(), End::Now);
                }
                Content::Data if !exchange.transforms.is_empty() => {
                    let mut changed = Vec::new();
                    exchange.transforms.run(client.content(), &mut changed)?;
                    client.consume(client.content().len());
                    self.changed = changed.into();
                }
                Content::Data => {
                    let Some(room) = ready!(self.poll_room(cx, client.content().len())) else { break };
                    let piece = Bytes::copy_from_slice(client.content().get(..room).unwrap_or_default());
                    client.consume(room);
                    let end = if client.content_is_ended() { End::Now } else { End::Later };
                    self.send(piece, end);
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Waits until a part of `wanted` bytes may be sent. `None` when the service takes no more.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<Option<usize>> {
        let room = ready!(room::poll(&mut self.request, cx, wanted, SEND_BUFFER));
        if room.is_none() {
            self.state = State::Broken;
        }
        Poll::Ready(room)
    }

    fn send(&mut self, piece: Bytes, end: End) {
        self.moved = self.moved.wrapping_add(piece.len() as u64);
        let sent = self.request.send_data(piece, end == End::Now);
        self.state = match (sent, end) {
            // The service may have answered before it closed; the answer is worth reading.
            (Err(_), _) => State::Broken,
            (Ok(()), End::Now) => State::Ended,
            (Ok(()), End::Later) => State::Open,
        };
    }

    /// Waits for response content; then [`H2Call::content`] has some.
    pub(crate) fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<Content, Failure>> {
        while self.piece.is_empty() {
            let Some(body) = self.body.as_mut().filter(|_| !self.body_ended) else {
                return Poll::Ready(Ok(Content::End));
            };
            match ready!(body.poll_data(cx)) {
                Some(Ok(piece)) => {
                    self.moved = self.moved.wrapping_add(piece.len() as u64);
                    self.piece = piece;
                }
                Some(Err(_)) => return Poll::Ready(Err(Failure::ServiceTruncated)),
                None => {
                    let trailers = ready!(body.poll_trailers(cx)).map_err(|_| Failure::ServiceTruncated)?;
                    self.trailers = trailers.as_ref().map(fields);
                    self.body_ended = true;
                }
            }
        }
        Poll::Ready(Ok(Content::Data))
    }

    /// The response content at hand.
    pub(crate) fn content(&self) -> &[u8] {
        &self.piece
    }

    /// `n` bytes of the content at hand were used.
    pub(crate) fn consume(&mut self, n: usize) {
        let n = n.min(self.piece.len());
        self.piece.advance(n);
        if let Some(body) = &mut self.body {
            // What was passed on makes room for more.
            let _ = body.flow_control().release_capacity(n);
            self.body_ended |= self.piece.is_empty() && body.is_end_stream();
        }
    }

    /// True when more content, or its end, follows.
    pub(crate) fn has_content(&self) -> bool {
        !(self.body_ended && self.piece.is_empty())
    }

    /// The trailers of the response, once its content has ended.
    pub(crate) fn take_trailers(&mut self) -> Option<Fields> {
        self.trailers.take()
    }

    /// A number that changes when bytes move either way.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }
}

/// Whether something is the last of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Now,
    Later,
}

/// A response on its way.
enum Came {
    Interim(Response<()>),
    Final(Response<RecvStream>),
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
                let opened = within(exchange, client, pool.open(aim.service, aim.endpoint, stream)).await?;
                let place = opened.map_err(|_| Failure::ServiceRefused)?;
                drop(dialer);
                return Ok((place, Carrier::New));
            }
        }
    }
    Err(Failure::ServiceRefused)
}

/// The request as the service gets it: the same fields as over HTTP/1, but for those of the connection.
fn request(
    exchange: &Exchange,
    route: &Route,
    aim: &Aim<'_>,
    content: Outgoing,
) -> Result<Request<()>, Failure> {
    let worker = exchange.live.worker();
    let mut text = worker.take_bytes();
    forwarding::write_request(&mut text, exchange, route, aim, content)?;
    let mut scratch = Vec::new();
    let (method, target) = exchange.asked(route, aim.base, &mut scratch)?;
    let mut request = Request::new(());
    let mut authority = None;
    for line in text.split(|b| *b == b'\n').skip(1) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.get(2..).unwrap_or_default();
        match FieldName::of(name) {
            FieldName::HOST => authority = Some(value.to_vec()),
            FieldName::EXPECT => {}
            id if FieldName::HOP_BY_HOP.contains(id) => {}
            _ => super::convert::append(request.headers_mut(), name, value),
        }
    }
    worker.give_bytes(text);
    // The one thing of TE that crosses (RFC 9113 §8.2.2), because gRPC asks for it.
    let mut wanted = exchange.request.fields.members(FieldName::TE);
    if wanted.any(|m| m.eq_ignore_ascii_case(b"trailers")) {
        super::convert::append(request.headers_mut(), b"te", b"trailers");
    }
    let scheme = if aim.endpoint.tls.is_some() { "https" } else { "http" };
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(authority.unwrap_or_default().as_slice())
        .path_and_query(target)
        .build();
    *request.uri_mut() = uri.map_err(|_| Failure::BadRewrite)?;
    let method = ::http::Method::from_bytes(method);
    *request.method_mut() = method.map_err(|_| Failure::BadRewrite)?;
    *request.version_mut() = ::http::Version::HTTP_2;
    Ok(request)
}

fn read_head(head: &mut ResponseHead, response: &Response<()>, method: Method) {
    head.reset(response.status().as_u16());
    head.version = Version::Http2;
    for (name, value) in response.headers() {
        head.fields.append_named(name.as_str().as_bytes(), value.as_bytes());
    }
    let length = response.headers().get("content-length").and_then(|v| v.to_str().ok()?.parse().ok());
    head.framing = match length {
        _ if method == Method::Head || matches!(head.status, 100..=199 | 204 | 304) => ResponseFraming::None,
        Some(n) => ResponseFraming::Length(n),
        None => ResponseFraming::Chunked,
    };
}

/// The trailers of a response; those that would change its meaning after the fact are dropped (RFC 9110 §6.5.1).
fn fields(from: &HeaderMap) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in from {
        if menshen_http1::may_be_trailer(name.as_str().as_bytes()) {
            fields.append_named(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    fields
}
