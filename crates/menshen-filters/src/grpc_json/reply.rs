//! The messages of a reply → JSON.

use std::sync::Arc;

use menshen_proxy::http1::{FieldName, Fields};
use menshen_proxy::{Failure, GrpcStatus, Transform};
use prost_reflect::{DynamicMessage, Value};

use super::frames::Messages;
use super::print::{Printer, Unprintable};
use super::problem::Failed;
use super::rules::Binding;
use super::{ANY_TYPE, Errors};
use crate::accept;

/// How the messages of a stream follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Each on a line of its own.
    Lines,
    /// As a JSON array.
    Array,
    /// As events of `EventSource`.
    Events,
}

/// Content types of values on lines.
pub(super) const LINES: [&[u8]; 3] = [b"application/x-ndjson", b"application/ndjson", b"application/jsonl"];

impl Form {
    /// The form that a client asks for.
    pub(super) fn accepted(request: &Fields) -> Self {
        let form = |name: &[u8]| {
            let lines = LINES.iter().map(|name| (*name, Self::Lines));
            let others: [(&[u8], Self); 2] =
                [(b"text/event-stream", Self::Events), (b"application/json", Self::Array)];
            lines.chain(others).find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, form)| form)
        };
        let wanted = request.members(FieldName::of(b"accept")).map(accept::member);
        // Of those wanted alike, the first.
        let best = wanted
            .filter_map(|(name, q)| Some((form(name)?, q)))
            .filter(|(_, q)| *q > 0)
            .reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map_or(Self::Lines, |(form, _)| form)
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Lines => "application/x-ndjson",
            Self::Array => "application/json",
            Self::Events => "text/event-stream",
        }
    }
}

/// The content of a reply that is one message, and its type.
pub(super) fn whole(
    binding: &Binding,
    printer: &Printer,
    message_limit: usize,
    content: &[u8],
) -> Result<(String, Vec<u8>), Unprintable> {
    let (mut messages, mut found) = (Messages::up_to(message_limit), Vec::new());
    messages.push(content, |message| {
        found.push(decode(binding, message)?);
        if found.len() > 1 { Err(Failure::BadResponseBody) } else { Ok(()) }
    })?;
    let [message] = &*found else { return Err(Failure::BadResponseBody.into()) };
    if !messages.is_empty() {
        return Err(Failure::BadResponseBody.into());
    }
    if let Some(raw) = raw(binding, message) {
        return Ok(raw);
    }
    let mut json = Vec::new();
    printer.write(message, binding.response.as_ref(), &mut json)?;
    Ok(("application/json".to_owned(), json))
}

/// Content of any type (google/api/httpbody.proto).
fn raw(binding: &Binding, message: &DynamicMessage) -> Option<(String, Vec<u8>)> {
    if !binding.gives_raw() {
        return None;
    }
    let inner = binding.response.as_ref().map(|field| message.get_field(field));
    let message = inner.as_deref().map_or(Some(message), Value::as_message)?;
    let text = message.get_field_by_name("content_type").and_then(|v| v.as_str().map(str::to_owned));
    let data = message.get_field_by_name("data");
    let data = data.as_deref().and_then(Value::as_bytes).map(|bytes| bytes.to_vec()).unwrap_or_default();
    let text = text.filter(|t| !t.is_empty() && menshen_proxy::http1::valid_value(t.as_bytes()));
    Some((text.unwrap_or_else(|| ANY_TYPE.to_owned()), data))
}

/// The type of content of any type, as the first message of a stream says it.
///
/// # Errors
/// [`Failure::BadResponseBody`] when it is no such message.
pub(super) fn first_type(binding: &Binding, message_limit: usize, begun: &[u8]) -> Result<String, Failure> {
    let mut kind = None;
    Messages::up_to(message_limit).push(begun, |message| {
        let message = decode(binding, message)?;
        kind = raw(binding, &message).map(|(kind, _)| kind);
        Ok(())
    })?;
    kind.ok_or(Failure::BadResponseBody)
}

fn decode(binding: &Binding, message: &[u8]) -> Result<DynamicMessage, Failure> {
    DynamicMessage::decode(binding.rpc.output.clone(), message).map_err(|_| Failure::BadResponseBody)
}

/// Writes the content of the messages of a stream as they come (google/api/httpbody.proto).
pub(super) struct ToRaw {
    pub(super) binding: Arc<Binding>,
    pub(super) messages: Messages,
}

impl Transform for ToRaw {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        self.messages.push(piece, |message| {
            let (_, content) = raw(&self.binding, &decode(&self.binding, message)?).unwrap_or_default();
            out.extend_from_slice(&content);
            Ok(())
        })
    }

    fn trailers(&mut self, trailers: &mut Fields, _: &mut Vec<u8>) -> Result<(), Failure> {
        // There is no other way to tell of a failure behind content of any type.
        let status = GrpcStatus::of(trailers).filter(|_| self.messages.is_empty());
        if status != Some(GrpcStatus::OK) {
            return Err(Failure::ServiceTruncated);
        }
        trailers.clear();
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<u8>) -> Result<(), Failure> {
        Ok(())
    }
}

/// Writes the messages of a stream as they come.
pub(super) struct ToJson {
    pub(super) binding: Arc<Binding>,
    pub(super) printer: Arc<Printer>,
    pub(super) errors: Errors,
    pub(super) form: Form,
    pub(super) messages: Messages,
    pub(super) sent: u64,
}

impl ToJson {
    /// Writes what stands in front of a message or an error.
    fn start(&mut self, out: &mut Vec<u8>) {
        match self.form {
            Form::Lines => {}
            Form::Array => out.push(if self.sent == 0 { b'[' } else { b',' }),
            Form::Events => out.extend_from_slice(b"data: "),
        }
        self.sent += 1;
    }

    fn end(&self, out: &mut Vec<u8>) {
        match self.form {
            Form::Lines => out.push(b'\n'),
            Form::Array => {}
            Form::Events => out.extend_from_slice(b"\n\n"),
        }
    }

    fn error(&mut self, failed: &Failed, out: &mut Vec<u8>) {
        if self.form == Form::Events {
            out.extend_from_slice(b"event: error\n");
        }
        self.start(out);
        if self.form == Form::Events {
            out.extend_from_slice(&failed.to_json(self.errors));
        } else {
            out.extend_from_slice(b"{\"error\":");
            out.extend_from_slice(&failed.to_json(self.errors));
            out.push(b'}');
        }
        self.end(out);
    }
}

impl Transform for ToJson {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut messages = std::mem::replace(&mut self.messages, Messages::up_to(0));
        let result = messages.push(piece, |message| {
            let message = decode(&self.binding, message)?;
            self.start(out);
            let field = self.binding.response.as_ref();
            self.printer.write(&message, field, out).map_err(|unprintable| unprintable.failure)?;
            self.end(out);
            Ok(())
        });
        self.messages = messages;
        result
    }

    fn trailers(&mut self, trailers: &mut Fields, out: &mut Vec<u8>) -> Result<(), Failure> {
        // A stream that ends without a status or within a message is cut.
        let status = GrpcStatus::of(trailers).filter(|_| self.messages.is_empty());
        let status = status.ok_or(Failure::BadResponseBody)?;
        if status != GrpcStatus::OK {
            let pool = self.binding.rpc.output.parent_pool().clone();
            let failed = Failed::of(trailers, status, &pool, &self.printer);
            self.error(&failed, out);
        }
        trailers.clear();
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.form == Form::Array {
            out.extend_from_slice(if self.sent == 0 { b"[]" } else { b"]" });
            out.push(b'\n');
        }
        Ok(())
    }
}
