//! What a client sends becomes exchanges: each request is served by a task of its own.

use std::rc::Rc;

use menshen_http1::{HeadError, RequestFraming};
use menshen_http2::hpack::Field;
use menshen_http2::{Block, Code, Flaw, Lane, Receiver};

use super::client::H2Client;
use super::connection::Shared;
use super::link::Inbox;
use super::request::HeadBuilder;
use super::side::Side;
use crate::panics::{CatchPanic, Panicked};
use crate::{Exchange, Failure, serve};

impl Lane for Inbox {
    fn wake(&mut self) {
        Self::wake(self);
    }
}

/// Takes what comes in over a client's connection.
pub(super) struct RequestReader<'a> {
    shared: &'a Rc<Shared>,
    builder: &'a mut HeadBuilder,
    /// The exchange whose head is coming in.
    exchange: Option<Box<Exchange>>,
    /// The first pseudo-field within trailers.
    is_broken: bool,
}

impl<'a> RequestReader<'a> {
    pub(super) fn new(shared: &'a Rc<Shared>, builder: &'a mut HeadBuilder) -> Self {
        Self { shared, builder, exchange: None, is_broken: false }
    }
}

impl Receiver for RequestReader<'_> {
    type Lane = Inbox;

    fn begin(&mut self, block: Block) {
        self.is_broken = false;
        if block != Block::Request {
            return;
        }
        let live = self.shared.slot.live();
        let worker = &self.shared.worker;
        let mut exchange = worker.take_exchange(&live);
        exchange.reset(live.clone(), self.shared.client.clone(), worker.now());
        let listener = live.listener();
        self.builder.begin(listener.head, listener.underscores);
        self.exchange = Some(exchange);
    }

    fn field(&mut self, field: Field<'_>) {
        match &mut self.exchange {
            Some(exchange) => self.builder.field(&mut exchange.request, field),
            // Trailers of requests stay here.
            None => self.is_broken |= field.name.starts_with(b":"),
        }
    }

    fn request(&mut self, stream: u32, ends: bool) -> Result<Inbox, Flaw> {
        let Some(mut exchange) = self.exchange.take() else { return Err(Flaw::Stream(Code::INTERNAL_ERROR)) };
        if self.builder.is_abuse() {
            return Err(Flaw::Connection(Code::ENHANCE_YOUR_CALM));
        }
        let head = self.builder.finish(&mut exchange.request, ends);
        let left = match exchange.request.framing {
            RequestFraming::Length(n) => Some(n),
            RequestFraming::None | RequestFraming::Chunked => None,
        };
        spawn(self.shared, stream, exchange, head);
        Ok(Inbox::expecting(left, ends))
    }

    fn response(&mut self, _: &mut Inbox, _: bool) -> Result<bool, Flaw> {
        Err(Flaw::Connection(Code::PROTOCOL_ERROR))
    }

    fn trailers(&mut self, _: &mut Inbox) -> Result<(), Flaw> {
        if self.is_broken { Err(Flaw::Connection(Code::PROTOCOL_ERROR)) } else { Ok(()) }
    }

    fn content(&mut self, inbox: &mut Inbox, bytes: &[u8]) -> Result<(), Flaw> {
        inbox.put(bytes)
    }

    fn end(&mut self, inbox: &mut Inbox) -> Result<(), Flaw> {
        inbox.end()
    }

    fn reset(&mut self, _: &mut Inbox, _: Code) {}
}

/// Serves a stream in a task of its own.
fn spawn(shared: &Rc<Shared>, id: u32, exchange: Box<Exchange>, head: Result<(), HeadError>) {
    let shared = shared.clone();
    tokio::task::spawn_local(async move {
        let code = {
            let served = std::pin::pin!(serve_stream(&shared, id, exchange, head));
            match CatchPanic(served).await {
                Ok(()) => Code::NO_ERROR,
                Err(Panicked) => {
                    let (worker, peer) = (&shared.worker, shared.client.peer);
                    worker.note_panic();
                    tracing::error!(worker = worker.index, %peer, "a panic ended an exchange");
                    Code::INTERNAL_ERROR
                }
            }
        };
        shared.link.let_go(id, code);
        shared.served();
    });
}

async fn serve_stream(shared: &Shared, id: u32, mut exchange: Box<Exchange>, head: Result<(), HeadError>) {
    let worker = &shared.worker;
    let deadline = worker.take_deadline();
    let mut client = H2Client::new(worker, &deadline, &exchange.request, Side { link: &shared.link, id });
    match head {
        Ok(()) => serve::serve(&mut exchange, &mut client).await,
        Err(error) => serve::refuse(&mut exchange, &mut client, Failure::BadHead(error)).await,
    }
    worker.give_exchange(exchange);
    client.take_the_rest().await;
    worker.give_deadline(deadline);
}
