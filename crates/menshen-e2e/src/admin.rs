//! The admin listener, as an operator asks it.

use std::net::SocketAddr;

use crate::{Client, Response, TestGateway};

/// The admin listener of a gateway.
#[derive(Clone, Copy, Debug)]
pub struct Admin {
    address: SocketAddr,
}

impl Admin {
    /// That of a gateway whose document has `admin: 127.0.0.1:0`.
    ///
    /// # Panics
    /// When it has none.
    pub fn of(gateway: &TestGateway) -> Self {
        Self { address: gateway.gateway().admin().expect("an admin listener") }
    }

    /// Sends exact bytes over a new connection and reads the answer.
    #[track_caller]
    pub fn ask(self, bytes: impl AsRef<[u8]>) -> Response {
        Client::plain(self.address).send(bytes).response()
    }

    /// Sends a GET.
    #[track_caller]
    pub fn get(self, target: &str) -> Response {
        self.ask(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    /// Sends a POST with the field that no web page can send.
    #[track_caller]
    pub fn post(self, target: &str) -> Response {
        let fields = "Host: localhost\r\nX-Menshen-Admin: 1\r\nContent-Length: 0\r\n";
        self.ask(format!("POST {target} HTTP/1.1\r\n{fields}\r\n"))
    }

    /// The value of a series such as `menshen_requests_total{route="a",status="200"}`; 0 if there is none yet.
    ///
    /// # Panics
    /// When it is not a whole number.
    #[track_caller]
    pub fn metric(self, series: &str) -> u64 {
        let text = self.get("/metrics").text();
        let value = text.lines().find_map(|l| l.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0, |v| v.parse().expect("a whole number"))
    }
}
