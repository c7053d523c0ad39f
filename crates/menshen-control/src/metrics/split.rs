//! Metrics of the groups of routes that are split.

use std::fmt::Error;

use menshen_proxy::split::{GroupCells, Stage, WHOLE};
use menshen_proxy::stats::Counter;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::{All, add_counter, add_gauge, family};

type Counted = (&'static str, &'static str, fn(&GroupCells) -> &Counter);

const COUNTERS: [Counted; 2] = [
    ("menshen_group_requests", "Requests in a group of a route that is split.", |c| &c.requests),
    ("menshen_group_bad_replies", "Those that went badly: 5xx, no reply, or one that broke off.", |c| &c.bad),
];

impl All {
    pub(super) fn split(&self, out: &mut DescriptorEncoder) -> Result<(), Error> {
        let ground = &self.0.ground;
        let label = |route: &str, group: &str| [("route", route.to_owned()), ("group", group.to_owned())];
        let groups = ground.groups.all();
        for (metric, help, of) in COUNTERS {
            let mut f = family(out, metric, help, MetricType::Counter)?;
            for ((route, group), stats) in &groups {
                add_counter(&mut f, &label(route, group), stats.sum(of))?;
            }
        }
        let rollouts = ground.rollouts.standings();
        let help = "The share of a group now, from 0 to 1, where it grows or can be stopped.";
        let mut shares = family(out, "menshen_group_share", help, MetricType::Gauge)?;
        for rollout in &rollouts {
            let labels = label(&rollout.identity.route, &rollout.identity.group);
            let share = f64::from(rollout.width) / f64::from(WHOLE);
            shares.encode_family(&&labels[..])?.encode_gauge(&share)?;
        }
        let help = "1 while nobody is in a group because too many replies were bad.";
        let mut stopped = family(out, "menshen_group_stopped", help, MetricType::Gauge)?;
        for rollout in &rollouts {
            let labels = label(&rollout.identity.route, &rollout.identity.group);
            add_gauge(&mut stopped, &labels, u64::from(rollout.stage == Stage::Stopped))?;
        }
        Ok(())
    }
}
