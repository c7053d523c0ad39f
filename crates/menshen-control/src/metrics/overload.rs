//! Metrics of what is done about services that fail or are slow: retries, hedging, breakers, limits, queues.

use std::fmt::Error;

use menshen_proxy::breaker::Circuit;
use menshen_proxy::retry::Cause;
use menshen_proxy::stats::{Counter, ServiceCells};
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::{All, add_counter, add_gauge, family};

type Counted = (&'static str, &'static str, fn(&ServiceCells) -> &Counter);

const COUNTERS: [Counted; 7] = [
    ("menshen_service_retries_over_budget", "Requests not sent again: no budget left.", |c| &c.over_budget),
    ("menshen_service_hedges", "Second attempts made because the first took long.", |c| &c.hedges),
    ("menshen_service_hedges_won", "Second attempts whose answer came first.", |c| &c.hedges_won),
    ("menshen_service_short_circuited", "Requests refused by an open circuit.", |c| &c.short_circuited),
    ("menshen_service_overloaded", "Requests refused because there were too many.", |c| &c.overloaded),
    ("menshen_service_shed", "Requests of low priority refused before all others.", |c| &c.shed),
    ("menshen_service_queued", "Requests that waited for others to end.", |c| &c.queued),
];

impl All {
    pub(super) fn overload(&self, out: &mut DescriptorEncoder) -> Result<(), Error> {
        let ground = &self.0.ground;
        let services: Vec<_> =
            ground.services.all().into_iter().filter(|(_, stats)| stats.iter().next().is_some()).collect();
        let help = "Requests sent again, by reason.";
        let mut retries = family(out, "menshen_service_retries", help, MetricType::Counter)?;
        for (name, stats) in &services {
            for cause in Cause::ALL {
                let counts = stats.iter().filter_map(|c| c.retries.get(cause as usize)).map(Counter::get);
                let labels = [("service", name.to_string()), ("reason", cause.name().to_owned())];
                add_counter(&mut retries, &labels, counts.sum())?;
            }
        }
        for (metric, help, of) in COUNTERS {
            let mut f = family(out, metric, help, MetricType::Counter)?;
            for (name, stats) in &services {
                add_counter(&mut f, &[("service", name.to_string())], stats.sum(of))?;
            }
        }
        self.states(out)
    }

    fn states(&self, out: &mut DescriptorEncoder) -> Result<(), Error> {
        let states = self.0.ground.service_states.all();
        let label = |name: &str| [("service", name.to_owned())];
        let help = "The circuit breaker of a service: 0 closed, 1 open, 2 half open.";
        let mut circuits = family(out, "menshen_service_circuit", help, MetricType::Gauge)?;
        for (name, state) in &states {
            let circuit = match state.circuit() {
                Circuit::Closed => 0,
                Circuit::Open => 1,
                Circuit::HalfOpen => 2,
            };
            add_gauge(&mut circuits, &label(name), circuit)?;
        }
        let help = "How often the circuit breaker of a service has opened.";
        let mut opened = family(out, "menshen_service_circuit_opened", help, MetricType::Counter)?;
        for (name, state) in &states {
            add_counter(&mut opened, &label(name), state.opened())?;
        }
        let help = "Requests under way that count for the limit of a service.";
        let mut in_flight = family(out, "menshen_service_in_flight", help, MetricType::Gauge)?;
        for (name, state) in &states {
            add_gauge(&mut in_flight, &label(name), u64::from(state.in_flight()))?;
        }
        let help = "Requests that wait for others to end.";
        let mut waiting = family(out, "menshen_service_waiting", help, MetricType::Gauge)?;
        for (name, state) in &states {
            add_gauge(&mut waiting, &label(name), u64::from(state.waiting()))?;
        }
        let help = "Requests that may be under way at a service, where the limit moves by itself.";
        let mut limits = family(out, "menshen_service_adaptive_limit", help, MetricType::Gauge)?;
        for (name, state) in &states {
            if let Some(limit) = state.adaptive_limit() {
                add_gauge(&mut limits, &label(name), u64::from(limit))?;
            }
        }
        Ok(())
    }
}
