//! `timeout`: how long an exchange and its parts may take.

use std::sync::Arc;
use std::time::Duration as StdDuration;

use menshen_config::quantity::{Bounded, Duration};
use menshen_proxy::chain::Step;
use menshen_proxy::{Exchange, Flow, PreFilter, Timeouts};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Filter, Setup};

/// How long is waited from here on, instead of what the route and its service say. What is not given stays as it is.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// For the whole exchange from its first byte on, also if the reply is a stream, or `none`.
    total: Option<Bounded<Duration>>,
    /// For a connection to the service.
    connect: Option<Duration>,
    /// For the head of the reply, once the request has been sent, or `none`.
    first_byte: Option<Bounded<Duration>>,
    /// For the next bytes of the reply, or `none`.
    between_bytes: Option<Bounded<Duration>>,
    /// For the next bytes of the request's content, or `none`.
    body: Option<Bounded<Duration>>,
    /// For the client or service to take bytes that are sent to it.
    write: Option<Duration>,
}

/// The filter.
pub struct Timeout {
    config: Config,
}

impl Filter for Timeout {
    const NAME: &'static str = "timeout";
    const SHORT: Option<&'static str> = Some("total");
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        let Config { total, connect, first_byte, between_bytes, body, write } = &config;
        let total = total.and_then(Bounded::bound);
        let all = [
            ("total", total),
            ("connect", *connect),
            ("first-byte", first_byte.and_then(Bounded::bound)),
            ("between-bytes", between_bytes.and_then(Bounded::bound)),
            ("body", body.and_then(Bounded::bound)),
            ("write", *write),
        ];
        for (field, limit) in all.into_iter().filter_map(|(field, limit)| limit.map(|limit| (field, limit))) {
            if limit.get().is_zero() {
                setup.error(field, "no request could succeed in no time").hint("write for example `10s`");
            } else if total.is_some_and(|total| limit > total) {
                setup.warn(field, "it has no effect: `total` is over before");
            }
        }
        if config.is_empty() {
            setup.error("", "no time is given").hint("write for example `timeout: 10s`");
        }
        step.pre(Arc::new(Self { config }));
    }
}

impl Config {
    fn is_empty(&self) -> bool {
        let Self { total, connect, first_byte, between_bytes, body, write } = self;
        connect.or(*write).is_none() && total.or(*first_byte).or(*between_bytes).or(*body).is_none()
    }

    fn apply(&self, timeouts: &mut Timeouts) {
        let bound = |limit: Bounded<Duration>| limit.bound().map_or(Timeouts::NEVER, Duration::get);
        if let Some(limit) = self.total {
            timeouts.total = limit.bound().map(Duration::get);
        }
        set(&mut timeouts.connect, self.connect.map(Duration::get));
        set(&mut timeouts.first_byte, self.first_byte.map(bound));
        set(&mut timeouts.between_bytes, self.between_bytes.map(bound));
        set(&mut timeouts.body, self.body.map(bound));
        set(&mut timeouts.write, self.write.map(Duration::get));
    }
}

fn set(place: &mut StdDuration, limit: Option<StdDuration>) {
    *place = limit.unwrap_or(*place);
}

impl PreFilter for Timeout {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        self.config.apply(&mut exchange.timeouts);
        Flow::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Try;

    fn timeouts(yaml: &str) -> Timeouts {
        Try::filter(yaml).get("/").pass().exchange().timeouts
    }

    #[test]
    fn a_single_time_is_for_the_whole_exchange_and_the_others_stay() {
        let total = Some(StdDuration::from_secs(5));
        assert_eq!(timeouts("timeout: 5s"), Timeouts { total, ..Timeouts::default() });
    }

    #[test]
    fn each_time_can_be_set() {
        let t = timeouts(
            "timeout: { connect: 1ms, first-byte: 2ms, between-bytes: 3ms, body: 4ms, write: 5ms, total: 6ms }",
        );
        let ms = StdDuration::from_millis;
        assert_eq!((t.connect, t.first_byte, t.between_bytes), (ms(1), ms(2), ms(3)));
        assert_eq!((t.body, t.write, t.total), (ms(4), ms(5), Some(ms(6))));
    }

    #[test]
    fn a_later_filter_can_lift_what_an_earlier_one_set() {
        let t = timeouts(
            "- timeout: { total: 5s, between-bytes: 1s }\n- timeout: { total: none, between-bytes: none }",
        );
        assert_eq!((t.total, t.between_bytes), (None, Timeouts::NEVER));
    }

    #[test]
    fn times_that_make_no_sense_are_refused() {
        assert!(Try::problems("timeout").contains("no time is given"));
        assert!(Try::problems("timeout: 0s").contains("no request could succeed in no time"));
        assert!(Try::problems("timeout: 10").contains("a duration needs a unit"));
        assert!(Try::problems("timeout: { total: 1s, first-byte: 2s }").contains("warning"));
        assert!(Try::problems("timeout: { idle: 1s }").contains("unknown key `idle`"));
    }
}
