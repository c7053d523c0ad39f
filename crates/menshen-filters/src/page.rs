//! A reply that the configuration words: for `error-page` and `fallback`.

mod text;

use indexmap::IndexMap;
use menshen_config::Node;
use menshen_config::document::GrpcStatus as WrittenStatus;
use menshen_proxy::http1::{FieldName, Fields, standard_reason};
use menshen_proxy::{Body, Exchange, Failure, GrpcStatus, Reply, is_grpc, set_grpc_status};
use schemars::JsonSchema;
use serde::Deserialize;

use self::text::{Format, Text};
use crate::fields::{self, Message, Value};
use crate::{Setup, accept, scratch};

/// A reply. Of `html`, `json` and `body` several may be given; the client gets what it accepts best. They may hold
/// `{status}`, `{code}`, `{title}`, `{detail}`, `{request-id}`, `{path}` and what else templates know; values are escaped.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct PageConfig {
    /// A page, sent as `text/html`.
    html: Option<String>,
    /// Data, sent as `application/json`. The text `"{status}"` alone becomes a number.
    #[schemars(with = "Option<serde_json::Value>")]
    json: Option<Node>,
    /// Text, sent as `text/plain`, or as the `content-type` in `headers` says.
    body: Option<String>,
    /// Header fields to set; values are templates.
    headers: IndexMap<String, String>,
    /// The status to send, 200 to 599, instead of the one that would have been sent.
    pub(crate) status: Option<u16>,
    /// The status that callers of gRPC get, such as `unavailable`, with `body` as its message. They get no pages. Default:
    /// the status of the failure.
    grpc_status: Option<WrittenStatus>,
}

/// A reply, ready to be filled in.
pub(crate) struct Page {
    variants: Box<[Variant]>,
    fields: Box<[(Box<[u8]>, Value)]>,
    status: Option<u16>,
    grpc_status: Option<GrpcStatus>,
}

struct Variant {
    content_type: Box<str>,
    text: Text,
}

/// Why a page is sent.
pub(crate) struct Occasion {
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: &'static str,
}

impl Occasion {
    /// A failure in the gateway.
    pub(crate) fn failure(failure: Failure) -> Self {
        let status = failure.status();
        Self { status, code: failure.code(), title: standard_reason(status), detail: failure.text() }
    }

    /// A reply of the service that tells of an error.
    pub(crate) fn reply_of_service(status: u16) -> Self {
        let detail = "The service answered with an error.";
        Self { status, code: "service-error", title: standard_reason(status), detail }
    }
}

impl Page {
    /// Compiles a page; `field` is where it stands.
    pub(crate) fn new(config: PageConfig, field: &str, setup: &mut Setup<'_>) -> Self {
        let PageConfig { html, json, body, headers, status, grpc_status } = config;
        let grpc_status = grpc_status.and_then(|status| GrpcStatus::numbered(status.number()));
        let own_type = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
            .map(|(_, v)| v.clone());
        // `"{status}"` as text would be the only number that a program has to unquote.
        let json = json.map(|json| format!("{}\n", json.to_json()).replace("\"{status}\"", "{status}"));
        let given = [
            (json, "application/json"),
            (html, "text/html; charset=utf-8"),
            (body, own_type.as_deref().unwrap_or("text/plain; charset=utf-8")),
        ];
        let mut variants = Vec::new();
        for (text, content_type) in given {
            let Some(text) = text else { continue };
            let text = Text::read(&text, Format::of(content_type), field, setup);
            variants.push(Variant { content_type: content_type.into(), text });
        }
        if own_type.is_some() && variants.len() > 1 {
            setup
                .error(field, "`content-type` is given for several contents")
                .hint("leave it out, or keep only `body`");
        }
        if status.is_some_and(|s| !(200..=599).contains(&s)) {
            setup.error(field, "a status is 200 to 599");
        }
        if status.is_some_and(|s| matches!(s, 204 | 205 | 304)) && !variants.is_empty() {
            setup.error(field, "a reply with this status has no content");
        }
        let mut list = Vec::new();
        for (name, value) in headers {
            let path = setup.path.key(field).key("headers").key(&name);
            let name = fields::name(&name, Message::Reply, setup.at, &path, setup);
            if let (Some(name), Some(value)) = (name, Value::read(&value, setup.at, &path, setup)) {
                list.push((name, value));
            }
        }
        Self { variants: variants.into(), fields: list.into(), status, grpc_status }
    }

