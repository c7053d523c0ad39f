//! Metrics of the copies of requests that go to mirrors.

use std::fmt::Error;

use menshen_proxy::mirror::MirrorCells;
use menshen_proxy::stats::{Counter, Latency};
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::{All, add_counter, add_gauge, add_histogram, by_code, family};

type Mirrors<'a> = [(&'a str, Vec<&'a MirrorCells>)];

impl All {
    pub(super) fn mirrors(&self, out: &mut DescriptorEncoder) -> Result<(), Error> {
        let routes = self.0.ground.routes.all();
        let mirrors: Vec<(&str, Vec<&MirrorCells>)> = routes
            .iter()
            .map(|(name, stats)| {
                (&**name, stats.iter().filter_map(|cells| cells.mirrored()).collect::<Vec<_>>())
            })
            .filter(|(_, cells)| !cells.is_empty())
            .collect();
        sums(out, &mirrors, ("menshen_mirror_sent", "Copies of requests sent to a mirror."), |c| &c.sent)?;
        let help = "Copies that a mirror answered with a status from 500 on.";
        sums(out, &mirrors, ("menshen_mirror_errors", help), |c| &c.errors)?;
        let help = "Copies that got no whole answer, by code.";
        codes(out, &mirrors, ("menshen_mirror_failed", help, "code"), |c| c.failed.iter().collect())?;
        let help = "Requests drawn for a mirror and not copied, by reason.";
        codes(out, &mirrors, ("menshen_mirror_dropped", help, "reason"), |c| c.dropped.iter().collect())?;
        let mut active = family(out, "menshen_mirror_active", "Copies under way now.", MetricType::Gauge)?;
        for (route, cells) in &mirrors {
            add_gauge(&mut active, &[("route", route.to_string())], sum(cells, |c| &c.active))?;
        }
        let help = "Time until the response head of a mirror.";
        let mut latency = family(out, "menshen_mirror_seconds", help, MetricType::Histogram)?;
        for (route, cells) in &mirrors {
            let cells: Vec<&Latency> = cells.iter().map(|c| &c.latency).collect();
            add_histogram(&mut latency, &[("route", route.to_string())], &cells)?;
        }
        Ok(())
    }
}

fn sum(cells: &[&MirrorCells], of: fn(&MirrorCells) -> &Counter) -> u64 {
    cells.iter().map(|c| of(c).get()).fold(0, u64::wrapping_add)
}

fn sums(
    out: &mut DescriptorEncoder,
    mirrors: &Mirrors<'_>,
    (name, help): (&str, &str),
    of: fn(&MirrorCells) -> &Counter,
) -> Result<(), Error> {
    let mut f = family(out, name, help, MetricType::Counter)?;
    for (route, cells) in mirrors {
        add_counter(&mut f, &[("route", route.to_string())], sum(cells, of))?;
    }
    Ok(())
}

fn codes(
    out: &mut DescriptorEncoder,
    mirrors: &Mirrors<'_>,
    (name, help, label): (&str, &str, &'static str),
    of: fn(&MirrorCells) -> Vec<(&'static str, u64)>,
) -> Result<(), Error> {
    let mut f = family(out, name, help, MetricType::Counter)?;
    for (route, cells) in mirrors {
        for (code, count) in by_code(cells.iter().flat_map(|c| of(c))) {
            add_counter(&mut f, &[("route", route.to_string()), (label, code.to_owned())], count)?;
        }
    }
    Ok(())
}
