//! The messages of a reply → JSON.

use std::sync::Arc;

use menshen_proxy::http1::{FieldName, Fields};
use menshen_proxy::{Failure, GrpcStatus, Transform};
use prost_reflect::{DynamicMessage, Kind, ReflectMessage, Value};

use super::frames::Messages;
use super::is_raw;
use super::print::{Printer, Unprintable};
use super::problem::Failed;
use super::rules::Binding;
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

impl Form {
    /// The form that a client asks for.
    pub(super) fn accepted(request: &Fields) -> Self {
        let form = |name: &[u8]| {
            let names: [(&[u8], Self); 5] = [
                (b"application/x-ndjson", Self::Lines),
                (b"application/ndjson", Self::Lines),
                (b"application/jsonl", Self::Lines),
                (b"text/event-stream", Self::Events),
                (b"application/json", Self::Array),
            ];
            names.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, form)| *form)
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
        found.push(
            DynamicMessage::decode(binding.rpc.output.clone(), message)
                .map_err(|_| Failure::BadResponseBody)?,
        );
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
    let inner = binding.response.as_ref().map(|field| (field.kind(), message.get_field(field)));
    let message = match &inner {
        None => message,
        Some((Kind::Message(_), value)) => value.as_message()?,
        Some(_) => return None,
    };
    if !is_raw(&message.descriptor()) {
        return None;
    }
    let text = message.get_field_by_name("content_type").and_then(|v| v.as_str().map(str::to_owned));
    let data = message.get_field_by_name("data");
    let data = data.as_deref().and_then(Value::as_bytes).map(|bytes| bytes.to_vec()).unwrap_or_default();
    let text = text.filter(|t| !t.is_empty() && menshen_proxy::http1::valid_value(t.as_bytes()));
    Some((text.unwrap_or_else(|| "application/octet-stream".to_owned()), data))
}

/// Writes the messages of a stream as they come.
pub(super) struct ToJson {
    pub(super) binding: Arc<Binding>,
    pub(super) printer: Arc<Printer>,
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
            out.extend_from_slice(&failed.to_json());
        } else {
            out.extend_from_slice(b"{\"error\":");
            out.extend_from_slice(&failed.to_json());
            out.push(b'}');
        }
        self.end(out);
    }
}

impl Transform for ToJson {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut messages = std::mem::replace(&mut self.messages, Messages::up_to(0));
        let result = messages.push(piece, |message| {
            let output = self.binding.rpc.output.clone();
            let message = DynamicMessage::decode(output, message).map_err(|_| Failure::BadResponseBody)?;
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
