//! The standing oracle of raw-wire tests: whatever bytes come, the client is told and cut off, the service sees
//! nothing of it, and the next client gets its own answer.

use crate::{Client, Origin, TestGateway};

/// A gateway in front of an [`Origin::echo`], to be probed.
#[derive(Debug)]
pub struct Probe {
    /// The gateway.
    pub gateway: TestGateway,
    /// What is behind it.
    pub origin: Origin,
}

impl Default for Probe {
    fn default() -> Self {
        let origin = Origin::echo();
        Self { gateway: TestGateway::in_front_of(&origin), origin }
    }
}

impl Probe {
    /// A probe.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asserts that these bytes are answered with this status and code, that the connection ends behind the answer, and
    /// that the service got no byte.
    ///
    /// # Panics
    /// When anything differs.
    #[track_caller]
    pub fn expect_refused(&self, bytes: &[u8], outcome: &str) {
        let before = self.bytes_at_origin();
        self.expect_cut_off(bytes, outcome);
        let name = String::from_utf8_lossy(bytes);
        assert_eq!(self.bytes_at_origin(), before, "{name:?}: bytes that the service got");
        self.gateway.expect_canary();
    }

    /// As [`Probe::expect_refused`], but the start of the request may have been sent on; what matters is that it
    /// never was complete.
    ///
    /// # Panics
    /// When anything differs.
    #[track_caller]
    pub fn expect_broken_off(&self, bytes: &[u8], outcome: &str) {
        let before = self.origin.whole_requests();
        self.expect_cut_off(bytes, outcome);
        self.gateway.expect_canary();
        let name = String::from_utf8_lossy(bytes);
        assert_eq!(self.origin.whole_requests(), before + 1, "{name:?}: requests beside the canary's");
    }

    #[track_caller]
    fn expect_cut_off(&self, bytes: &[u8], outcome: &str) {
        let name = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        let mut client = Client::of(&self.gateway);
        let response = client.send(bytes).try_response();
        let response = response.unwrap_or_else(|broken| panic!("{name:?}: no response: {broken}"));
        assert_eq!(response.outcome(), outcome, "{name:?}");
        assert!(response.says_close(), "{name:?}: the answer does not say close");
        client.expect_end();
        self.origin.expect_canonical();
    }

    fn bytes_at_origin(&self) -> usize {
        self.origin.bytes().iter().map(Vec::len).sum()
    }
}
