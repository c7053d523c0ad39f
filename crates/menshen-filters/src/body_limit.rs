//! `body-limit`: refuses requests with too much content.

use std::sync::Arc;

use menshen_config::quantity::Size;
use menshen_proxy::chain::Step;
use menshen_proxy::http1::RequestFraming;
use menshen_proxy::{Exchange, Failure, Flow, PreFilter};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Contract, Filter, Setup};

/// Refuses requests with more content than this with 413: at once where the length is announced, else as soon as more
/// has come.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// The most content that a request may have, such as `1MiB`; with `0B` it may have none.
    limit: Size,
    /// Which limit counts where the route or an earlier filter has one too. Default: `smaller`.
    #[serde(default)]
    counts: Counts,
}

/// Which of two limits counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Counts {
    /// The smaller one.
    #[default]
    Smaller,
    /// This one, also if it allows more.
    This,
}

/// The filter.
pub struct BodyLimit {
    limit: u64,
    counts: Counts,
}

impl Filter for BodyLimit {
    const NAME: &'static str = "body-limit";
    const SHORT: Option<&'static str> = Some("limit");
    const CONTRACT: Contract = Contract { decides: true, ..Contract::NONE };
    type Config = Config;

    fn install(config: Config, _: &mut Setup<'_>, step: &mut Step) {
        step.pre(Arc::new(Self { limit: config.limit.bytes(), counts: config.counts }));
    }
}

impl PreFilter for BodyLimit {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        let limit = match self.counts {
            Counts::Smaller => self.limit.min(exchange.body_limit),
            Counts::This => self.limit,
        };
        match exchange.request.framing {
            RequestFraming::Length(length) if length > limit => Flow::Fail(Failure::BodyTooLarge),
            _ => {
                exchange.body_limit = limit;
                Flow::Continue
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Try;

    fn post(yaml: &str, field: &str) -> Try {
        Try::filter(yaml).request(&format!("POST /a HTTP/1.1\r\nHost: a.example\r\n{field}\r\n\r\n"))
    }

    #[test]
    fn announced_content_above_the_limit_is_refused_at_once() {
        assert_eq!(post("body-limit: 1KiB", "Content-Length: 1025").refusal(), Failure::BodyTooLarge);
        post("body-limit: 1KiB", "Content-Length: 1024").pass();
        assert_eq!(post("body-limit: 0B", "Content-Length: 1").refusal(), Failure::BodyTooLarge);
    }

    #[test]
    fn content_of_unknown_length_is_limited_while_it_comes() {
        let mut t = post("body-limit: 1KiB", "Transfer-Encoding: chunked").pass();
        assert_eq!(t.exchange().body_limit, 1024);
    }

    #[test]
    fn the_smaller_limit_counts_unless_this_one_is_to() {
        for (yaml, limit) in [
            ("body-limit: 1KiB", 100),
            ("body-limit: 10B", 10),
            ("body-limit: { limit: 1KiB, counts: this }", 1024),
            ("body-limit: { limit: 1KiB, counts: smaller }", 100),
        ] {
            let mut t = post(yaml, "Transfer-Encoding: chunked");
            t.exchange().body_limit = 100;
            assert_eq!(t.pass().exchange().body_limit, limit, "{yaml}");
        }
    }

    #[test]
    fn a_limit_needs_a_size_with_a_unit() {
        assert!(Try::problems("body-limit: 1024").contains("a size needs a unit"));
        assert!(Try::problems("body-limit").contains("missing"));
    }
}
