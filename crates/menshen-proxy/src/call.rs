//! A call: one attempt of sending a request to an endpoint and reading its response, whatever protocol it speaks.

mod begun;

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use menshen_http1::{Fields, RequestFraming, ResponseHead};

use self::begun::Begun;
use crate::body::Length;
use crate::buffer::Buffer;
use crate::downstream::{Content, Downstream};
use crate::endpoint::{Endpoint, HttpVersion};
use crate::forwarding::Outgoing;
use crate::grpc::GrpcStatus;
use crate::h1::upstream::H1Call;
use crate::h2::upstream::H2Call;
use crate::kept::Source;
use crate::mirror::Mirror;
use crate::service::Service;
use crate::snapshot::{HostPolicy, Route};
use crate::stream::Stream;
use crate::worker::Worker;
use crate::{Blame, Exchange, Failure, grpc, moment};

/// Interim responses passed on before the final one.
pub(crate) const MAX_INTERIM: u8 = 16;

/// An attempt under way. Boxed, because answers are handed from function to function.
pub(crate) enum Call {
    H1(Box<H1Call>),
    H2(Box<H2Call>),
    Begun(Box<Begun>),
}

/// Where an attempt goes, and what is asked for there.
pub(crate) struct Aim<'a> {
    pub(crate) service: &'a Arc<Service>,
    pub(crate) endpoint: &'a Arc<Endpoint>,
    pub(crate) host: &'a HostPolicy,
    /// What is put in front of the path.
    pub(crate) base: &'a str,
    /// Where a copy of it goes, when it is first sent.
    pub(crate) mirror: Option<&'a Mirror>,
}

impl Call {
    /// Connects, sends the request and waits for the final response head, which is left in `head`.
    pub(crate) async fn start<D: Downstream>(
        exchange: &mut Exchange,
        client: &mut D,
        route: &Route,
        aim: &Aim<'_>,
        head: &mut ResponseHead,
    ) -> Result<Self, Failure> {
        let Some(mut kept) = exchange.kept.take() else {
            return Self::start_from(exchange, client, route, aim, head).await;
        };
        kept.rewind();
        let source = &mut Source { kept: &mut kept, client };
        // Boxed: the plain path must not carry its size.
        let call = Box::pin(Self::start_from(exchange, source, route, aim, head)).await;
        exchange.kept = Some(kept);
        call
    }

    async fn start_from<D: Downstream>(
        exchange: &mut Exchange,
        client: &mut D,
        route: &Route,
        aim: &Aim<'_>,
        head: &mut ResponseHead,
    ) -> Result<Self, Failure> {
        match aim.endpoint.version {
            HttpVersion::Http1 => H1Call::start(exchange, client, route, aim, head).await.map(Self::H1),
            // Boxed: the plain path must not carry its size.
            HttpVersion::Http2 => {
                Box::pin(H2Call::start(exchange, client, route, aim, head)).await.map(Self::H2)
            }
        }
    }

    /// Moves request content from the client to the service. Ready when there is no more to send.
    pub(crate) fn poll_pump<D: Downstream>(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Exchange,
        client: &mut D,
    ) -> Poll<Result<(), Failure>> {
        let Some(mut kept) = exchange.kept.take() else { return self.pump(cx, exchange, client) };
        let pumped = self.pump(cx, exchange, &mut Source { kept: &mut kept, client });
        exchange.kept = Some(kept);
        pumped
    }

    fn pump<D: Downstream>(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Exchange,
        client: &mut D,
    ) -> Poll<Result<(), Failure>> {
        match self {
            Self::H1(call) => call.poll_pump(cx, exchange, client),
            Self::H2(call) => call.poll_pump(cx, exchange, client),
            Self::Begun(call) => call.rest.pump(cx, exchange, client),
        }
    }

    /// Waits for response content; then [`Call::content`] has some.
    pub(crate) fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<Content, Failure>> {
        match self {
            Self::H1(call) => call.poll_content(cx),
            Self::H2(call) => call.poll_content(cx),
            Self::Begun(call) => call.poll_content(cx),
        }
    }

    /// The client would take so many bytes now. No more are read for it, but for a little.
    pub(crate) fn set_appetite(&mut self, bytes: usize) {
        match self {
            Self::H1(call) => call.set_appetite(bytes),
            Self::H2(call) => call.set_appetite(bytes),
            Self::Begun(call) => call.rest.set_appetite(bytes),
        }
    }

    /// The client takes nothing now: what is at hand waits in as little memory as it needs.
    pub(crate) fn settle(&mut self) {
        match self {
            Self::H1(call) => call.settle(),
            Self::H2(call) => call.settle(),
            Self::Begun(call) => call.rest.settle(),
        }
    }

    /// The response content at hand.
    pub(crate) fn content(&self) -> &[u8] {
        match self {
            Self::H1(call) => call.content(),
            Self::H2(call) => call.content(),
            Self::Begun(call) => call.content(),
        }
    }

