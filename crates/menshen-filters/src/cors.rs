//! `cors`: lets pages of other origins use a route (Fetch standard, "CORS protocol").
//!
//! It stands first: a preflight carries no credentials and must be answered before anybody asks for them. And because
//! replies pass the filters in reverse, what it writes is the last word on every `Access-Control-*` field.

mod origin;

use std::sync::Arc;

use menshen_config::OneOrMany;
use menshen_config::matching::Method;
use menshen_config::quantity::Duration;
use menshen_proxy::chain::Step;
use menshen_proxy::http1::{self, FieldName, Fields, is_token_byte, valid_name};
use menshen_proxy::{ErrorFilter, Exchange, Failure, Flow, PostFilter, PreFilter, Recovery, Reply};
use schemars::JsonSchema;
use serde::Deserialize;

use self::origin::Origin;
use crate::{Contract, Filter, Setup};

/// Lets pages of other origins use the route from a browser. Preflights are answered here, with 204 and without
/// calling the service; what the service itself says in `Access-Control-*` fields is replaced.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Whose pages may read replies: `https://app.example.com`, `https://*.example.org` for all names below one
    /// (not for the name itself), or `*` for everybody.
    origins: OneOrMany<Origin>,
    /// The methods that pages may use. Default: `GET`, `HEAD`, `POST`, `PUT`, `PATCH` and `DELETE`.
    #[serde(default = "default_methods")]
    methods: OneOrMany<Method>,
    /// The request header fields that pages may set. Default `*`: any.
    #[serde(default = "any_header")]
    headers: OneOrMany<String>,
    /// The reply header fields that pages may read, beside those that they always may; `*` for all, without
    /// credentials only. Default: none.
    #[serde(default)]
    expose: OneOrMany<String>,
    /// Whether pages may send cookies and other credentials of the user. Default `refused`. `allowed` needs origins
    /// to be named.
    #[serde(default)]
    credentials: Credentials,
    /// How long a browser may remember the answer to a preflight; browsers cut it to their own limit, Chromium to two
    /// hours. Default `10m`.
    #[serde(default = "ten_minutes")]
    max_age: Duration,
}

fn default_methods() -> OneOrMany<Method> {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].into_iter().filter_map(|m| m.parse().ok()).collect()
}

fn any_header() -> OneOrMany<String> {
    ["*".to_owned()].into_iter().collect()
}

fn ten_minutes() -> Duration {
    Duration::seconds(600)
}

/// Whether pages may send cookies and other credentials of the user.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Credentials {
    /// They may.
    Allowed,
    /// The browser keeps replies to such requests from the page.
    #[default]
    Refused,
}

/// The filter.
pub struct Cors {
    origins: Box<[Origin]>,
    methods: Box<[u8]>,
    /// `None` for any.
    headers: Option<Box<[u8]>>,
    expose: Box<[u8]>,
    credentials: Credentials,
    max_age: Box<[u8]>,
}

impl Filter for Cors {
    const NAME: &'static str = "cors";
    const SHORT: Option<&'static str> = Some("origins");
    const CONTRACT: Contract = Contract { decides: true, answers_preflight: true, ..Contract::NONE };
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        config.check(setup);
        let Config { origins, methods, headers, expose, credentials, max_age } = config;
        let joined = |names: &[String]| names.join(", ").into_bytes().into_boxed_slice();
        let methods: Vec<_> = methods.iter().map(|m| m.as_str().to_owned()).collect();
        let filter = Arc::new(Self {
            origins: origins.0.into(),
            methods: joined(&methods),
            headers: (!is_any(&headers)).then(|| joined(&headers)),
            expose: joined(&expose),
            credentials,
            max_age: max_age.get().as_secs().to_string().into_bytes().into(),
        });
        step.pre(filter.clone()).post(filter.clone()).error(filter);
    }
}

fn is_any(names: &[String]) -> bool {
    names.iter().any(|n| n == "*")
}

