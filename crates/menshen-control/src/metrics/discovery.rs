//! Metrics of discovery.

use std::collections::BTreeMap;
use std::fmt::Error;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::{add_counter, add_gauge, family};
use crate::discovery::listing::Registry;
use crate::discovery::{Discovery, Known};
use crate::generated::Tally;

pub(super) fn encode(discovery: &Discovery, out: &mut DescriptorEncoder) -> Result<(), Error> {
    let all = discovery.all();
    let counters: [(&str, &str, fn(&Known) -> u64); 3] = [
        ("menshen_discovery_answers", "Good answers of who is asked where a service is.", |k| k.answers),
        ("menshen_discovery_failures", "Questions where a service is that had no good answer.", |k| {
            k.failures
        }),
        ("menshen_discovery_changes", "Changes of the endpoints of a service.", |k| k.changes),
    ];
    for (metric, help, of) in counters {
        let mut family = family(out, metric, help, MetricType::Counter)?;
        for (service, known) in &all {
            add_counter(&mut family, &[("service", service.to_string())], of(known))?;
        }
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole seconds, never negative"
    )]
    let gauges: [(&str, &str, fn(&Known) -> Option<u64>); 4] = [
        ("menshen_discovery_endpoints", "Instances in the set that serves.", |k| {
            Some(k.set.as_ref().map_or(0, |s| s.len() as u64))
        }),
        (
            "menshen_discovery_age_seconds",
            "How long ago it was last said that a service is where it is.",
            |k| k.age().map(|age| age as u64),
        ),
        ("menshen_discovery_failing", "1 when the last question had no good answer.", |k| {
            Some(u64::from(k.trouble.is_some()))
        }),
        ("menshen_discovery_held", "1 while an answer is held because far less is in it than before.", |k| {
            Some(u64::from(k.held.is_some()))
        }),
    ];
    for (metric, help, of) in gauges {
        let mut family = family(out, metric, help, MetricType::Gauge)?;
        for (service, known) in &all {
            if let Some(value) = of(known) {
                add_gauge(&mut family, &[("service", service.to_string())], value)?;
            }
        }
    }
    Ok(())
}

/// Routes that are made of what registries list.
pub(super) fn tallies(tallies: &BTreeMap<Registry, Tally>, out: &mut DescriptorEncoder) -> Result<(), Error> {
    let gauges: [(&str, &str, fn(&Tally) -> usize); 2] = [
        ("menshen_registry_routes", "Routes made of the services that a registry lists.", |t| t.routes),
        ("menshen_registry_services_without_route", "Listed services that got no route.", |t| t.left_out),
    ];
    for (metric, help, of) in gauges {
        let mut family = family(out, metric, help, MetricType::Gauge)?;
        for (registry, tally) in tallies {
            add_gauge(&mut family, &[("registry", registry.to_string())], of(tally) as u64)?;
        }
    }
    Ok(())
}
