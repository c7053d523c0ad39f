//! Copies of requests for the mirror of a route. A copy is a task of its own: the request does not wait for it, hears nothing
//! of it and does not end it.
//!
//! Content that is still to come is copied while it passes to the service; the copy starts when all of it has.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use menshen_http1::{FieldName, RequestFraming, ResponseHead};

use crate::breaker::Circuit;
use crate::call::{Aim, Call};
use crate::downstream::{Content, Downstream};
use crate::kept::Kept;
use crate::mirror::{Mirror, MirrorCells, Omission, Place, has_memory, has_room};
use crate::moment;
use crate::serve::guard::{self, Extra};
use crate::serve::twin::{Nobody, Twin};
use crate::service::Service;
use crate::wait::{Wait, Watch};
use crate::worker::Live;
use crate::{Exchange, Failure, Timeouts};

/// So much of an answer is read, in bytes, so that the connection can carry more; a longer one ends it.
const READ: usize = 256 * 1024;

/// Copies the request, if it is one to copy. It is as the service gets it: its filters have run.
pub(super) fn begin(exchange: &mut Exchange, mirror: &Mirror) {
    if mirror.is_drawn(exchange.live.random())
        && let Err(omission) = copy(exchange, mirror)
    {
        note(exchange, omission);
    }
}

fn copy(exchange: &mut Exchange, mirror: &Mirror) -> Result<(), Omission> {
    let request = &exchange.request;
    if request.wants_upgrade {
        return Err(Omission::Upgrade);
    }
    if request.fields.get(FieldName::X_MENSHEN_MIRROR).is_some() {
        return Err(Omission::Copy);
    }
    if !has_room(mirror, &exchange.route().stats) {
        return Err(Omission::Busy);
    }
    if matches!(request.framing, RequestFraming::Length(n) if n > mirror.content as u64) {
        return Err(Omission::ContentTooLarge);
    }
    let held = exchange.kept.as_ref().and_then(|kept| kept.all());
    if held.is_some() || request.framing == RequestFraming::None {
        let mut copy = Mirrored::of(exchange, mirror);
        exchange.is_mirrored = copy.takes(held.unwrap_or_default()) && copy.send();
        return Ok(());
    }
    if !exchange.transforms.is_empty() {
        return Err(Omission::ContentChanged);
    }
    let copy = Box::new(Mirrored::of(exchange, mirror));
    exchange.kept.get_or_insert_with(|| Box::new(Kept::passing(0))).copy_to(copy);
    Ok(())
}

/// Counts a request that was drawn and not copied.
fn note(exchange: &Exchange, omission: Omission) {
    if let Some(cells) = exchange.route().stats.of(exchange.live.worker_index()) {
        cells.mirror().dropped.count(omission.code());
    }
}

/// A copy that is not sent yet. One that never is counts as dropped.
pub(crate) struct Mirrored {
    /// `None` when it was sent or given up.
    twin: Option<Twin>,
    /// What has come so far; it counts as held.
    content: Vec<u8>,
}

impl Mirrored {
    fn of(exchange: &Exchange, mirror: &Mirror) -> Self {
        let mut twin = Twin::of(exchange);
        let (worker, copy) = (exchange.live.worker(), &mut twin.exchange);
        copy.started = worker.recent();
        copy.translation = exchange.translation.clone();
        copy.request.expects_continue = false;
        copy.request.fields.set(FieldName::X_MENSHEN_MIRROR, exchange.route().name.as_bytes());
        let (time, connect) = (mirror.time, exchange.timeouts.connect.min(mirror.time));
        copy.timeouts = Timeouts {
            total: Some(time),
            first_byte: time,
            between_bytes: time,
            write: time,
            connect,
            ..exchange.timeouts
        };
        Self { twin: Some(twin), content: Vec::new() }
    }

    /// Takes a piece of content; false when that is too much, which ends the copy.
    pub(crate) fn takes(&mut self, piece: &[u8]) -> bool {
        match self.refuses(piece.len()) {
            None => {
                self.content.extend_from_slice(piece);
                self.count(|cells| cells.held.add(piece.len() as u64));
                true
            }
            Some(omission) => {
                self.give_up(omission);
                false
            }
        }
    }

    fn refuses(&self, bytes: usize) -> Option<Omission> {
        let route = self.twin.as_ref()?.exchange.route();
        let mirror = route.mirror.as_deref()?;
        if self.content.len() + bytes > mirror.content {
            return Some(Omission::ContentTooLarge);
        }
        (!has_memory(mirror, &route.stats, bytes)).then_some(Omission::Busy)
    }

    /// All content is here: starts the copy. False when there is no room for it, or it is too late.
    pub(crate) fn send(&mut self) -> bool {
        let content = self.let_go();
        match self.twin.take().map(|twin| start(twin, content)) {
            Some(Ok(())) => true,
            Some(Err((twin, omission))) => {
                self.twin = Some(twin);
                self.give_up(omission);
                false
            }
            None => false,
        }
    }

    fn give_up(&mut self, omission: Omission) {
        drop(self.let_go());
        if let Some(twin) = self.twin.take() {
            note(&twin.exchange, omission);
            let live = twin.exchange.live.clone();
            twin.give_back(live.worker());
        }
    }

