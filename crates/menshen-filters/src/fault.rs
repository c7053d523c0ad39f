//! `fault`: makes some requests slow or fail on purpose, to see how callers take it.

use std::sync::Arc;

use menshen_config::quantity::{Duration, Percent};
use menshen_proxy::chain::Step;
use menshen_proxy::{Exchange, Failure, FilterFuture, Flow, PreFilter, PreFilterAsync};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Contract, Filter, Setup};

/// Makes requests slow or fail on purpose, to see how callers take it. With `when` only some are hit, for example those
/// that ask for it: `when: { headers: { x-fault: present }, client: 10.0.0.0/8 }`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[derive(Default)]
pub struct Config {
    /// How long a request waits before it goes on; at most `5m`.
    delay: Option<Duration>,
    /// The share of requests that wait. Default `100%`.
    delay_share: Option<Percent>,
    /// The status to answer instead of calling the service, 400 to 599.
    abort: Option<u16>,
    /// The share of requests that are answered so, of those that waited and of the others alike. Default `100%`.
    abort_share: Option<Percent>,
}

/// The longest delay.
const LONGEST: Duration = Duration::seconds(300);

/// The filter.
pub struct Fault {
    delay: Option<(std::time::Duration, Share)>,
    abort: Option<(u16, Share)>,
}

/// A share of all requests: those whose random number is below it.
#[derive(Clone, Copy)]
struct Share(f64);

impl Share {
    fn of(percent: Option<Percent>) -> Self {
        Self(percent.map_or(1.0, Percent::fraction))
    }

    fn hits(self, random: u64) -> bool {
        // 53 bits are what a float holds exactly: a number from 0 up to, but not including, 1.
        const STEPS: f64 = (1u64 << 53) as f64;
        ((random >> 11) as f64) / STEPS < self.0
    }
}

impl Filter for Fault {
    const NAME: &'static str = "fault";
    const CONTRACT: Contract = Contract { decides: true, ..Contract::NONE };
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        let Config { delay, delay_share, abort, abort_share } = config;
        if delay.is_none() && abort.is_none() {
            setup
                .error("", "there is neither a delay nor an abort")
                .hint("write `delay: 100ms` or `abort: 503`");
        }
        if delay_share.is_some() && delay.is_none() {
            setup.error("delay-share", "a share of what? there is no `delay`");
        }
        if abort_share.is_some() && abort.is_none() {
            setup.error("abort-share", "a share of what? there is no `abort`");
        }
        if delay.is_some_and(|d| d > LONGEST) {
            setup.error("delay", format!("a delay is {LONGEST} at most"));
        }
        if let Some(status) = abort.filter(|s| !(400..=599).contains(s)) {
            setup.error("abort", format!("{status} is not the status of a failure")).hint("write 400 to 599");
        }
        let delay = delay.map(|d| (d.get(), Share::of(delay_share)));
        let filter = Arc::new(Self { delay, abort: abort.map(|status| (status, Share::of(abort_share))) });
        if filter.delay.is_some() {
            step.pre_async(filter);
        } else {
            step.pre(filter);
        }
    }
}

impl Fault {
    fn decide(&self, exchange: &Exchange) -> Flow {
        match self.abort {
            Some((status, share)) if share.hits(exchange.live.random()) => {
                Flow::Fail(Failure::FaultInjected { status })
            }
            _ => Flow::Continue,
        }
    }
}

impl PreFilter for Fault {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        self.decide(exchange)
    }
}

impl PreFilterAsync for Fault {
    fn pre<'a>(&'a self, exchange: &'a mut Exchange) -> FilterFuture<'a, Flow> {
        Box::pin(async move {
            if let Some((time, share)) = self.delay
                && share.hits(exchange.live.random())
            {
                tokio::time::sleep(time).await;
            }
            self.decide(exchange)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Try;

    #[test]
    fn requests_fail_as_they_are_told_to() {
        let failure = Try::filter("fault: { abort: 418 }").get("/").refusal();
        assert_eq!((failure, failure.status()), (Failure::FaultInjected { status: 418 }, 418));
    }

    #[test]
    fn requests_wait_and_then_go_on_or_fail() {
        let start = std::time::Instant::now();
        Try::filter("fault: { delay: 30ms }").get("/").pass();
        assert!(start.elapsed() >= std::time::Duration::from_millis(30));
        let start = std::time::Instant::now();
        Try::filter("fault: { delay: 30ms, abort: 500 }").get("/").refusal();
        assert!(start.elapsed() >= std::time::Duration::from_millis(30));
        let start = std::time::Instant::now();
        Try::filter("fault: { delay: 5m, delay-share: 0% }").get("/").pass();
        assert!(start.elapsed() < std::time::Duration::from_secs(60));
    }

    #[test]
    fn a_share_of_requests_is_hit_and_no_other() {
        let mut t = Try::filter("fault: { abort: 500, abort-share: 25% }").get("/");
        let hit = (0..4_000).filter(|_| matches!(t.pre(), Flow::Fail(_))).count();
        assert!((800..1_200).contains(&hit), "{hit}");
        let mut t = Try::filter("fault: { abort: 500, abort-share: 0% }").get("/");
        assert!((0..1_000).all(|_| matches!(t.pre(), Flow::Continue)));
        assert!(Share(1.0).hits(u64::MAX) && Share(1.0).hits(0) && !Share(0.0).hits(0));
    }

    #[test]
    fn wrong_faults_are_refused() {
        for (yaml, message) in [
            ("fault", "there is neither a delay nor an abort"),
            ("fault: { delay: 100 }", "a duration needs a unit"),
            ("fault: { delay: 6m }", "a delay is 5m at most"),
            ("fault: { abort: 200 }", "200 is not the status of a failure"),
            ("fault: { abort: 503, abort-share: 5 }", "a share needs a `%`"),
            ("fault: { abort: 503, delay-share: 5% }", "there is no `delay`"),
            ("fault: { delay: 1s, abort-share: 5% }", "there is no `abort`"),
        ] {
            let problems = Try::problems(yaml);
            assert!(problems.contains(message), "{yaml}: {problems}");
        }
    }
}
