//! The answer on its way to the client.

use bytes::Bytes;
use menshen_http1::{FieldName, Method, ResponseHead, standard_reason};

use crate::body::{Body, Transforms};
use crate::{Exchange, Failure};

/// Who made a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// The service.
    Service,
    /// A filter or the route itself.
    Gateway,
    /// The gateway, because of this failure.
    Failure(Failure),
}

/// A reply: a head, content, and the transforms its bytes will pass.
#[derive(Debug)]
pub struct Reply {
    /// Status and fields. Framing and connection fields are written by the gateway whatever is in here.
    pub head: ResponseHead,
    /// The content.
    pub body: Body,
    /// What the content passes through on its way out.
    pub transforms: Transforms,
    /// Who made it.
    pub maker: Maker,
}

impl Reply {
    /// A reply of the gateway without content.
    pub fn new(status: u16) -> Self {
        Self {
            head: ResponseHead::new(status),
            body: Body::Empty,
            transforms: Transforms::default(),
            maker: Maker::Gateway,
        }
    }

    /// A reply of the gateway with content.
    pub fn with_body(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let mut reply = Self::new(status);
        reply.head.fields.set(FieldName::CONTENT_TYPE, content_type.as_bytes());
        reply.body = Body::Full(body.into());
        reply
    }

    /// The reply for a failure: `application/problem+json` (RFC 9457) with the stable code.
    pub fn of_failure(failure: Failure, exchange: &Exchange) -> Self {
        let status = failure.status();
        let mut json = String::with_capacity(256);
        json.push_str("{\"type\":\"about:blank\",\"title\":\"");
        json.push_str(standard_reason(status));
        json.push_str("\",\"status\":");
        json.push_str(itoa::Buffer::new().format(status));
        json.push_str(",\"code\":\"");
        json.push_str(failure.code());
        json.push_str("\",\"detail\":\"");
        push_json_text(&mut json, failure.text());
        json.push('"');
        if let Some(id) = exchange.request_id() {
            json.push_str(",\"request-id\":\"");
            push_json_text(&mut json, &String::from_utf8_lossy(id));
            json.push('"');
        }
        json.push_str("}\n");
        let mut reply = match crate::grpc::reads_status(exchange) {
            true => crate::grpc::failure(failure),
            false => Self::with_body(status, "application/problem+json", json),
        };
        reply.maker = Maker::Failure(failure);
        reply.head.fields.set(FieldName::CACHE_CONTROL, b"no-store");
        if let Some(seconds) = failure.retry_after() {
            reply.head.fields.set(FieldName::RETRY_AFTER, itoa::Buffer::new().format(seconds).as_bytes());
        }
        reply
    }

    /// The length that a response without content announces, as to HEAD (RFC 9110 §8.6).
    pub(crate) fn announced_length(&self, method: Method) -> Option<u64> {
        if method != Method::Head && self.head.status != 304 {
            return Some(0);
        }
        let text = self.head.fields.get(FieldName::CONTENT_LENGTH)?;
        std::str::from_utf8(text).ok()?.parse().ok()
    }

    /// Content held in memory passes its transforms at once, so that its length is known.
    pub(crate) fn apply_transforms(&mut self) -> Result<(), Failure> {
        let Body::Full(body) = &self.body else { return Ok(()) };
        if self.transforms.is_empty() {
            return Ok(());
        }
        let mut changed = Vec::with_capacity(body.len());
        self.transforms.run(body, &mut changed)?;
        self.transforms.finish(&mut changed)?;
        self.body = Body::Full(changed.into());
        Ok(())
    }

    /// The failure this reply was made for.
    pub fn failure(&self) -> Option<Failure> {
        match self.maker {
            Maker::Failure(f) => Some(f),
            Maker::Service | Maker::Gateway => None,
        }
    }
}

/// Adds text to a JSON string, escaped.
pub(crate) fn push_json_text(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 || c == '\u{7f}' => {
                out.push_str("\\u00");
                for shift in [4, 0] {
                    out.push(char::from_digit((u32::from(c) >> shift) & 0xf, 16).unwrap_or('0'));
                }
            }
            c => out.push(c),
        }
    }
}