    /// The content, which is held no more.
    fn let_go(&mut self) -> Vec<u8> {
        let content = std::mem::take(&mut self.content);
        self.count(|cells| cells.held.sub(content.len() as u64));
        content
    }

    fn count(&self, what: impl FnOnce(&MirrorCells)) {
        let exchange = self.twin.as_ref().map(|twin| &twin.exchange);
        if let Some(cells) = exchange.and_then(|e| e.route().stats.of(e.live.worker_index())) {
            what(cells.mirror());
        }
    }
}

impl Drop for Mirrored {
    fn drop(&mut self) {
        self.give_up(Omission::ContentCut);
    }
}

impl std::fmt::Debug for Mirrored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a copy with {} bytes", self.content.len())
    }
}

fn start(mut twin: Twin, content: Vec<u8>) -> Result<(), (Twin, Omission)> {
    let copy = &mut twin.exchange;
    let live = copy.live.clone();
    let (route, worker) = (live.route(copy.route), live.worker());
    let Some(mirror) = route.mirror.as_deref() else { return Ok(()) };
    let now = worker.now();
    if now.saturating_duration_since(copy.started) > mirror.time {
        return Err((twin, Omission::ContentLate));
    }
    let Some(place) = Place::take(mirror, &route.stats, worker.index) else {
        return Err((twin, Omission::Busy));
    };
    copy.started = now;
    if copy.request.framing != RequestFraming::None {
        copy.request.framing = RequestFraming::Length(content.len() as u64);
        copy.kept = Some(Box::new(Kept::whole(content)));
    }
    tokio::task::spawn_local(run(twin, place));
    Ok(())
}

/// The life of a copy.
async fn run(mut twin: Twin, place: Place) {
    let live = twin.exchange.live.clone();
    let route = live.route(twin.exchange.route);
    if let (Some(mirror), Some(cells)) = (route.mirror.as_deref(), place.cells()) {
        match find_service(&twin.exchange, &live, mirror) {
            Err(failure) => cells.dropped.count(Omission::Service(failure).code()),
            Ok((service, extra)) => {
                cells.sent.add(1);
                let aim = Aim {
                    service,
                    endpoint: &extra.endpoint,
                    host: &mirror.host,
                    base: &mirror.base,
                    mirror: None,
                };
                match ask(&mut twin, &live, &aim, cells).await {
                    Ok(status) => cells.errors.add(u64::from(status >= 500)),
                    Err(failure) => cells.failed.count(failure.code()),
                }
            }
        }
    }
    twin.give_back(live.worker());
}

/// The service and a place there. A copy is never the trial of a breaker, and gives way to requests.
fn find_service<'a>(
    copy: &Exchange,
    live: &'a Live,
    mirror: &Mirror,
) -> Result<(&'a Arc<Service>, Extra), Failure> {
    let service = live.snapshot().service(mirror.service).ok_or(Failure::NoEndpoint)?;
    if service.breaker.is_some() && service.state.circuit() != Circuit::Closed {
        return Err(Failure::CircuitOpen { retry_after: 0 });
    }
    Ok((service, guard::extra(live, copy, service, &[])?))
}

/// Sends the copy and reads the answer; its status. What comes of it is counted and says nothing about endpoints.
async fn ask(twin: &mut Twin, live: &Live, aim: &Aim<'_>, cells: &MirrorCells) -> Result<u16, Failure> {
    let Twin { exchange, nobody } = twin;
    let (worker, route) = (live.worker(), live.route(exchange.route));
    let (mut head, sent_at) = (ResponseHead::default(), worker.recent());
    let mut call = match Call::start(exchange, nobody, route, aim, &mut head).await {
        Ok(call) => call,
        Err(failure) => {
            guard::count(aim.service.stats.of(worker.index), |cells| cells.failures.add(1));
            return Err(failure);
        }
    };
    cells.latency.record(moment::of(worker.now().saturating_duration_since(sent_at)));
    let status = head.status;
    worker.give_head(head);
    if read_away(&mut call, exchange, nobody).await? {
        call.finish();
    }
    Ok(status)
}

/// Reads an answer that nobody wants. True when that was all of it.
async fn read_away(call: &mut Call, exchange: &mut Exchange, nobody: &mut Nobody) -> Result<bool, Failure> {
    let (mut left, mut watch) = (READ, Watch::new());
    poll_fn(|cx| {
        loop {
            match call.poll_content(cx) {
                Poll::Ready(Ok(Content::Data)) => {
                    let n = call.content().len();
                    if n > left {
                        return Poll::Ready(Ok(false));
                    }
                    left -= n;
                    call.consume(n);
                }
                Poll::Ready(Ok(Content::End)) => return Poll::Ready(Ok(true)),
                Poll::Ready(Err(failure)) => return Poll::Ready(Err(failure)),
                Poll::Pending => break,
            }
        }
        if let Poll::Ready(Err(failure)) = call.poll_pump(cx, exchange, nobody) {
            return Poll::Ready(Err(failure));
        }
        watch.poll(cx, Wait::BetweenBytes, call.moved(), nobody.deadline(), exchange).map(Err)
    })
    .await
}
