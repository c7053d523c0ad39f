//! `ip-deny`: refuses clients from these networks.

use std::sync::Arc;

use menshen_config::OneOrMany;
use menshen_config::quantity::Cidr;
use menshen_proxy::chain::Step;
use menshen_proxy::{Exchange, Failure, Flow, PreFilter};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::networks::Networks;
use crate::{Contract, Filter, Setup};

/// Refuses clients from these networks with 403. What counts is the client's own address: behind proxies that the
/// listener trusts, the one that they name.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Address ranges such as `10.0.0.0/8` or `2001:db8::/32`, or single addresses. Long lists cost no time.
    networks: OneOrMany<Cidr>,
}

/// The filter.
pub struct IpDeny {
    networks: Networks,
}

impl Filter for IpDeny {
    const NAME: &'static str = "ip-deny";
    const SHORT: Option<&'static str> = Some("networks");
    const CONTRACT: Contract = Contract { decides: true, refuses_callers: true, ..Contract::NONE };
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        if config.networks.is_empty() {
            setup.warn("", "without a network it refuses nobody");
        }
        step.pre(Arc::new(Self { networks: Networks::new(&config.networks) }));
    }
}

impl PreFilter for IpDeny {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        if self.networks.contain(exchange.client.address) {
            Flow::Fail(Failure::Denied)
        } else {
            Flow::Continue
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Try;

    const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

    #[test]
    fn clients_from_the_networks_are_refused_and_others_pass() {
        let yaml = "ip-deny: [10.0.0.0/8, \"2001:db8::/32\"]";
        for client in ["10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3"] {
            assert_eq!(
                Try::filter(yaml).request_from(client, REQUEST).refusal(),
                Failure::Denied,
                "{client}"
            );
        }
        for client in ["192.0.2.8", "::1"] {
            Try::filter(yaml).request_from(client, REQUEST).pass();
        }
    }

    #[test]
    fn ten_thousand_networks_are_told_apart() {
        let all: Vec<_> =
            (0..10_000).map(|i| format!("{}.{}.{}.0/24", 11 + i / 1000, i / 10 % 100, i % 10 * 2)).collect();
        let yaml = format!("ip-deny: [{}]", all.join(", "));
        for (client, is_refused) in
            [("11.0.0.9", true), ("11.0.1.9", false), ("20.99.18.255", true), ("21.0.0.0", false)]
        {
            let flow = Try::filter(&yaml).request_from(client, REQUEST).pre();
            assert_eq!(matches!(flow, Flow::Fail(Failure::Denied)), is_refused, "{client}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_and_an_empty_list_is_pointed_out() {
        assert!(Try::problems("ip-deny: 10.0.0").contains("`10.0.0` is not an address range"));
        assert!(Try::problems("ip-deny: []").contains("it refuses nobody"));
    }
}
