//! `request-id`: gives every request an id, for the service, the client and the log.

use std::sync::Arc;

use menshen_proxy::chain::Step;
use menshen_proxy::http1::FieldName;
use menshen_proxy::{Exchange, Failure, Flow, PostFilter, PreFilter, Reply};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Contract, Filter, Setup};

/// Gives every request an id in `X-Request-Id`: sent to the service, returned to the client, written to the log.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Whose id counts when the client sends one: `trusted-proxies` (default), `anyone`, or `nobody`.
    accept: Accept,
    /// Whether the client sees the id in the reply.
    reply: Shown,
}

impl Default for Config {
    fn default() -> Self {
        Self { accept: Accept::TrustedProxies, reply: Shown::Shown }
    }
}

/// Whose id counts.
#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Accept {
    /// Only an id from a trusted proxy.
    TrustedProxies,
    /// Any well-formed id.
    Anyone,
    /// Always a new one.
    Nobody,
}

/// Whether something is shown to the client.
#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Shown {
    Shown,
    Hidden,
}

/// The filter.
pub struct RequestId {
    accept: Accept,
}

impl Filter for RequestId {
    const NAME: &'static str = "request-id";
    const SHORT: Option<&'static str> = Some("accept");
    const CONTRACT: Contract = Contract { sets_request_id: true, ..Contract::NONE };
    type Config = Config;

    fn install(config: Config, _: &mut Setup<'_>, step: &mut Step) {
        let filter = Arc::new(Self { accept: config.accept });
        step.pre(filter.clone());
        if config.reply == Shown::Shown {
            step.post(filter);
        }
    }
}

impl PreFilter for RequestId {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        let may_keep = match self.accept {
            Accept::Anyone => true,
            Accept::TrustedProxies => exchange.client.is_trusted_proxy,
            Accept::Nobody => false,
        };
        if !(may_keep && exchange.request_id().is_some_and(is_well_formed)) {
            let id = new_id(exchange.live.random(), exchange.live.random());
            exchange.request.fields.set(FieldName::X_REQUEST_ID, &id);
        }
        Flow::Continue
    }
}

impl PostFilter for RequestId {
    fn post(&self, exchange: &mut Exchange, reply: &mut Reply) -> Result<(), Failure> {
        if let Some(id) = exchange.request_id() {
            reply.head.fields.set(FieldName::X_REQUEST_ID, id);
        }
        Ok(())
    }
}

/// 1 to 128 bytes that are safe in logs, URLs and shells.
fn is_well_formed(id: &[u8]) -> bool {
    (1..=128).contains(&id.len()) && id.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(b))
}

/// 128 random bits as 32 hexadecimal digits, the form of a W3C trace id.
fn new_id(high: u64, low: u64) -> [u8; 32] {
    let mut out = [b'0'; 32];
    for (i, digit) in out.iter_mut().enumerate() {
        let half = if i < 16 { high } else { low };
        let nibble = half >> (60 - 4 * (i % 16)) & 0xf;
        *digit = b"0123456789abcdef".get(nibble as usize).copied().unwrap_or(b'0');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Try;

    #[test]
    fn every_request_gets_an_id_that_the_client_sees_too() {
        let mut t = Try::filter("request-id").get("/").pass();
        let id = t.sent("x-request-id").unwrap();
        assert_eq!(id.len(), 32);
        assert_eq!(t.reply(Reply::new(200)).field("x-request-id"), Some(id));
    }

    #[test]
    fn an_id_from_an_untrusted_client_is_replaced_unless_anyone_may_send_one() {
        let mut t = Try::filter("request-id")
            .request("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n")
            .pass();
        assert_ne!(t.sent("x-request-id").unwrap(), "mine");
        let mut t = Try::filter("request-id: anyone")
            .request("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n")
            .pass();
        assert_eq!(t.sent("x-request-id").unwrap(), "mine");
        let mut t = Try::filter("request-id: anyone")
            .request("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: a b\"\r\n\r\n")
            .pass();
        assert_eq!(t.sent("x-request-id").unwrap().len(), 32);
    }
}
