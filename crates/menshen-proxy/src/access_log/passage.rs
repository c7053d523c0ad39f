//! The line of a TLS connection that went on to a service as it was.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::{Format, Members};
use crate::client_address::Shown;
use crate::endpoint::Endpoint;
use crate::service::Service;
use crate::worker::Live;

/// What there is to say about such a connection.
pub(crate) struct PassageLine<'a> {
    pub(crate) started: Instant,
    pub(crate) client: IpAddr,
    pub(crate) server_name: Option<&'a str>,
    /// Where it went; nothing when no endpoint was reached.
    pub(crate) endpoint: Option<&'a Arc<Endpoint>>,
    pub(crate) attempts: u64,
    /// Bytes from the client.
    pub(crate) received: u64,
    /// Bytes to the client.
    pub(crate) sent: u64,
}

impl<'a> PassageLine<'a> {
    pub(crate) fn new(started: Instant, client: IpAddr, server_name: Option<&'a str>) -> Self {
        Self { started, client, server_name, endpoint: None, attempts: 0, received: 0, sent: 0 }
    }

    pub(super) fn write(&self, format: &Format, live: &Live, service: &Service, out: &mut Vec<u8>) {
        let worker = live.worker();
        out.push(b'{');
        let mut m = Members { out, omit: &format.omit };
        if m.starts("time") {
            m.out.push(b'"');
            worker.clock.write_rfc3339(self.started, m.out);
            m.out.push(b'"');
        }
        m.shown("client", Shown(self.client));
        m.optional("server-name", self.server_name.map(str::as_bytes));
        m.text("service", service.name.as_bytes());
        m.optional("endpoint", self.endpoint.map(|e| e.authority.as_bytes()));
        m.number("attempts", self.attempts);
        if self.endpoint.is_none() {
            m.text("code", crate::Failure::ConnectFailed.code().as_bytes());
        }
        m.number("received", self.received);
        m.number("sent", self.sent);
        let took = worker.now().saturating_duration_since(self.started);
        m.number("micros", u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        out.extend_from_slice(b"}\n");
    }
}
