//! What clients are told when a call fails: `application/problem+json` (RFC 9457) with what is known of gRPC.

use std::borrow::Cow;

use bytes::Bytes;
use menshen_proxy::http1::{FieldName, Fields, standard_reason};
use menshen_proxy::target::unescaped;
use menshen_proxy::{Body, Exchange, Failure, GrpcStatus, Reply};
use prost_reflect::DescriptorPool;
use prost_reflect::prost::{self, Message};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::Errors;
use super::print::{Printer, of_type};

/// What is wrong with a request, or with a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The field, as a path.
    pub(super) field: Option<String>,
    pub(super) text: String,
}

impl Wrong {
    pub(super) fn request(text: impl Into<String>) -> Self {
        Self { field: None, text: text.into() }
    }

    pub(super) fn at(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self { field: Some(field.into()), text: text.into() }
    }

    /// What is wrong with the message of this number, from 0, in a stream.
    pub(super) fn within(self, number: u64) -> Self {
        let field = match self.field {
            Some(field) if field.starts_with('[') => format!("[{number}]{field}"),
            Some(field) => format!("[{number}].{field}"),
            None => format!("[{number}]"),
        };
        Self { field: Some(field), ..self }
    }

    /// What serde says, and where it was.
    pub(super) fn json(error: &serde_json::Error, path: &str) -> Self {
        const UNKNOWN: &str = "unrecognized field name '";
        let text = error.to_string();
        if !error.is_data() {
            return Self::request(format!("the content is not JSON: {text}"));
        }
        let text = text.rsplit_once(" at line ").map_or(&*text, |(text, _)| text);
        let parent = (path != "." && !path.is_empty()).then_some(path);
        let unknown = text.strip_prefix(UNKNOWN).and_then(|rest| rest.strip_suffix('\''));
        match (parent, unknown) {
            (Some(parent), Some(name)) => Self::at(format!("{parent}.{name}"), "no such field"),
            (None, Some(name)) => Self::at(name, "no such field"),
            (parent, None) => Self { field: parent.map(str::to_owned), text: text.to_owned() },
        }
    }
}

/// A problem as clients read it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Cow<'a, str>>,
}

impl<'a> Problem<'a> {
    fn new(status: u16, code: &'a str, detail: &'a str) -> Self {
        Self {
            r#type: "about:blank",
            title: standard_reason(status),
            status,
            code,
            detail,
            field: None,
            grpc_status: None,
            details: Vec::new(),
            request_id: None,
        }
    }

    fn put(mut self, exchange: &'a Exchange, reply: &mut Reply) {
        self.request_id = exchange.request_id().map(String::from_utf8_lossy);
        let mut json = serde_json::to_vec(&self).unwrap_or_default();
        json.push(b'\n');
        reply.head.fields.set(FieldName::CONTENT_TYPE, b"application/problem+json");
        reply.body = Body::Full(Bytes::from(json));
    }
}

/// google.rpc.Status as JSON.
#[derive(Serialize)]
struct StatusJson<'a> {
    code: u8,
    message: &'a str,
    details: &'a [Json],
}

impl StatusJson<'_> {
    fn put(&self, reply: &mut Reply) {
        let mut json = serde_json::to_vec(self).unwrap_or_default();
        json.push(b'\n');
        reply.head.fields.set(FieldName::CONTENT_TYPE, b"application/json");
        reply.body = Body::Full(Bytes::from(json));
    }
}

/// Words the reply for a failure with what is known of it.
pub(super) fn word(wrong: &Wrong, failure: Failure, exchange: &Exchange, reply: &mut Reply) {
    let mut problem = Problem::new(failure.status(), failure.code(), &wrong.text);
    problem.field = wrong.field.as_deref();
    problem.put(exchange, reply);
}

