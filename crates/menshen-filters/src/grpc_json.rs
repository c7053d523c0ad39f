//! `grpc-json`: lets clients that speak JSON over HTTP call gRPC services, by the annotations of google/api/http.proto
//! (<https://github.com/googleapis/googleapis/blob/master/google/api/http.proto>).
//!
//! A request of one message is held until it is whole, because its message can only then be made; what is wrong with it is
//! told without a call. A reply of one message is held too, because its status comes behind it. Streams pass message by
//! message, either way.

mod descriptors;
mod frames;
mod methods;
mod print;
mod problem;
mod reply;
mod request;
mod rules;
mod streams;
mod template;
mod values;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use menshen_config::document::FilePath;
use menshen_config::quantity::Size;
use menshen_config::{OneOrMany, hint};
use menshen_proxy::chain::Step;
use menshen_proxy::http1::{FieldName, Fields, RequestFraming};
use menshen_proxy::{
    Body, ErrorFilter, Exchange, Failure, Flow, GrpcStatus, Held, PostFilter, PreFilter, Recovery, Reply,
    Transform, Transforms, Translation, is_grpc_call, limit_by_caller, limit_call,
};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value};
use schemars::JsonSchema;
use serde::Deserialize;

use self::frames::Messages;
use self::methods::{Found, Methods};
use self::print::{Print, Printer};
use self::problem::{Failed, Wrong};
use self::reply::{Form, ToJson, ToRaw};
use self::request::{Head, ToMessage};
use self::rules::{Binding, Body as Content};
use self::streams::{ToMessages, ToPieces};
pub use self::template::PathTemplate;
use crate::{Contract, Filter, Setup};

/// Lets clients that speak JSON over HTTP call gRPC services: by the `google.api.http` annotations of the services' methods,
/// or by the names of the methods. Calls of gRPC and gRPC-Web pass as they are; other requests for no method are refused.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// The file with the descriptors of the services: what `protoc --include_imports --descriptor_set_out=FILE` or
    /// `buf build -o FILE` writes. It is read again when it changes.
    descriptors: FilePath,
    /// The services that can be called, such as `acme.shop.v1.Orders`. Default: all in the file.
    #[serde(default)]
    services: OneOrMany<String>,
    /// Methods without an annotation. Default: `refuse`.
    #[serde(default)]
    unannotated: Unannotated,
    /// Fields in the content and parameters in the query that the message does not have. Default: `refuse`.
    #[serde(default)]
    unknown: Unknown,
    /// The largest message either way, such as `4MiB`; that of the request as JSON. `limits: { body }` of the route counts too,
    /// for all messages of a request together.
    /// A worker does nothing else while it translates a message, so keep it as small as can be. Default: `1MiB`.
    #[serde(default = "default_limit")]
    message_limit: Size,
    /// How replies are written.
    #[serde(default)]
    print: Print,
    /// What a reply says of a failure. Default: `problem`.
    #[serde(default)]
    errors: Errors,
}

/// The most content of one message where the client uploads content of any type as a stream, in bytes: what a read takes.
const PIECE: usize = 64 * 1024;
/// Content of which nothing is known.
const ANY_TYPE: &str = "application/octet-stream";

fn default_limit() -> Size {
    Size::mib(1)
}

/// What happens to methods without an annotation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unannotated {
    /// They cannot be called.
    #[default]
    Refuse,
    /// They are called by `POST /package.Service/Method`.
    ByName,
}

/// What happens to fields that a message does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unknown {
    /// The request is refused.
    #[default]
    Refuse,
    /// They are passed over.
    Ignore,
}

/// What a reply says of a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Errors {
    /// The problem in the form that the gateway has for all failures (RFC 9457).
    #[default]
    Problem,
    /// `google.rpc.Status` as JSON, as other gateways for gRPC do: `{"code":5,"message":"no such book","details":[]}`.
    Status,
}

/// The filter.
pub struct GrpcJson {
    methods: Methods,
    errors: Errors,
    printer: Arc<Printer>,
    unknown: Unknown,
    limit: usize,
}

