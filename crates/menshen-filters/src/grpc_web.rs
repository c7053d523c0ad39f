//! `grpc-web`: lets pages in browsers call gRPC services
//! (gRPC-Web, <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>).
//!
//! Messages have the same frames in both protocols. What differs: the content types, Base64 around the content for
//! browsers that cannot read bytes as they come, and trailers, which browsers do not show: they become a last frame.

mod base64;
mod kind;
mod message;
mod reply;

use std::sync::Arc;

use bytes::Bytes;
use menshen_proxy::chain::Step;
use menshen_proxy::http1::{FieldName, Fields};
use menshen_proxy::{Body, Exchange, Failure, Flow, PostFilter, PreFilter, Reply, is_grpc};
use schemars::JsonSchema;
use serde::Deserialize;

use self::base64::Decoder;
use self::kind::{Form, Kind};
use self::reply::{Content, trailers_frame};
use crate::{Contract, Filter, Setup};

/// Lets pages in browsers call gRPC services: gRPC-Web from the client becomes gRPC for the service, and its answers
/// gRPC-Web again. Takes `application/grpc-web` and, in Base64, `application/grpc-web-text`, over HTTP/1.1 and HTTP/2;
/// the service is one with `protocol: h2c` or `h2`. Other requests pass as they are.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The filter.
pub struct GrpcWeb;

impl Filter for GrpcWeb {
    const NAME: &'static str = "grpc-web";
    const CONTRACT: Contract = Contract { changes_reply_content: true, ..Contract::NONE };
    type Config = Config;

    fn install(_: Config, _: &mut Setup<'_>, step: &mut Step) {
        step.pre(Arc::new(Self)).post(Arc::new(Self));
    }
}

impl PreFilter for GrpcWeb {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        let fields = &mut exchange.request.fields;
        let Some(kind) = fields.get(FieldName::CONTENT_TYPE).and_then(Kind::of_web) else {
            return Flow::Continue;
        };
        if kind.form == Form::Text {
            exchange.transforms.push(Box::new(Decoder::default()));
        }
        fields.set(FieldName::CONTENT_TYPE, &kind.grpc());
        // Services refuse callers that do not say that they read trailers.
        fields.set(FieldName::TE, b"trailers");
        let wanted = fields.get_named(b"accept").and_then(Kind::of_web);
        let form = wanted.map_or(kind.form, |wanted| wanted.form.max(kind.form));
        exchange.notes.put(Caller(Kind { form, ..kind }));
        Flow::Continue
    }
}

/// What the client reads.
struct Caller(Kind);

impl PostFilter for GrpcWeb {
    fn post(&self, exchange: &mut Exchange, reply: &mut Reply) -> Result<(), Failure> {
        let Some(Caller(kind)) = exchange.notes.get() else { return Ok(()) };
        let fields = &mut reply.head.fields;
        // What is no gRPC is an answer of its own, such as a redirect, and its status tells enough.
        if !is_grpc(fields) {
            return Ok(());
        }
        fields.set(FieldName::CONTENT_TYPE, &kind.web());
        if let (Body::Empty, Some(frame)) = (&reply.body, status(fields)) {
            reply.body = Body::Full(frame);
        }
        reply.transforms.push(Box::new(Content::new(kind.form)));
        Ok(())
    }
}

/// Takes the status out of a head that is all there is of a reply, because pages of other origins cannot read it there.
fn status(head: &mut Fields) -> Option<Bytes> {
    let mut trailers = Fields::new();
    for name in [&b"grpc-status"[..], b"grpc-message", b"grpc-status-details-bin"] {
        if let Some(value) = head.get_named(name) {
            trailers.append_named(name, value);
        }
        head.remove_named(name);
    }
    if trailers.is_empty() {
        return None;
    }
    head.remove(FieldName::CONTENT_LENGTH);
    let mut frame = Vec::new();
    trailers_frame(&trailers, &mut frame);
    Some(frame.into())
}

#[cfg(test)]
mod tests;
