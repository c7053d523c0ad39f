//! Questions of a certificate authority that are under way, and what it wants to hear (RFC 8555 §8.3, RFC 8737): with
//! that it is proven that a name is ours.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use menshen_http1::{FieldName, Method};
use rustc_hash::FxBuildHasher;
use rustls::ServerConfig;
use rustls::server::ClientHello;

use crate::tls::ServerNames;
use crate::{Body, Exchange, Reply};

/// Where an authority asks, before the token.
const WELL_KNOWN: &[u8] = b"/.well-known/acme-challenge/";

/// The protocol over TLS in which an authority asks (RFC 8737 §3).
pub const ACME_TLS: &[u8] = b"acme-tls/1";

/// Answers for an authority. Nearly always there are none.
#[derive(Debug, Default)]
pub struct Challenges {
    /// By token.
    http: HashMap<Box<[u8]>, Bytes, FxBuildHasher>,
    /// By server name.
    tls: ServerNames<Arc<ServerConfig>>,
}

impl Challenges {
    /// Over plain HTTP the token is answered with this text (HTTP-01).
    pub fn answer_http(&mut self, token: &str, text: String) {
        self.http.insert(token.as_bytes().into(), text.into());
    }

    /// Over TLS the name is answered with the certificate of this configuration (TLS-ALPN-01).
    pub fn answer_tls(&mut self, name: &str, config: Arc<ServerConfig>) {
        // A name is asked for once at a time.
        let _ = self.tls.add(name, config);
    }

    /// The reply to a request, if it is one of an authority: over plain HTTP, for exactly a token that is under way.
    pub(crate) fn reply_to(&self, exchange: &Exchange) -> Option<Box<Reply>> {
        if self.http.is_empty() || exchange.client.tls.is_some() {
            return None;
        }
        let text = self.text_for(exchange.request.method(), exchange.request.target())?;
        let mut reply = Box::new(Reply::new(200));
        reply.head.fields.set(FieldName::CONTENT_TYPE, b"application/octet-stream");
        reply.body = Body::Full(text.clone());
        Some(reply)
    }

    fn text_for(&self, method: Method, target: &[u8]) -> Option<&Bytes> {
        match method {
            Method::Get | Method::Head => self.http.get(target.strip_prefix(WELL_KNOWN)?),
            _ => None,
        }
    }

    /// What the handshake is done with if this is the hello of an authority.
    pub(crate) fn config_for(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        if self.tls.is_empty() {
            return None;
        }
        let is_asked = hello.alpn()?.any(|protocol| protocol == ACME_TLS);
        self.tls.get(hello.server_name()?).filter(|_| is_asked).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_that_is_under_way_is_answered_and_only_where_it_is_asked_for() {
        let mut challenges = Challenges::default();
        challenges.answer_http("abc", "abc.print".to_owned());
        let text = |method, target: &str| challenges.text_for(method, target.as_bytes()).cloned();
        assert_eq!(text(Method::Get, "/.well-known/acme-challenge/abc").unwrap(), "abc.print");
        assert!(text(Method::Head, "/.well-known/acme-challenge/abc").is_some());
        for target in [
            "/.well-known/acme-challenge/",
            "/.well-known/acme-challenge/ab",
            "/.well-known/acme-challenge/abcd",
            "/.well-known/acme-challenge/abc/",
            "/.well-known/acme-challenge/abc?x",
            "/.well-known/acme-challenge/./abc",
            "/.well-known/acme-challenge/%61bc",
            "//.well-known/acme-challenge/abc",
            "/x/.well-known/acme-challenge/abc",
            "abc",
        ] {
            assert!(text(Method::Get, target).is_none(), "{target}");
        }
        assert!(text(Method::Post, "/.well-known/acme-challenge/abc").is_none());
    }
}