impl Filter for GrpcJson {
    const NAME: &'static str = "grpc-json";
    const SHORT: Option<&'static str> = Some("descriptors");
    const CONTRACT: Contract = Contract { changes_reply_content: true, ..Contract::NONE };
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        let Config { descriptors, services, unannotated, unknown, message_limit, print, errors } = config;
        let limit = usize::try_from(message_limit.bytes()).unwrap_or(usize::MAX).min(u32::MAX as usize);
        let Some(pool) = read(&descriptors, setup) else { return };
        let known = || pool.services().map(|s| s.full_name().to_owned());
        for name in services.iter().filter(|name| known().all(|k| k != **name)) {
            let names: Vec<String> = known().collect();
            let near = hint(name, names.iter().map(String::as_str));
            setup.error("services", format!("{descriptors} has no service `{name}`")).maybe_hint(near);
        }
        let report = |why: String| {
            setup.error("descriptors", format!("{descriptors}: {why}"));
        };
        let methods = Methods::of(&pool, &services.0, unannotated, report);
        if methods.is_empty() && !setup.problems.has_errors() {
            setup
                .error("descriptors", format!("{descriptors}: no method has a `google.api.http` annotation"))
                .hint("write `unannotated: by-name` to call methods by their names");
        }
        let printer = Arc::new(Printer::new(print, limit));
        let filter = Arc::new(Self { methods, errors, printer, unknown, limit });
        step.pre(filter.clone()).post(filter.clone()).error(filter);
    }
}

/// Reads the descriptors.
fn read(file: &FilePath, setup: &mut Setup<'_>) -> Option<DescriptorPool> {
    let bytes = setup.file("descriptors", &file.0)?;
    match descriptors::read(&bytes) {
        Ok(pool) if pool.services().len() > 0 => Some(pool),
        Ok(_) => {
            setup.error("descriptors", format!("{file}: there is no service in it"));
            None
        }
        Err(error) => {
            setup
                .error("descriptors", format!("{file}: {error}"))
                .hint("write it with `protoc --include_imports --descriptor_set_out=…`, or `buf build -o …`");
            None
        }
    }
}

/// What the filter remembers of a request.
struct Call {
    binding: Arc<Binding>,
    form: Form,
}

/// What is wrong, for the reply that tells of it.
struct Reason(Rc<RefCell<Option<Wrong>>>);

/// Methods that a path knows, for the reply that tells of it.
struct Allowed(String);

impl PreFilter for GrpcJson {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        if exchange.translation.is_some() || is_grpc_call(&exchange.request.fields) {
            return Flow::Continue;
        }
        match self.begin(exchange) {
            Ok(()) => Flow::Continue,
            Err(failure) => Flow::Fail(failure),
        }
    }
}

impl GrpcJson {
    /// Finds the method and prepares the call.
    fn begin(&self, exchange: &mut Exchange) -> Result<(), Failure> {
        let reason = Rc::new(RefCell::new(None));
        exchange.notes.put(Reason(reason.clone()));
        let mut target = Vec::new();
        exchange.route().rewrite.apply(&exchange.target, "", &mut target)?;
        let end = target.iter().position(|b| *b == b'?').unwrap_or(target.len());
        let (path, query) = target.split_at(end);
        let query = query.get(1..).unwrap_or_default();
        let refuse = |failure, text: String| {
            reason.replace(Some(Wrong::request(text)));
            Err(failure)
        };
        let (binding, values) = match self.methods.find(exchange.request.method_text(), path) {
            Found::Method(binding, values) => (binding, values),
            Found::WrongMethod(allowed) => {
                exchange.notes.put(Allowed(allowed));
                return Err(Failure::MethodNotAllowed);
            }
            Found::Nothing => {
                return refuse(Failure::NoRoute, "no method of a service has this path".to_owned());
            }
        };
        let content_type = exchange.request.fields.get(FieldName::CONTENT_TYPE).unwrap_or_default();
        if !takes(&binding, content_type) || is_coded(&exchange.request.fields) {
            return refuse(
                Failure::UnsupportedMediaType,
                "the content must be `application/json`, not compressed".to_owned(),
            );
        }
        let (content_type, query) = (content_type.into(), query.into());
        let head = Head { binding: binding.clone(), values, query, content_type, unknown: self.unknown };
        self.call(exchange, &binding);
        exchange.transforms.push(if !is_stream(&binding) {
            Box::new(ToMessage { head, content: Vec::new(), wrong: reason })
        } else if binding.takes_raw() {
            Box::new(ToPieces::new(head, self.limit.min(PIECE), reason))
        } else {
            Box::new(ToMessages::new(head, self.limit, reason))
        });
        Ok(())
    }