impl Config {
    fn check(&self, setup: &mut Setup<'_>) {
        if self.origins.is_empty() {
            setup.error("origins", "no origin is named, so no page could use the route");
        }
        let any_origin = self.origins.contains(&Origin::Any);
        if any_origin && self.origins.len() > 1 {
            setup.error("origins", "`*` is every origin; the others say nothing more");
        }
        if any_origin && self.credentials == Credentials::Allowed {
            setup.error(
                "credentials",
                "with `origins: *` every page anywhere could act as the user; name the origins",
            );
        }
        if is_any(&self.expose) && self.credentials == Credentials::Allowed {
            setup.error(
                "expose",
                "with credentials, browsers take `*` for the name of a field; name the fields",
            );
        }
        for (field, names) in [("headers", &self.headers), ("expose", &self.expose)] {
            for name in names.iter().filter(|n| !valid_name(n.as_bytes())) {
                setup.error(field, format!("`{name}` is not the name of a header field"));
            }
            if is_any(names) && names.len() > 1 {
                setup.error(field, "`*` is every field; the others say nothing more");
            }
        }
    }
}

/// A request that asks for leave to make another (Fetch §3.3.2).
fn is_preflight(exchange: &Exchange) -> bool {
    let fields = &exchange.request.fields;
    exchange.request.method() == http1::Method::Options
        && fields.has(FieldName::ORIGIN)
        && fields.has(FieldName::ACCESS_CONTROL_REQUEST_METHOD)
}

impl PreFilter for Cors {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        if is_preflight(exchange) { Flow::Answer(Box::new(Reply::new(204))) } else { Flow::Continue }
    }
}

impl PostFilter for Cors {
    fn post(&self, exchange: &mut Exchange, reply: &mut Reply) -> Result<(), Failure> {
        self.write(exchange, &mut reply.head.fields);
        Ok(())
    }
}

/// For failures of steps before this one, and of `post` filters: then `post` does not come.
impl ErrorFilter for Cors {
    fn error(&self, exchange: &mut Exchange, _: Failure, reply: &mut Reply) -> Recovery {
        self.write(exchange, &mut reply.head.fields);
        Recovery::Continue
    }
}

impl Cors {
    /// Makes the fields of a reply what this filter says, whatever they were.
    fn write(&self, exchange: &Exchange, reply: &mut Fields) {
        reply.retain(|f| {
            !f.name.get(..15).is_some_and(|start| start.eq_ignore_ascii_case(b"access-control-"))
        });
        let varies = reply.members(FieldName::VARY).any(|m| m == b"*" || m.eq_ignore_ascii_case(b"origin"));
        if !varies {
            reply.extend_list(FieldName::VARY, b"Origin");
        }
        let Some(origin) = self.allowed(&exchange.request.fields) else { return };
        reply.append(FieldName::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials == Credentials::Allowed {
            reply.append(FieldName::ACCESS_CONTROL_ALLOW_CREDENTIALS, b"true");
        }
        if is_preflight(exchange) {
            self.write_leave(&exchange.request.fields, reply);
        } else if !self.expose.is_empty() {
            reply.append(FieldName::ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose);
        }
    }

    /// The origin to allow: the request's own if it is one of ours. Two are none.
    fn allowed<'a>(&self, request: &'a Fields) -> Option<&'a [u8]> {
        if self.origins.contains(&Origin::Any) {
            return Some(b"*");
        }
        let mut sent = request.all(FieldName::ORIGIN);
        let (origin, None) = (sent.next()?, sent.next()) else { return None };
        self.origins.iter().any(|o| o.matches(origin)).then_some(origin)
    }

    /// What a preflight asks for. Any header is allowed by naming those that were asked for: `*` would leave out
    /// Authorization, and means nothing with credentials.
    fn write_leave(&self, request: &Fields, reply: &mut Fields) {
        reply.append(FieldName::ACCESS_CONTROL_ALLOW_METHODS, &self.methods);
        match &self.headers {
            Some(headers) => reply.append(FieldName::ACCESS_CONTROL_ALLOW_HEADERS, headers),
            None => {
                reply.extend_list(FieldName::VARY, b"Access-Control-Request-Headers");
                let is_list = |v: &&[u8]| v.iter().all(|b| is_token_byte(*b) || matches!(b, b',' | b' '));
                let mut asked = request.all(FieldName::ACCESS_CONTROL_REQUEST_HEADERS);
                if let (Some(names), None) = (asked.next().filter(is_list), asked.next()) {
                    reply.append(FieldName::ACCESS_CONTROL_ALLOW_HEADERS, names);
                }
            }
        }
        reply.append(FieldName::ACCESS_CONTROL_MAX_AGE, &self.max_age);
    }
}

#[cfg(test)]
mod tests;