/// The same as google.rpc.Status; its message starts with the code of the failure, as for callers of gRPC.
pub(super) fn word_status(wrong: Option<Wrong>, failure: Failure, reply: &mut Reply) {
    let (field, text) = wrong.map_or((None, failure.text().to_owned()), |wrong| (wrong.field, wrong.text));
    // google/rpc/error_details.proto
    let violation = |field: &String| {
        json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{ "field": field, "description": text }],
        })
    };
    let details: Vec<Json> = field.iter().map(violation).collect();
    let place = field.map_or(String::new(), |field| format!("{field}: "));
    let message = format!("{}: {place}{text}", failure.code());
    StatusJson { code: code_of(failure.status()), message: &message, details: &details }.put(reply);
}

/// The status of gRPC that says the same as one of HTTP (google/rpc/code.proto).
fn code_of(status: u16) -> u8 {
    match status {
        401 => 16,
        403 => 7,
        404 => 5,
        405 | 501 => 12,
        408 | 504 => 4,
        429 => 8,
        499 => 1,
        400..=499 => 3,
        502 | 503 => 14,
        _ => 13,
    }
}

/// A call that failed at the service.
pub(super) struct Failed {
    pub(super) status: GrpcStatus,
    message: String,
    details: Vec<Json>,
}

/// google.rpc.Status (google/rpc/status.proto).
#[derive(Clone, PartialEq, prost::Message)]
#[prost(prost_path = "prost_reflect::prost")]
struct Status {
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_reflect::prost_types::Any>,
}

impl Failed {
    /// What a head or trailers say about a call.
    pub(super) fn of(fields: &Fields, status: GrpcStatus, pool: &DescriptorPool, printer: &Printer) -> Self {
        let message = fields.get_named(b"grpc-message").unwrap_or_default();
        // Spaces are not escaped, so a plus is a plus.
        let message = message.split(|b| *b == b'+').map(unescaped).collect::<Vec<_>>().join(&b'+');
        let mut message = String::from_utf8_lossy(&message).into_owned();
        if message.is_empty() {
            "The service ended the call with this status.".clone_into(&mut message);
        }
        let details = fields.get_named(b"grpc-status-details-bin").unwrap_or_default();
        Self { status, message, details: details_of(details, pool, printer) }
    }

    /// As the whole reply.
    pub(super) fn put(self, errors: Errors, exchange: &Exchange, reply: &mut Reply) {
        let status = self.status.http_status();
        reply.head.status = status;
        match errors {
            Errors::Problem => self.problem(status).put(exchange, reply),
            Errors::Status => self.status().put(reply),
        }
    }

    /// As JSON within a stream that has begun.
    pub(super) fn to_json(&self, errors: Errors) -> Vec<u8> {
        let json = match errors {
            Errors::Problem => serde_json::to_vec(&self.problem(self.status.http_status())),
            Errors::Status => serde_json::to_vec(&self.status()),
        };
        json.unwrap_or_default()
    }

    fn status(&self) -> StatusJson<'_> {
        StatusJson { code: self.status.number(), message: &self.message, details: &self.details }
    }

    fn problem(&self, status: u16) -> Problem<'_> {
        let mut problem = Problem::new(status, "service-error", &self.message);
        problem.grpc_status = Some(self.status.name());
        problem.details.clone_from(&self.details);
        problem
    }
}

/// The details of a status, as far as their types are known.
fn details_of(base64: &[u8], pool: &DescriptorPool, printer: &Printer) -> Vec<Json> {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD_NO_PAD;

    let text = base64.trim_ascii_end();
    let end = text.iter().rposition(|b| *b != b'=').map_or(0, |last| last + 1);
    let bytes = BASE64_STANDARD_NO_PAD.decode(text.get(..end).unwrap_or_default()).unwrap_or_default();
    let status = Status::decode(&*bytes).unwrap_or_default();
    let detail = |any: &prost_reflect::prost_types::Any| {
        let message = of_type(pool, &any.type_url, &any.value)?;
        let mut json = Vec::new();
        printer.write(&message, None, &mut json).ok()?;
        let kind = ("@type".to_owned(), Json::from(&*any.type_url));
        Some(Json::Object(match serde_json::from_slice(&json).ok()? {
            Json::Object(fields) => std::iter::once(kind).chain(fields).collect(),
            value => [kind, ("value".to_owned(), value)].into_iter().collect(),
        }))
    };
    status.details.iter().filter_map(detail).collect()
}