    /// Makes a call of gRPC of the request, but for its content.
    fn call(&self, exchange: &mut Exchange, binding: &Arc<Binding>) {
        let fields = &mut exchange.request.fields;
        let form = Form::accepted(fields);
        let streams = binding.rpc.streams;
        if streams.of_client() || streams.of_service() {
            limit_call(&mut exchange.timeouts, fields);
        } else {
            limit_by_caller(&mut exchange.timeouts, fields);
        }
        for name in [&b"content-encoding"[..], b"grpc-encoding", b"grpc-accept-encoding"] {
            fields.remove_named(name);
        }
        fields.set(FieldName::CONTENT_TYPE, b"application/grpc");
        // Services refuse callers that do not say that they read trailers.
        fields.set(FieldName::TE, b"trailers");
        fields.remove_named(b"grpc-timeout");
        if let Some(total) = exchange.timeouts.total {
            let left = total.saturating_sub(exchange.started.elapsed());
            // At most eight digits. Rounded up: the deadline of the gateway is told better than that of the service.
            let value = match u32::try_from(left.as_millis() + 1) {
                Ok(millis @ ..=99_999_999) => format!("{millis}m"),
                _ => format!("{}S", left.as_secs().min(99_999_999)),
            };
            exchange.request.fields.set_named(b"grpc-timeout", value.as_bytes());
        }
        let limit = self.limit as u64;
        let reply = match form {
            _ if !streams.of_service() => Held::Whole,
            // An error behind the head can be told to readers of events, and they want to see soon that they are heard.
            Form::Events if !binding.gives_raw() => Held::Nothing,
            _ => Held::FirstMessage,
        };
        let has_content =
            !matches!(exchange.request.framing, RequestFraming::None | RequestFraming::Length(0));
        let translation = Translation {
            target: binding.rpc.path.as_bytes().into(),
            request_limit: (!is_stream(binding) || !has_content).then_some(limit),
            reply,
            // A message comes with a head of five bytes.
            reply_limit: limit + 5,
            begun: Bytes::new(),
        };
        exchange.translation = Some(Box::new(translation));
        exchange.notes.put(Call { binding: binding.clone(), form });
    }
}

/// True when the content is a stream of messages.
fn is_stream(binding: &Binding) -> bool {
    binding.rpc.streams.of_client() && binding.body != Content::None
}

/// True when content of this type can be read.
fn takes(binding: &Binding, content_type: &[u8]) -> bool {
    let name = content_type.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let name = name.to_ascii_lowercase();
    let is_json =
        name == b"application/json" || name.starts_with(b"application/") && name.ends_with(b"+json");
    let is_lines = reply::LINES.iter().any(|lines| name == *lines);
    binding.body == Content::None
        || binding.takes_raw()
        || name.is_empty()
        || is_json
        || is_lines && is_stream(binding)
}

/// True when the content is compressed.
fn is_coded(fields: &Fields) -> bool {
    fields.members(FieldName::CONTENT_ENCODING).any(|m| !m.eq_ignore_ascii_case(b"identity"))
}

impl PostFilter for GrpcJson {
    fn post(&self, exchange: &mut Exchange, reply: &mut Reply) -> Result<(), Failure> {
        let Some(Call { binding, form }) = exchange.notes.get() else { return Ok(()) };
        // What is no gRPC is an answer of its own, such as a redirect, and its status tells enough.
        if !menshen_proxy::is_grpc(&reply.head.fields) {
            return Ok(());
        }
        let content = match &reply.body {
            Body::Streaming => {
                let begun = exchange.translation.as_ref().map(|t| &*t.begun).unwrap_or_default();
                let kind = if binding.gives_raw() {
                    reply::first_type(binding, self.limit, begun)?
                } else {
                    form.content_type().to_owned()
                };
                forget(&mut reply.head.fields);
                reply.head.fields.set(FieldName::CONTENT_TYPE, kind.as_bytes());
                reply.transforms.push(self.stream(binding, *form));
                return Ok(());
            }
            Body::Full(content) => content.clone(),
            Body::Empty => Bytes::new(),
        };
        let status = GrpcStatus::of(&reply.head.fields).ok_or(Failure::BadResponseBody)?;
        if status == GrpcStatus::CANCELLED && is_over(exchange) {
            return Err(Failure::TotalTimeout);
        }
        if status != GrpcStatus::OK {
            let pool = binding.rpc.output.parent_pool();
            let failed = Failed::of(&reply.head.fields, status, pool, &self.printer);
            forget(&mut reply.head.fields);
            failed.put(self.errors, exchange, reply);
            return Ok(());
        }
        let (kind, json) = if binding.rpc.streams.of_service() {
            let (mut transforms, mut json) = (Transforms::default(), Vec::new());
            transforms.push(self.stream(binding, *form));
            transforms.run(&content, &mut json)?;
            transforms.finish_with(&mut reply.head.fields.clone(), &mut json)?;
            let kind = if binding.gives_raw() { ANY_TYPE } else { form.content_type() };
            (kind.to_owned(), json)
        } else {
            reply::whole(binding, &self.printer, self.limit, &content).map_err(|unprintable| {
                if let (Some(why), Some(Reason(reason))) = (unprintable.why, exchange.notes.get()) {
                    reason.replace(Some(Wrong::request(why)));
                }
                unprintable.failure
            })?
        };
        forget(&mut reply.head.fields);
        reply.head.fields.set(FieldName::CONTENT_TYPE, kind.as_bytes());
        reply.body = Body::Full(json.into());
        Ok(())
    }
}

