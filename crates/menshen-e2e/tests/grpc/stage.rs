//! Callers, gateways and the service, connected in the ways that matter.

use std::net::SocketAddr;
use std::path::Path;

use menshen_e2e::{PATIENCE, TestGateway};
use tempfile::TempDir;

use crate::caller::Caller;
use crate::service::{Events, Interop};

/// A service behind gateways.
pub struct Stage {
    pub name: &'static str,
    pub caller: Caller,
    pub events: Events,
    /// From the caller to the service.
    pub gateways: Vec<TestGateway>,
    _files: Option<TempDir>,
}

/// A gateway with this document; in it `{service}` is this address.
pub fn gateway(document: &str, service: SocketAddr) -> TestGateway {
    TestGateway::start(&document.replace("{service}", &service.to_string()), &[])
}

const TO_ALL: &str = "routes: { all: { match: /**, to: 'h2c://{service}' } }";

impl Stage {
    /// One gateway, all connections without TLS.
    pub async fn plain() -> Self {
        Self::with(TO_ALL).await
    }

    /// One gateway with this document.
    pub async fn with(document: &str) -> Self {
        let (service, events) = Interop::serve();
        let gateway = gateway(document, service);
        let caller = Caller::connect(gateway.address()).await;
        Self { name: "h2c", caller, events, gateways: vec![gateway], _files: None }
    }

    /// Two gateways that speak TLS with each other: one has it toward the service, the other toward the client.
    pub async fn tls() -> Self {
        Self::over_tls("", "").await
    }

    /// The same with these filters.
    pub async fn over_tls(outer: &str, inner: &str) -> Self {
        let (service, events) = Interop::serve();
        let files = certificate();
        let path = files.path().display();
        let inner = gateway(
            &format!(
                "
                listeners:
                  web: {{ bind: '127.0.0.1:0', tls: {{ certificates: [{{ chain: {path}/cert.pem, key: {path}/key.pem }}] }} }}
                routes: {{ all: {{ match: /**, to: 'h2c://{{service}}', filters: [{inner}] }} }}
                "
            ),
            service,
        );
        let tls = format!("{{ ca: {path}/cert.pem, name: localhost }}");
        let outer = gateway(
            &format!(
                "
                services: {{ inner: {{ endpoints: ['{{service}}'], protocol: h2, host: localhost, tls: {tls} }} }}
                routes: {{ all: {{ match: /**, to: inner, filters: [{outer}] }} }}
                "
            ),
            inner.address(),
        );
        let caller = Caller::connect(outer.address()).await;
        Self { name: "TLS", caller, events, gateways: vec![outer, inner], _files: Some(files) }
    }

    /// All ways.
    pub async fn all() -> [Self; 2] {
        [Self::plain().await, Self::tls().await]
    }

    /// Waits until the service tells this.
    pub async fn sees(&mut self, expected: &str) {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        assert_eq!(event.expect("an event in time"), Some(expected), "{}", self.name);
    }
}

fn certificate() -> TempDir {
    let files = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let write = |name: &str, text: String| std::fs::write(Path::new(files.path()).join(name), text).unwrap();
    write("cert.pem", made.cert.pem());
    write("key.pem", made.signing_key.serialize_pem());
    files
}
