//! A client connection: idle, then a burst of exchanges, then idle again. While idle it holds no buffer and no
//! exchange, only this small task.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use menshen_http1::{HeadLimits, Parsed};

use crate::buffer::Buffer;
use crate::exchange::{Client, Scheme};
use crate::h1::client::H1Client;
use crate::h2::connection::Newcomer;
use crate::panics::{CatchPanic, Panicked};
use crate::serve;
use crate::stream::Stream;
use crate::timers::Deadline;
use crate::tls::TlsFacts;
use crate::worker::{Live, Slot, Worker};
use crate::{Exchange, Failure};

/// How long a connection keeps its buffer and exchange after a request: a busy client sends the next one at once,
/// an idle one must not hold memory.
const LINGER: Duration = Duration::from_millis(100);

/// What no HTTP/1 request is: the start of the preface of HTTP/2 (RFC 9113 §3.4).
const H2_START: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// How waiting for a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waited {
    /// There is something to read.
    Readable,
    /// The time is over.
    InVain,
    /// The listener or the worker is going away.
    Over,
}

/// What a connection keeps while it idles.
pub(crate) struct Connection {
    stream: Stream,
    slot: Rc<Slot>,
    deadline: Rc<Deadline>,
    client: Client,
    served: u64,
    /// Bytes of content that it took since it was last waited for.
    taken: u64,
    /// Requests taken from the buffer since the last read.
    ahead: u32,
}

/// What to do after a burst.
#[derive(Debug)]
pub(crate) enum Then {
    /// Wait for the next request.
    Idle,
    /// Close, letting the client read what was sent.
    Close,
    /// Nobody is there any more, or the stream was used up.
    Drop,
    /// Go on in HTTP/2; this was read of it.
    Http2(Buffer),
}

/// What came of reading a head, when nothing was wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// It is in the exchange.
    Complete,
    /// No byte is there yet.
    Nothing,
    /// It is not HTTP/1 but the preface of HTTP/2.
    Http2,
    /// The client closed, or stayed silent, before the first byte of one.
    Closed,
}

impl Connection {
    /// A connection from this peer, with nothing read yet.
    pub(crate) fn new(
        worker: &Rc<Worker>,
        slot: Rc<Slot>,
        stream: Stream,
        peer: SocketAddr,
        tls: Option<Rc<TlsFacts>>,
    ) -> Self {
        let local = stream.local().unwrap_or(peer);
        let scheme = if tls.is_some() { Scheme::Https } else { Scheme::Http };
        let client = Client { tls, ..Client::direct(peer, local, scheme) };
        Self { deadline: worker.timers.deadline(), client, stream, slot, served: 0, taken: 0, ahead: 0 }
    }

    /// Serves the client until the connection ends, or until it turns out to speak HTTP/2: what was read of that is the
    /// result.
    pub(crate) async fn run(&mut self, worker: &Rc<Worker>) -> Option<Buffer> {
        while self.wait_for_request(worker).await == Waited::Readable {
            let burst = Box::pin(self.burst(worker));
            match CatchPanic(burst).await {
                Ok(Then::Idle) => {}
                Ok(Then::Close) => {
                    Box::pin(self.close(worker)).await;
                    break;
                }
                Ok(Then::Drop) => break,
                Ok(Then::Http2(read)) => return Some(read),
                Err(Panicked) => {
                    worker.note_panic();
                    Box::pin(self.last_words(worker)).await;
                    break;
                }
            }
        }
        None
    }

    /// The same client, which has begun to speak HTTP/2.
    pub(crate) fn into_newcomer(self, worker: Rc<Worker>, read: Buffer) -> Newcomer {
        let Self { stream, slot, client, .. } = self;
        Newcomer { worker, slot, stream, peer: client.peer, tls: client.tls, read }
    }

    /// Waits for the first byte of a request.
    fn wait_for_request(&self, worker: &Worker) -> impl Future<Output = Waited> {
        let timeouts = self.slot.live().listener().timeouts;
        // A connection that never sent anything gets the time of a head; later ones idle longer.
        let wait = if self.served == 0 { timeouts.header } else { timeouts.idle };
        self.readable_within(worker, wait)
    }

    /// Waits until something can be read, at most this long.
    fn readable_within(&self, worker: &Worker, wait: Duration) -> impl Future<Output = Waited> {
        self.deadline.set(worker.recent(), wait);
        poll_fn(move |cx| {
            if self.stream.poll_read_ready(cx).is_ready() {
                return Poll::Ready(Waited::Readable);
            }
            if worker.is_draining() || self.slot.is_closed() {
                return Poll::Ready(Waited::Over);
            }
            self.deadline.poll(cx).map(|()| Waited::InVain)
        })
    }

    /// Serves requests as long as some are at hand.
    async fn burst(&mut self, worker: &Rc<Worker>) -> Then {
        let mut buffer = Buffer::default();
        let mut exchange = worker.take_exchange(&self.slot.live());
        let then = loop {
            let live = self.slot.live();
            match self.read_head(worker, &live, &mut buffer, &mut exchange).await {
                Ok(Head::Complete) => {}
                Ok(Head::Nothing) => break Then::Idle,
                Ok(Head::Http2) => break Then::Http2(std::mem::take(&mut buffer)),
                Ok(Head::Closed) => break Then::Drop,
                Err(failure) => {
                    let mut client = self.client_of(worker, &mut buffer, &mut exchange);
                    serve::refuse(&mut exchange, &mut client, failure).await;
                    break Then::Close;
                }
            }
            self.served += 1;
            self.ahead += 1;
            let mut client = self.client_of(worker, &mut buffer, &mut exchange);
            serve::serve(&mut exchange, &mut client).await;
            let then = client.then();
            drop(client);
            match then {
                Then::Idle if buffer.is_empty() => match self.readable_within(worker, LINGER).await {
                    Waited::Readable => {}
                    Waited::InVain | Waited::Over => break Then::Idle,
                },
                Then::Idle => {}
                then => break then,
            }
        };
        worker.buffers.give(buffer);
        worker.give_exchange(exchange);
        then
    }