impl GrpcJson {
    /// What a stream of the service passes through.
    fn stream(&self, binding: &Arc<Binding>, form: Form) -> Box<dyn Transform> {
        let (binding, messages) = (binding.clone(), Messages::up_to(self.limit));
        if binding.gives_raw() {
            return Box::new(ToRaw { binding, messages });
        }
        let (printer, errors) = (self.printer.clone(), self.errors);
        Box::new(ToJson { binding, printer, errors, form, messages, sent: 0 })
    }
}

/// True when the time for the request is over: some services call that cancelled, and may see it first.
fn is_over(exchange: &Exchange) -> bool {
    exchange.timeouts.total.is_some_and(|total| exchange.started.elapsed() >= total)
}

/// Takes away what is only for callers of gRPC.
fn forget(fields: &mut Fields) {
    const NAMES: [&[u8]; 5] = [
        b"grpc-status",
        b"grpc-message",
        b"grpc-status-details-bin",
        b"grpc-encoding",
        b"grpc-accept-encoding",
    ];
    fields.retain(|field| !NAMES.iter().any(|name| field.name.eq_ignore_ascii_case(name)));
    fields.remove(FieldName::CONTENT_LENGTH);
}

impl ErrorFilter for GrpcJson {
    fn error(&self, exchange: &mut Exchange, failure: Failure, reply: &mut Reply) -> Recovery {
        if let Some(Allowed(methods)) = exchange.notes.get().filter(|_| failure == Failure::MethodNotAllowed)
        {
            reply.head.fields.set(FieldName::ALLOW, methods.as_bytes());
        }
        // What another filter has worded stays.
        let is_plain = reply.head.fields.get(FieldName::CONTENT_TYPE) == Some(b"application/problem+json");
        let Some(Reason(reason)) = exchange.notes.get().filter(|_| is_plain) else {
            return Recovery::Continue;
        };
        match (reason.borrow_mut().take(), self.errors) {
            (None, Errors::Problem) => {}
            (wrong, Errors::Status) => problem::word_status(wrong, failure, reply),
            (Some(wrong), Errors::Problem) => problem::word(&wrong, failure, exchange, reply),
        }
        Recovery::Continue
    }
}

/// Reads a message from JSON as requests are read: for fuzzing.
///
/// # Errors
/// What is wrong with it, for people.
pub fn read_json(descriptor: &MessageDescriptor, json: &[u8]) -> Result<DynamicMessage, String> {
    request::read_json(descriptor, json, Unknown::Refuse).map_err(|wrong| wrong.text)
}

/// The JSON values in content that comes in these pieces, as streams of clients are read: for fuzzing.
///
/// # Errors
/// What is wrong with it, for people.
pub fn json_values<'a>(pieces: impl Iterator<Item = &'a [u8]>, limit: usize) -> Result<Vec<Vec<u8>>, String> {
    let told = |refused| match refused {
        values::Refused::TooLarge => "a value is too large".to_owned(),
        values::Refused::Wrong(wrong) => wrong.text,
    };
    let (mut values, mut found) = (values::Values::up_to(limit), Vec::new());
    let mut take = |value: &[u8]| {
        found.push(value.to_vec());
        Ok(())
    };
    for piece in pieces {
        values.push(piece, &mut take).map_err(told)?;
    }
    values.finish(&mut take).map_err(told)?;
    Ok(found)
}

/// Writes a message as JSON as replies are written: for fuzzing.
///
/// # Errors
/// As such a reply would be answered.
pub fn write_json(message: &DynamicMessage) -> Result<Vec<u8>, Failure> {
    let mut json = Vec::new();
    let printer = Printer::new(Print::default(), 1 << 20);
    printer.write(message, None, &mut json).map_err(|unprintable| unprintable.failure)?;
    Ok(json)
}

/// A field of this name that is text; nothing is the empty one.
fn text(message: &DynamicMessage, name: &str) -> String {
    let value = message.get_field_by_name(name);
    value.as_deref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
