//! A client that sends exact bytes.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::pair::{Link, Pair};
use crate::secured::{Agreed, Secured};
use crate::{Broken, Dialer, Response, TestGateway, Wire, bridge};

/// A client connection.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
}

impl Client {
    /// Connects to a gateway.
    pub fn of(gateway: &TestGateway) -> Self {
        Self::connect(gateway.address())
    }

    /// Connects, over the protocol that clients of this process speak.
    ///
    /// # Panics
    /// When nobody listens there.
    pub fn connect(address: SocketAddr) -> Self {
        let bridged = |dialer| Self { wire: Wire::new(bridge::connect(address, dialer), None) };
        match Pair::current().client {
            Link::Http => Self::plain(address),
            Link::Https => Dialer::new().dial_unnamed(address).expect("a handshake"),
            Link::H2 => bridged(Some(Dialer::new())),
            Link::H2c => bridged(None),
        }
    }

    /// Connects over HTTP/1.1 whatever other clients speak.
    ///
    /// # Panics
    /// When nobody listens there.
    pub fn plain(address: SocketAddr) -> Self {
        Self { wire: Wire::new(TcpStream::connect(address).expect("the gateway listens"), None) }
    }

    /// Connects to a Unix socket.
    ///
    /// # Panics
    /// When nobody listens there.
    pub fn at_socket(path: &Path) -> Self {
        Self { wire: Wire::new(crate::wire::unix(path), None) }
    }

    /// Connects with a receive window so small that the sender soon notices that nobody reads.
    ///
    /// # Panics
    /// When nobody listens there.
    pub fn with_small_window(gateway: &TestGateway) -> Self {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(8 * 1024).expect("a small window");
        socket.connect(&gateway.address().into()).expect("the gateway listens");
        Self { wire: Wire::new(socket.into(), None) }
    }

    pub(crate) fn over_tls(secured: Secured) -> Self {
        Self { wire: Wire::over_tls(secured) }
    }

    /// What was agreed on in the handshake.
    ///
    /// # Panics
    /// When this is no TLS.
    pub fn agreed(&self) -> Agreed {
        self.wire.agreed().expect("TLS")
    }

    /// Sends exact bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.wire.send(bytes);
        self
    }

    /// The connection itself.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    pub(crate) fn into_wire(self) -> Wire {
        self.wire
    }

    /// Closes so that the gateway sees a reset.
    pub fn reset(self) {
        self.wire.reset_on_drop();
    }

    /// Ends the sending side.
    pub fn half_close(&mut self) {
        self.wire.half_close();
    }

    /// Sends a GET and reads the answer.
    pub fn get(&mut self, target: &str) -> Response {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: gateway\r\n\r\n")).response()
    }

    /// Sends a POST with this content and reads the answer.
    pub fn post(&mut self, target: &str, body: &str) -> Response {
        let length = body.len();
        self.send(format!(
            "POST {target} HTTP/1.1\r\nHost: gateway\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .response()
    }

    /// Reads the answer to a request other than HEAD.
    ///
    /// # Panics
    /// When none comes.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        match self.try_response() {
            Ok(response) => response,
            Err(broken) => panic!("no response: {broken}"),
        }
    }

    /// Reads the answer to a HEAD.
    ///
    /// # Panics
    /// When none comes.
    #[track_caller]
    pub fn response_to_head(&mut self) -> Response {
        match self.read_response(Content::Never) {
            Ok(response) => response,
            Err(broken) => panic!("no response: {broken}"),
        }
    }

    /// Reads an answer, or how it failed to come.
    ///
    /// # Errors
    /// No complete response came.
    pub fn try_response(&mut self) -> Result<Response, Broken> {
        self.read_response(Content::AsFramed)
    }

    /// Reads one head, interim or final, and no content.
    ///
    /// # Errors
    /// No complete head came.
    pub fn head(&mut self) -> Result<Response, Broken> {
        let line = self.wire.line()?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let is_exact = line.as_bytes().get("HTTP/1.1 200".len()) == Some(&b' ');
        let Some(status) = status.filter(|_| is_exact) else {
            return Err(Broken::Malformed(format!("status line {line:?}")));
        };
        let fields = self.wire.fields()?;
        Ok(Response { status, fields, body: Vec::new(), trailers: Default::default(), interim: Vec::new() })
    }

    fn read_response(&mut self, content: Content) -> Result<Response, Broken> {
        let mut interim = Vec::new();
        let mut response = loop {
            let head = self.head()?;
            if head.status >= 200 || head.status == 101 {
                break head;
            }
            interim.push((head.status, head.fields));
        };
        response.interim = interim;
        let length = response.fields.get("content-length").map(str::to_owned);
        let coding = response.fields.get("transfer-encoding").map(str::to_owned);
        if content == Content::Never || matches!(response.status, 101 | 204 | 304) {
            return Ok(response);
        }
        match (length.as_deref(), coding.as_deref()) {
            (Some(n), None) => {
                let n = n.parse().map_err(|_| Broken::Malformed(format!("content-length {n:?}")))?;
                response.body = self.wire.take(n)?;
            }
            (None, Some("chunked")) => (response.body, response.trailers) = self.wire.chunks()?,
            (None, None) => response.body = self.wire.take_all()?,
            both => return Err(Broken::Malformed(format!("framing {both:?}"))),
        }
        Ok(response)
    }

    /// Reads to the end of the connection.
    ///
    /// # Errors
    /// It does not end, or is reset.
    pub fn rest(&mut self) -> Result<Vec<u8>, Broken> {
        self.wire.take_all()
    }

    /// Asserts that the connection ends without another byte.
    ///
    /// # Panics
    /// When something comes, or the connection stays open.
    #[track_caller]
    pub fn expect_end(&mut self) {
        match self.rest() {
            Ok(rest) => assert!(rest.is_empty(), "more came: {}", String::from_utf8_lossy(&rest)),
            Err(Broken::Reset) => {}
            Err(broken) => panic!("the connection did not end: {broken}"),
        }
    }

    /// Asserts that the connection ends, whatever comes before.
    ///
    /// # Panics
    /// When it stays open.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        let outcome = self.rest();
        assert!(!matches!(outcome, Err(Broken::Silent)), "the connection stays open");
    }

    /// Asserts that nothing comes for a short while and the connection stays open.
    ///
    /// # Panics
    /// When something comes, or the connection ends.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        self.wire.set_patience(Duration::from_millis(60));
        let outcome = self.wire.read_more();
        self.wire.set_patience(crate::PATIENCE);
        assert_eq!(outcome, Err(Broken::Silent), "got {:?}", String::from_utf8_lossy(self.wire.pending()));
    }
}

/// Whether content may follow a head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    AsFramed,
    Never,
}
