//! What a worker counts of TLS with clients.

use super::{Live, Worker};
use crate::access_log::PassageLine;
use crate::service::Service;
use crate::tls::TlsFacts;

impl Worker {
    /// A client and we agreed on TLS.
    pub(crate) fn shook_hands(&self, facts: &TlsFacts) {
        if let Some(cells) = self.stats.of(self.index) {
            cells.handshakes.add(1);
            cells.resumed.add(u64::from(facts.resumed));
        }
    }

    /// A TLS handshake came to nothing.
    pub(crate) fn refused_handshake(&self, code: &'static str) {
        if let Some(cells) = self.stats.of(self.index) {
            cells.refused_handshakes.count(code);
        }
    }

    /// A TLS connection was carried to a service, or could not be.
    pub(crate) fn passed_on(&self, live: &Live, service: &Service, line: &PassageLine<'_>) {
        let cells = self.stats.of(self.index);
        if let Some(cells) = cells.filter(|_| line.endpoint.is_some()) {
            cells.passed_on.add(1);
        }
        self.log.write_passage(live, service, line, cells);
    }
}