    /// `n` bytes of the content at hand were used.
    pub(crate) fn consume(&mut self, n: usize) {
        match self {
            Self::H1(call) => call.consume(n),
            Self::H2(call) => call.consume(n),
            Self::Begun(call) => call.consume(n),
        }
    }

    /// True when more content, or its end, follows.
    pub(crate) fn has_content(&self) -> bool {
        match self {
            Self::H1(call) => call.has_content(),
            Self::H2(call) => call.has_content(),
            Self::Begun(call) => call.has_content(),
        }
    }

    /// True when `n` bytes, all of the content at hand, are known to be the last.
    pub(crate) fn ends_after(&self, n: usize) -> bool {
        match self {
            Self::H1(call) => call.ends_after(n),
            Self::H2(call) => call.ends_after(n),
            Self::Begun(call) => call.ends_after(n),
        }
    }

    /// The trailers of the response that may go on to the client, once its content has ended: those that the route
    /// names; all of them for gRPC, which tells its status there.
    pub(crate) fn take_trailers(&mut self, exchange: &Exchange) -> Fields {
        let trailers = match self {
            Self::H1(call) => call.take_trailers(),
            Self::H2(call) => call.take_trailers(),
            Self::Begun(call) => return call.rest.take_trailers(exchange),
        };
        let mut trailers = trailers.unwrap_or_default();
        if trailers.is_empty() {
            return trailers;
        }
        if grpc::is_grpc(&exchange.request.fields) {
            exchange.grpc_status.set(GrpcStatus::of(&trailers));
        } else {
            let allowed = &exchange.route().trailers;
            trailers.retain(|f| allowed.iter().any(|a| a.as_bytes().eq_ignore_ascii_case(f.name)));
        }
        trailers
    }

    /// A number that changes when bytes move either way.
    pub(crate) fn moved(&self) -> u64 {
        match self {
            Self::H1(call) => call.moved(),
            Self::H2(call) => call.moved(),
            Self::Begun(call) => call.rest.moved(),
        }
    }

    /// The connection and what was read ahead, for a tunnel.
    pub(crate) fn into_tunnel(self) -> Option<(Stream, Buffer)> {
        match self {
            Self::H1(call) => call.into_tunnel(),
            Self::H2(_) | Self::Begun(_) => None,
        }
    }

    /// The whole answer was taken: gives the connection back, if it can carry more.
    pub(crate) fn finish(self) {
        if let Self::Begun(begun) = self {
            return begun.rest.finish();
        }
        self.under_way().note_whole();
        match self {
            Self::H1(call) => call.finish(),
            // The connection is shared and was never away.
            Self::H2(_) | Self::Begun(_) => {}
        }
    }

    /// The answer was not taken to its end. Where the service is to blame that counts for its endpoint.
    pub(crate) fn abandon(self, failure: Failure) {
        if failure.blame() == Blame::Service {
            self.under_way().note_broken(failure);
        }
    }

    fn under_way(&self) -> &UnderWay {
        match self {
            Self::H1(call) => call.under_way(),
            Self::H2(call) => call.under_way(),
            Self::Begun(call) => call.rest.under_way(),
        }
    }
}

/// An attempt is counted as long as this lives.
pub(crate) struct UnderWay {
    pub(crate) worker: Rc<Worker>,
    pub(crate) service: Arc<Service>,
    pub(crate) endpoint: Arc<Endpoint>,
}

/// Whether an attempt goes over a connection that carried requests before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    New,
    Used,
}

impl UnderWay {
    pub(crate) fn new(worker: Rc<Worker>, aim: &Aim<'_>, carrier: Carrier) -> Self {
        let (service, endpoint) = (aim.service.clone(), aim.endpoint.clone());
        if let Some(cells) = service.stats.of(worker.index) {
            cells.attempts.add(1);
            cells.active.add(1);
            match carrier {
                Carrier::New => cells.connects.add(1),
                Carrier::Used => cells.reuses.add(1),
            }
        }
        if let Some(in_flight) = endpoint.state.in_flight.of(worker.index) {
            in_flight.add(1);
        }
        Self { worker, service, endpoint }
    }

    fn note_whole(&self) {
        self.endpoint.state.health.note_whole();
    }

    fn note_broken(&self, failure: Failure) {
        let now = moment::micros(self.worker.recent());
        self.service.note_broken(now, self.worker.index, &self.endpoint, failure);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(cells) = self.service.stats.of(self.worker.index) {
            cells.active.sub(1);
        }
        if let Some(in_flight) = self.endpoint.state.in_flight.of(self.worker.index) {
            in_flight.sub(1);
        }
    }
}

/// How the request's content will be sent.
pub(crate) fn outgoing(exchange: &Exchange) -> Outgoing {
    let changed = !exchange.transforms.is_empty() && exchange.transforms.length() == Length::Changed;
    match exchange.request.framing {
        RequestFraming::None => Outgoing::None,
        RequestFraming::Length(_) if changed => Outgoing::Chunked,
        RequestFraming::Length(n) => Outgoing::Length(n),
        RequestFraming::Chunked => Outgoing::Chunked,
    }
}
