//! `respond`: answers without asking a service.

use std::sync::Arc;

use menshen_config::document::Respond as Config;
use menshen_proxy::chain::Step;
use menshen_proxy::http1::valid_value;
use menshen_proxy::{Exchange, FixedReply, Flow, GrpcStatus, PreFilter};

use crate::fields::{self, Message};
use crate::{Contract, Filter, Setup};

/// The filter.
pub struct Respond {
    reply: FixedReply,
}

impl Filter for Respond {
    const NAME: &'static str = "respond";
    const CONTRACT: Contract = Contract { decides: true, ..Contract::NONE };
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        let reply = compile(config, setup);
        step.pre(Arc::new(Self { reply }));
    }
}

/// Makes the reply once for all requests.
fn compile(config: Config, setup: &mut Setup<'_>) -> FixedReply {
    let Config { status, headers, body, json, grpc_status } = config;
    let grpc_status = grpc_status.and_then(|status| GrpcStatus::numbered(status.number()));
    let status = status.unwrap_or(200);
    if body.is_some() && json.is_some() {
        setup.error("json", "both `body` and `json`").hint("keep one of them");
    }
    if matches!(status, 204 | 205 | 304) && (body.is_some() || json.is_some()) {
        setup
            .error("status", format!("a reply with status {status} has no content"))
            .hint("take another status");
    }
    let mut list: Vec<(Box<str>, Box<str>)> = Vec::new();
    for (name, value) in headers {
        let path = setup.path.key("headers").key(&name);
        if !valid_value(value.as_bytes()) {
            setup.problems.error(setup.at, &path, "this cannot be the value of a header field");
        }
        if fields::name(&name, Message::Reply, setup.at, &path, setup).is_some() {
            list.push((name.into(), value.into()));
        }
    }
    let (body, content_type) = match (json, body) {
        (Some(json), _) => (format!("{}\n", json.to_json()), Some("application/json")),
        (None, Some(body)) => (body, Some("text/plain; charset=utf-8")),
        (None, None) => (String::new(), None),
    };
    let has_type = list.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if let Some(content_type) = content_type.filter(|_| !has_type) {
        list.push(("content-type".into(), content_type.into()));
    }
    FixedReply { status, fields: list.into(), body: body.into(), grpc_status }
}

impl PreFilter for Respond {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        Flow::Answer(Box::new(self.reply.to_reply(exchange)))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Try;

    #[test]
    fn a_text_is_answered_with_status_and_fields() {
        let yaml =
            "respond: { status: 503, headers: { retry-after: 60, content-type: text/html }, body: closed }";
        let mut t = Try::filter(yaml).get("/").answer();
        assert_eq!((t.status(), t.body()), (503, b"closed".to_vec()));
        assert_eq!(t.field("retry-after").unwrap(), "60");
        assert_eq!(t.field("content-type").unwrap(), "text/html");
        let t = Try::filter("respond: { body: closed }").get("/").answer();
        assert_eq!(t.field("content-type").unwrap(), "text/plain; charset=utf-8");
    }

    #[test]
    fn data_is_answered_as_json() {
        let mut t = Try::filter("respond: { json: { ok: true, list: [1, a] } }").get("/").answer();
        assert_eq!((t.status(), t.field("content-type").unwrap().as_str()), (200, "application/json"));
        let sent: serde_json::Value = serde_json::from_slice(&t.body()).unwrap();
        assert_eq!(sent, serde_json::json!({ "ok": true, "list": [1, "a"] }));
        let yaml = "respond: { json: [], headers: { Content-Type: application/problem+json } }";
        assert_eq!(
            Try::filter(yaml).get("/").answer().field("content-type").unwrap(),
            "application/problem+json"
        );
    }

    #[test]
    fn a_bare_name_is_an_empty_200() {
        let mut t = Try::filter("respond").get("/").answer();
        assert_eq!((t.status(), t.body().len(), t.field("content-type")), (200, 0, None));
    }

    #[test]
    fn wrong_replies_are_refused() {
        for (reply, message) in [
            ("{ body: a, json: {} }", "both `body` and `json`"),
            ("{ status: 204, body: a }", "status 204 has no content"),
            ("{ status: 304, json: 1 }", "status 304 has no content"),
            ("{ status: 99 }", "99 is not the status of an answer"),
            ("{ headers: { content-length: 3 } }", "it follows from the content"),
            ("{ headers: { \"a b\": 3 } }", "`a b` is not the name of a header field"),
            ("{ headers: { x-a: \"a\\r\\nb: c\" } }", "cannot be the value of a header field"),
            ("{ text: a }", "unknown key `text`"),
        ] {
            let problems = Try::problems(&format!("respond: {reply}"));
            assert!(problems.contains(message), "{reply}: {problems}");
        }
    }
}
