//! `fallback`: another service, or a fixed reply, where the service cannot answer.

use std::sync::Arc;

use menshen_config::OneOrMany;
use menshen_proxy::chain::Step;
use menshen_proxy::{ErrorFilter, Exchange, Failure, Recovery, Reply, ServiceId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::page::{Occasion, Page, PageConfig};
use crate::trigger::Trigger;
use crate::{Filter, Setup};

/// Asks another service, or sends a fixed reply, where the service cannot answer. The failure is still in the log.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// The failures that count: statuses, classes such as `5xx`, or codes. Default: the service cannot be reached or
    /// does not answer: `[no-endpoint, connect-failed, connect-timeout, service-reset, first-byte-timeout]`.
    #[serde(default = "unreachable")]
    on: OneOrMany<Trigger>,
    /// The service to ask instead, once. It is not asked if the first one may have acted on the request already and
    /// acting twice could do harm, as with POST, or if the request's content is used up.
    service: Option<String>,
    /// The reply to send, if there is no other service or it fails too; its status is 200 unless another is given.
    respond: Option<PageConfig>,
}

fn unreachable() -> OneOrMany<Trigger> {
    ["no-endpoint", "connect-failed", "connect-timeout", "service-reset", "first-byte-timeout"]
        .into_iter()
        .filter_map(|code| Trigger::try_from(code.to_owned()).ok())
        .collect()
}

/// The filter.
pub struct Fallback {
    on: Box<[Trigger]>,
    service: Option<ServiceId>,
    respond: Option<Page>,
}

impl Filter for Fallback {
    const NAME: &'static str = "fallback";
    const SHORT: Option<&'static str> = Some("service");
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        let Config { on, service, respond } = config;
        if on.is_empty() {
            setup.error("on", "no failure is named, so nothing would fall back");
        }
        if service.is_none() && respond.is_none() {
            setup
                .error("", "there is nothing to fall back to")
                .hint("write `service: …` or `respond: { … }`");
        }
        let service = service.and_then(|name| setup.service("service", &name));
        let respond = respond.map(|mut page| {
            page.status = page.status.or(Some(200));
            Page::new(page, "respond", setup)
        });
        step.error(Arc::new(Self { on: on.0.into(), service, respond }));
    }
}

impl ErrorFilter for Fallback {
    fn error(&self, exchange: &mut Exchange, failure: Failure, reply: &mut Reply) -> Recovery {
        if !self.on.iter().any(|trigger| trigger.matches(failure.status(), Some(failure.code()))) {
            return Recovery::Continue;
        }
        if let Some(page) = &self.respond {
            page.put(exchange, &Occasion::failure(failure), reply);
        }
        match self.service {
            Some(service) if is_harmless(exchange, failure) => Recovery::Service(service),
            _ if self.respond.is_some() => Recovery::Handled,
            _ => Recovery::Continue,
        }
    }
}

/// Asking another service is harmless if nobody has seen the request, or may see it twice.
fn is_harmless(exchange: &Exchange, failure: Failure) -> bool {
    let is_unsent = exchange.attempts == 0
        || matches!(
            failure,
            Failure::NoEndpoint
                | Failure::NoHealthyEndpoint
                | Failure::ConnectFailed
                | Failure::ConnectTimeout
        );
    is_unsent || exchange.request.method().is_idempotent()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Try;

    fn post() -> &'static str {
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    }

    #[test]
    fn another_service_is_asked_for_the_failures_that_count() {
        let backup = Recovery::Service(ServiceId(7));
        assert_eq!(Try::filter("fallback: backup").get("/").fail(Failure::NoEndpoint), backup);
        assert_eq!(Try::filter("fallback: backup").get("/").fail(Failure::NoRoute), Recovery::Continue);
        let on = "fallback: { on: [503, total-timeout], service: backup }";
        assert_eq!(Try::filter(on).get("/").fail(Failure::Overloaded), backup);
        assert_eq!(Try::filter(on).get("/").fail(Failure::TotalTimeout), backup);
        assert_eq!(Try::filter(on).get("/").fail(Failure::FirstByteTimeout), Recovery::Continue);
    }

    #[test]
    fn what_may_have_been_done_already_is_not_done_again() {
        for (attempts, failure, recovery) in [
            (1, Failure::ServiceReset, Recovery::Continue),
            (1, Failure::FirstByteTimeout, Recovery::Continue),
            (1, Failure::ConnectFailed, Recovery::Service(ServiceId(7))),
            (0, Failure::NoEndpoint, Recovery::Service(ServiceId(7))),
        ] {
            let mut t = Try::filter("fallback: backup").request(post());
            t.exchange().attempts = attempts;
            assert_eq!(t.fail(failure), recovery, "{failure:?}");
        }
        let mut t = Try::filter("fallback: backup").get("/");
        t.exchange().attempts = 1;
        assert_eq!(t.fail(Failure::ServiceReset), Recovery::Service(ServiceId(7)));
    }

    #[test]
    fn a_fixed_reply_is_a_success_unless_it_says_otherwise() {
        let mut t = Try::filter("fallback: { respond: { json: [] } }").get("/");
        assert_eq!(t.fail(Failure::NoEndpoint), Recovery::Handled);
        assert_eq!((t.status(), t.body()), (200, b"[]\n".to_vec()));
        assert_eq!(
            (t.field("retry-after"), t.field("content-type").unwrap()),
            (None, "application/json".into())
        );
        let mut t = Try::filter("fallback: { respond: { status: 503, body: later } }").get("/");
        t.fail(Failure::NoEndpoint);
        assert_eq!((t.status(), t.field("retry-after").unwrap()), (503, "1".into()));
    }

    #[test]
    fn with_both_the_reply_stands_by_in_case_the_other_service_fails_too() {
        let mut t = Try::filter("fallback: { service: backup, respond: { json: [] } }").get("/");
        assert_eq!(t.fail(Failure::ConnectFailed), Recovery::Service(ServiceId(7)));
        assert_eq!(t.body(), b"[]\n");
    }

    #[test]
    fn wrong_fallbacks_are_refused() {
        for (yaml, message) in [
            ("fallback", "there is nothing to fall back to"),
            ("fallback: nowhere", "no service named `nowhere`"),
            ("fallback: { on: [], service: backup }", "no failure is named"),
            ("fallback: { on: 200, service: backup }", "200 is not the status of a failure"),
            ("fallback: { on: no-endpiont, service: backup }", "did you mean `no-endpoint`?"),
            ("fallback: { respond: { status: 700, body: a } }", "a status is 200 to 599"),
        ] {
            let problems = Try::problems(yaml);
            assert!(problems.contains(message), "{yaml}: {problems}");
        }
    }
}