    fn client_of<'a>(
        &'a mut self,
        worker: &'a Rc<Worker>,
        buffer: &'a mut Buffer,
        exchange: &mut Exchange,
    ) -> H1Client<'a> {
        let is_last = self.ahead > exchange.live.listener().limits.pipelined;
        H1Client::new(
            &mut self.stream,
            buffer,
            worker,
            &self.deadline,
            &mut self.taken,
            &exchange.request,
            is_last,
        )
    }

    /// Reads a request head into the exchange.
    async fn read_head(
        &mut self,
        worker: &Worker,
        live: &Rc<Live>,
        buffer: &mut Buffer,
        exchange: &mut Exchange,
    ) -> Result<Head, Failure> {
        let listener = live.listener();
        let (stream, deadline) = (&mut self.stream, &self.deadline);
        let mut begun = false;
        let mut has_read = false;
        let mut parsed = 0;
        exchange.reset(live.clone(), self.client.clone(), worker.recent());
        loop {
            skip_empty_line(buffer);
            if self.served == 0 && buffer.data().starts_with(H2_START) {
                return Ok(Head::Http2);
            }
            let may_be_http2 = self.served == 0 && H2_START.starts_with(buffer.data());
            if !may_be_http2 && is_worth_parsing(buffer.data(), parsed, &listener.head) {
                parsed = buffer.len();
                match exchange.request.parse(buffer.data(), &listener.head, listener.underscores) {
                    Ok(Parsed::Complete(len)) => {
                        buffer.consume(len);
                        worker.buffers.reclaim(buffer);
                        return Ok(Head::Complete);
                    }
                    Ok(Parsed::Partial) => {}
                    Err(e) => return Err(Failure::BadHead(e)),
                }
            }
            if !buffer.is_empty() {
                if buffer.is_full() {
                    worker.buffers.enlarge(buffer);
                }
                if !begun {
                    // The whole head has one deadline: a byte now and then does not extend it.
                    deadline.set(worker.recent(), listener.timeouts.header);
                    begun = true;
                }
            }
            // Accepted streams are said to be readable before anything has come; waiting is not done in here.
            let nothing_yet = buffer.is_empty() && !has_read;
            worker.buffers.lend(buffer);
            let read = poll_fn(|cx| {
                if let Poll::Ready(read) = stream.poll_read(cx, &worker.buffers, buffer) {
                    return Poll::Ready(Some(read.unwrap_or(0)));
                }
                worker.buffers.settle(buffer);
                if nothing_yet { Poll::Ready(None) } else { deadline.poll(cx).map(|()| None) }
            });
            match read.await {
                None if nothing_yet => return Ok(Head::Nothing),
                Some(0) if buffer.is_empty() => return Ok(Head::Closed),
                Some(0) => return Err(Failure::ClientGone),
                Some(_) => {
                    self.ahead = 0;
                    has_read = true;
                    if !begun {
                        exchange.started = worker.now();
                    }
                }
                None if buffer.is_empty() => return Ok(Head::Closed),
                None => return Err(Failure::HeadTimeout),
            }
        }
    }

    /// Ends our side and reads what the client still sends, so that no reset destroys the answer (RFC 9112 §9.6). Who
    /// sends more than that is held up by its window for the rest of the time, because programs that see a reset while
    /// they write give up without looking for an answer (Go's net/http).
    async fn close(&mut self, worker: &Worker) {
        const LINGER: Duration = Duration::from_secs(1);
        const MOST: usize = 256 * 1024;
        let mut buffer = Buffer::default();
        let mut seen = 0;
        self.deadline.set(Instant::now(), LINGER);
        poll_fn(|cx| {
            if self.stream.poll_shutdown(cx).is_pending() {
                return self.deadline.poll(cx);
            }
            while seen < MOST {
                match self.stream.poll_read(cx, &worker.buffers, &mut buffer) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(n)) => {
                        seen += n;
                        buffer.consume(n);
                    }
                    Poll::Pending => break,
                }
            }
            self.deadline.poll(cx)
        })
        .await;
        worker.buffers.give(buffer);
    }

    /// After a panic nothing is known about what was sent; a cut connection is the honest answer.
    async fn last_words(&mut self, worker: &Worker) {
        self.stream.reset_on_close();
        tracing::error!(worker = worker.index, peer = %self.client.peer, "a panic ended an exchange");
    }
}

/// A head that comes byte by byte must not be parsed anew for each of them: only a line end can complete it, and
/// only a limit can end it.
fn is_worth_parsing(bytes: &[u8], parsed: usize, limits: &HeadLimits) -> bool {
    let new = bytes.get(parsed..).unwrap_or_default();
    if new.is_empty() || parsed == 0 || memchr::memchr(b'\n', new).is_some() {
        return !new.is_empty();
    }
    let is_first_line = memchr::memchr(b'\n', bytes).is_none();
    bytes.len() >= if is_first_line { limits.target } else { limits.head }
}

/// One empty line before a request is tolerated (RFC 9112 §2.2).
fn skip_empty_line(buffer: &mut Buffer) {
    if buffer.data().starts_with(b"\r\n") {
        buffer.consume(2);
    }
}
