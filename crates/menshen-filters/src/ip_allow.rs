//! `ip-allow`: lets only clients from these networks pass.

use std::sync::Arc;

use menshen_config::OneOrMany;
use menshen_config::quantity::Cidr;
use menshen_proxy::chain::Step;
use menshen_proxy::{Exchange, Failure, Flow, PreFilter};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::networks::Networks;
use crate::{Contract, Filter, Setup};

/// Lets only clients from these networks pass; all others get 403. What counts is the client's own address: behind
/// proxies that the listener trusts, the one that they name.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Address ranges such as `10.0.0.0/8` or `2001:db8::/32`, or single addresses. Long lists cost no time.
    networks: OneOrMany<Cidr>,
}

/// The filter.
pub struct IpAllow {
    networks: Networks,
}

impl Filter for IpAllow {
    const NAME: &'static str = "ip-allow";
    const SHORT: Option<&'static str> = Some("networks");
    const CONTRACT: Contract = Contract { decides: true, refuses_callers: true, ..Contract::NONE };
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        if config.networks.is_empty() {
            setup
                .error("", "without a network nobody could pass")
                .hint("write for example `ip-allow: 10.0.0.0/8`");
        }
        step.pre(Arc::new(Self { networks: Networks::new(&config.networks) }));
    }
}

impl PreFilter for IpAllow {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        if self.networks.contain(exchange.client.address) {
            Flow::Continue
        } else {
            Flow::Fail(Failure::Denied)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Try;

    const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

    #[test]
    fn only_clients_from_the_networks_pass() {
        let yaml = "ip-allow: [10.0.0.0/8, 192.0.2.7, \"2001:db8::/32\"]";
        for client in ["10.1.2.3", "192.0.2.7", "2001:db8::1", "::ffff:10.1.2.3"] {
            Try::filter(yaml).request_from(client, REQUEST).pass();
        }
        for client in ["11.0.0.0", "192.0.2.8", "2001:db9::1", "::1", "::ffff:11.0.0.1"] {
            assert_eq!(
                Try::filter(yaml).request_from(client, REQUEST).refusal(),
                Failure::Denied,
                "{client}"
            );
        }
    }

    #[test]
    fn the_address_that_a_trusted_proxy_named_counts_not_the_peer() {
        let mut t = Try::filter("ip-allow: 10.0.0.0/8").request_from("10.0.0.1", REQUEST);
        t.exchange().client.address = "192.0.2.1".parse().unwrap();
        assert_eq!(t.refusal(), Failure::Denied);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        assert!(Try::problems("ip-allow: [10.0.0.0/8, intern]").contains("`intern` is not an address range"));
        assert!(Try::problems("ip-allow: 10.1.2.3/8").contains("bits set behind its prefix"));
        assert!(Try::problems("ip-allow: []").contains("without a network nobody could pass"));
        assert!(Try::problems("ip-allow").contains("missing"));
    }
}