    /// True when neither content, fields nor status change anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.variants.is_empty()
            && self.fields.is_empty()
            && self.status.is_none()
            && self.grpc_status.is_none()
    }

    /// Makes a reply this page. What tells when to try again stays.
    pub(crate) fn put(&self, exchange: &Exchange, occasion: &Occasion, reply: &mut Reply) {
        if is_grpc(&reply.head.fields) {
            return self.put_status(exchange, occasion, reply);
        }
        if let Some(status) = self.status {
            reply.head.status = status;
            if status < 400 {
                reply.head.fields.remove(FieldName::RETRY_AFTER);
            }
        }
        if let Some(variant) = self.choose(&exchange.request.fields) {
            forget_content(&mut reply.head.fields);
            reply.transforms.clear();
            reply.head.fields.set(FieldName::CONTENT_TYPE, variant.content_type.as_bytes());
            let mut body = Vec::with_capacity(512);
            variant.text.fill(exchange, occasion, &mut body);
            reply.body = Body::Full(body.into());
        }
        if self.variants.len() > 1 {
            reply.head.fields.extend_list(FieldName::VARY, b"Accept");
        }
        scratch::with(|memory| {
            for (name, value) in &self.fields {
                if let Some(value) = value.of(exchange, memory) {
                    reply.head.fields.set_named(name, value);
                }
            }
        });
    }

    /// Callers of gRPC read a status, no pages.
    fn put_status(&self, exchange: &Exchange, occasion: &Occasion, reply: &mut Reply) {
        let Some(status) = self.grpc_status else { return };
        let plain = self.variants.iter().find(|variant| variant.content_type.starts_with("text/plain"));
        let mut message = Vec::new();
        match plain {
            Some(variant) => variant.text.fill(exchange, occasion, &mut message),
            None => message.extend_from_slice(occasion.detail.as_bytes()),
        }
        set_grpc_status(&mut reply.head.fields, status, &String::from_utf8_lossy(&message));
    }

    /// The content that the client accepts best; the first of several that it likes alike.
    fn choose(&self, request: &Fields) -> Option<&Variant> {
        let [first, others @ ..] = &*self.variants else { return None };
        let mut best = (first, if others.is_empty() { 0 } else { weight(request, first) });
        for variant in others {
            let weight = weight(request, variant);
            if weight > best.1 {
                best = (variant, weight);
            }
        }
        Some(best.0)
    }
}

/// How much a client likes content of this type, in thousandths.
fn weight(request: &Fields, variant: &Variant) -> u16 {
    let own = variant.content_type.split(';').next().unwrap_or_default();
    let kind = own.split('/').next().unwrap_or_default();
    let accept = FieldName::of(b"accept");
    if !request.has(accept) {
        return 1000;
    }
    let rank = |name: &[u8]| match name.strip_suffix(b"/*") {
        Some(b"*") => Some(1),
        Some(name) if name.eq_ignore_ascii_case(kind.as_bytes()) => Some(2),
        Some(_) => None,
        None if name.eq_ignore_ascii_case(own.as_bytes()) => Some(3),
        None if name.eq_ignore_ascii_case(b"application/problem+json") && own == "application/json" => {
            Some(3)
        }
        None => None,
    };
    let members = request.members(accept).map(accept::member);
    let nearest =
        members.filter_map(|(name, q)| rank(name).map(|rank| (rank, q))).max_by_key(|(rank, _)| *rank);
    nearest.map_or(0, |(_, q)| q)
}

/// Takes away what was said about the content that was there before.
fn forget_content(fields: &mut Fields) {
    const NAMES: [&[u8]; 10] = [
        b"accept-ranges",
        b"content-digest",
        b"content-disposition",
        b"content-language",
        b"content-location",
        b"content-md5",
        b"digest",
        b"repr-digest",
        b"last-modified",
        b"expires",
    ];
    fields.remove(FieldName::CONTENT_ENCODING);
    fields.remove(FieldName::CONTENT_LENGTH);
    fields.remove(FieldName::CONTENT_RANGE);
    fields.remove(FieldName::ETAG);
    fields.retain(|f| !NAMES.iter().any(|name| f.name.eq_ignore_ascii_case(name)));
}
