//! A service that follows a script and writes down everything it got.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::eventually;
use crate::pair::{self, Pair};
use crate::{Broken, Gate, Keeper, Request, Wire, bridge};

/// A running origin.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    ledger: Arc<Ledger>,
    /// Bound, but not listening: nobody else gets the port, and whoever connects is refused.
    held: Option<socket2::Socket>,
}

/// What an origin saw.
#[derive(Debug, Default)]
struct Ledger {
    connections: Mutex<Vec<Arc<Mutex<Vec<u8>>>>>,
    requests: Mutex<Vec<Request>>,
    violations: Mutex<Vec<String>>,
    failed_handshakes: Mutex<Vec<String>>,
    whole: AtomicUsize,
    open: AtomicUsize,
    written: AtomicU64,
    stopping: AtomicBool,
}

impl Origin {
    /// Runs this script on every connection; the connection closes when it returns.
    ///
    /// # Panics
    /// When there is no port.
    pub fn scripted(script: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        Self::serving(None, script)
    }

    /// The same over TLS; connections whose handshake fails are written down and not served.
    pub fn over_tls(keeper: &Keeper, script: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        Self::serving(Some(keeper.clone()), script)
    }

    /// Answers every request over TLS with the bytes that the function makes.
    pub fn answering_over_tls<B: AsRef<[u8]>>(
        keeper: &Keeper,
        answer: impl Fn(&Request) -> B + Send + Sync + 'static,
    ) -> Self {
        Self::over_tls(keeper, move |c| {
            while let Some(request) = c.request() {
                c.send(answer(&request));
            }
        })
    }

    fn serving(keeper: Option<Keeper>, script: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let ledger = Arc::new(Ledger::default());
        let (script, shared) = (Arc::new((keeper, script)), ledger.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.stopping.load(Ordering::Relaxed) {
                    return;
                }
                let (shared, script) = (shared.clone(), script.clone());
                let (plain, bridged) = (script.0.is_none(), Pair::current().service.is_h2());
                let converse = move |stream| {
                    let mut conversation = Conversation::new(stream, shared.clone());
                    let script = script.clone();
                    std::thread::spawn(move || {
                        let (keeper, script) = &*script;
                        let keeper = keeper.as_ref().or(pair::keeper().filter(|_| !bridged));
                        if conversation.shakes_hands(keeper) {
                            script(&mut conversation);
                        }
                    });
                };
                match plain && bridged {
                    true => bridge::serve(stream, pair::keeper(), converse),
                    false => converse(stream),
                }
            }
        });
        Self { address, ledger, held: None }
    }

    /// Why handshakes failed, one line for each that did.
    pub fn failed_handshakes(&self) -> Vec<String> {
        lock(&self.ledger.failed_handshakes).clone()
    }

    /// Answers every complete request with the bytes that the function makes.
    pub fn answering<B: AsRef<[u8]>>(answer: impl Fn(&Request) -> B + Send + Sync + 'static) -> Self {
        Self::scripted(move |c| {
            while let Some(request) = c.request() {
                c.send(answer(&request));
            }
        })
    }

    /// Answers every request with 200, its method and target, a line end, and its content.
    pub fn echo() -> Self {
        Self::answering(|r| reply(&format!("{} {}\n{}", r.method, r.target, r.text())))
    }

    /// An address where nobody listens.
    ///
    /// # Panics
    /// When there is no port.
    pub fn refusing() -> Self {
        use socket2::{Domain, Socket, Type};
        let held = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        held.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        let address = held.local_addr().ok().and_then(|a| a.as_socket()).expect("an address");
        Self { address, ledger: Arc::default(), held: Some(held) }
    }

    /// Opens the first gate for every request, and answers `finished` to it when the second is opened.
    pub fn gated() -> (Self, Gate, Gate) {
        let (asked, go_on) = (Gate::new(), Gate::new());
        let origin = Self::scripted({
            let (asked, go_on) = (asked.clone(), go_on.clone());
            move |c| {
                while c.request().is_some() {
                    asked.open();
                    go_on.pass();
                    c.send(reply("finished"));
                }
            }
        });
        (origin, asked, go_on)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far, of all connections; those whose content is still coming are in it without content.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.ledger.requests).clone()
    }

    /// How many requests came whole, with their content.
    pub fn whole_requests(&self) -> usize {
        self.ledger.whole.load(Ordering::SeqCst)
    }

    /// The only request so far.
    ///
    /// # Panics
    /// When there were none or several.
    #[track_caller]
    pub fn only_request(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "requests: {requests:#?}");
        requests.remove(0)
    }

    /// The exact bytes that came, by connection.
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        lock(&self.ledger.connections).iter().map(|c| lock(c).clone()).collect()
    }

    /// Waits until it has got one more request.
    #[track_caller]
    pub fn gets_requests(&self) {
        let before = self.whole_requests();
        eventually("an instance gets requests", || self.whole_requests() > before);
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        lock(&self.ledger.connections).len()
    }

    /// How many connections the script still serves.
    pub fn open_connections(&self) -> usize {
        self.ledger.open.load(Ordering::SeqCst)
    }

    /// Content that the script could write so far through [`Conversation::send_some`].
    pub fn written(&self) -> u64 {
        self.ledger.written.load(Ordering::SeqCst)
    }

    /// Asserts that all that came was in canonical form.
    ///
    /// # Panics
    /// When something was not.
    #[track_caller]
    pub fn expect_canonical(&self) {
        let violations = lock(&self.ledger.violations);
        assert!(violations.is_empty(), "the origin got: {violations:#?}");
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.ledger.stopping.store(true, Ordering::Relaxed);
        if self.held.is_none() {
            let _ = TcpStream::connect(self.address);
        }
    }
}

/// A script's end of one connection.
#[derive(Debug)]
pub struct Conversation {
    wire: Wire,
    ledger: Arc<Ledger>,
    number: usize,
}

impl Conversation {
    fn new(stream: TcpStream, ledger: Arc<Ledger>) -> Self {
        let record = Arc::new(Mutex::new(Vec::new()));
        let mut connections = lock(&ledger.connections);
        let number = connections.len();
        connections.push(record.clone());
        drop(connections);
        ledger.open.fetch_add(1, Ordering::SeqCst);
        Self { wire: Wire::new(stream, Some(record)), ledger, number }
    }

    /// Does the TLS handshake, if there should be one; false when it fails.
    fn shakes_hands(&mut self, keeper: Option<&Keeper>) -> bool {
        let Some(keeper) = keeper else { return true };
        let outcome = self.wire.secure(keeper);
        if let Err(why) = &outcome {
            lock(&self.ledger.failed_handshakes).push(why.clone());
        }
        outcome.is_ok()
    }

    /// The number of this connection, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The connection itself.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Reads a whole request. `None` when there is none any more; what is not canonical is written down.
    pub fn request(&mut self) -> Option<Request> {
        let head = self.head()?;
        self.content(head)
    }

    /// Reads the head of a request.
    pub fn head(&mut self) -> Option<Request> {
        let head = self.read_head();
        let request = self.canonical(head)?;
        lock(&self.ledger.requests).push(request.clone());
        Some(request)
    }

    /// Reads the content of a request; `None` when it did not come whole.
    pub fn content(&mut self, mut request: Request) -> Option<Request> {
        let body = match (request.fields.get("content-length"), request.fields.get("transfer-encoding")) {
            (Some(n), _) => n
                .parse()
                .map_err(|_| Broken::Malformed(format!("length {n}")))
                .and_then(|n| self.wire.take(n)),
            (None, Some(_)) => self.wire.chunks().map(|(body, _)| body),
            (None, None) => Ok(Vec::new()),
        };
        let found = lock(&self.ledger.requests).iter().rposition(|r| r.connection == self.number);
        request.body = self.canonical(body)?;
        self.ledger.whole.fetch_add(1, Ordering::SeqCst);
        if let Some(i) = found {
            lock(&self.ledger.requests)[i] = request.clone();
        }
        Some(request)
    }

    /// Writes bytes; false when the gateway does not take them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.wire.send(bytes)
    }

    /// Writes some bytes and counts them in [`Origin::written`]; 0 when the gateway takes no more.
    pub fn send_some(&mut self, bytes: &[u8]) -> usize {
        let n = self.wire.send_some(bytes);
        self.ledger.written.fetch_add(n as u64, Ordering::SeqCst);
        n
    }

    /// Does nothing until the gateway closes.
    pub fn wait_for_close(&mut self) {
        let _ = self.wire.take_all();
    }

    /// Makes the close at the end of the script a reset.
    pub fn reset_at_end(&mut self) {
        self.wire.reset_on_drop();
    }

    fn read_head(&mut self) -> Result<Request, Broken> {
        let line = self.wire.line()?;
        let fields = self.wire.fields()?;
        let malformed = |what: &str| Broken::Malformed(format!("{what}: {line:?}\n{fields}"));
        let parts: Vec<&str> = line.split(' ').collect();
        let [method, target, "HTTP/1.1"] = parts[..] else { return Err(malformed("request line")) };
        if fields.all("host").len() != 1 {
            return Err(malformed("hosts"));
        }
        let framings = fields.all("content-length").len() + fields.all("transfer-encoding").len();
        let is_chunked = fields.all("transfer-encoding").iter().all(|v| *v == "chunked");
        if framings > 1 || !is_chunked {
            return Err(malformed("framing"));
        }
        let (method, target) = (method.to_owned(), target.to_owned());
        Ok(Request { method, target, fields, body: Vec::new(), connection: self.number })
    }

    fn canonical<T>(&self, outcome: Result<T, Broken>) -> Option<T> {
        if let Err(Broken::Malformed(what)) = &outcome {
            lock(&self.ledger.violations).push(what.clone());
        }
        outcome.ok()
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.ledger.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A 200 with this content.
pub fn reply(body: &str) -> String {
    reply_with("200 OK", "", body)
}

/// A response with this status line, these field lines (each with CRLF) and this content.
pub fn reply_with(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
