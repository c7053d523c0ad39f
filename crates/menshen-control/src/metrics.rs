//! Metrics: the counters of all workers, summed when somebody asks. Labels are names from the document and stable
//! codes, never what a client sent.

mod discovery;
mod mirror;
mod overload;
mod split;

use std::collections::BTreeMap;
use std::fmt::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use menshen_proxy::stats::{Counter, LATENCY_BOUNDS, Latency, WorkerCells};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::expiry::Expiry;
use crate::health::Word;
use crate::publish::Shared;

/// The metrics as OpenMetrics text.
pub fn text(shared: &Arc<Shared>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(All(shared.clone())));
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct All(Arc<Shared>);

/// A service with more endpoints has no series for each of them.
const MOST_ENDPOINTS: usize = 200;

/// For the label set of exemplars, which there are none of.
type NoLabels = Vec<(&'static str, String)>;
type Labels<'a> = [(&'static str, String)];

impl Collector for All {
    fn encode(&self, mut out: DescriptorEncoder) -> Result<(), Error> {
        self.workers(&mut out)?;
        self.tls(&mut out)?;
        self.acme(&mut out)?;
        self.routes(&mut out)?;
        self.split(&mut out)?;
        self.services(&mut out)?;
        discovery::encode(&self.0.ground.discovery, &mut out)?;
        discovery::tallies(&self.0.status().tallies, &mut out)?;
        self.overload(&mut out)?;
        self.mirrors(&mut out)?;
        self.endpoints(&mut out)?;
        self.filters(&mut out)?;
        self.config(&mut out)
    }
}

impl All {
    fn workers(&self, out: &mut DescriptorEncoder) -> Result<(), Error> {
        let stats = &self.0.ground.worker_stats;
        let sum = |f: fn(&WorkerCells) -> &Counter| stats.sum(f);
        counter(out, "menshen_connections_accepted", "Client connections accepted.", sum(|c| &c.accepted))?;
        counter(out, "menshen_connections_refused", "Client connections over a limit.", sum(|c| &c.refused))?;
        gauge(out, "menshen_connections", "Client connections open now.", sum(|c| &c.connections))?;
        gauge(out, "menshen_exchanges", "Requests under way now.", sum(|c| &c.exchanges))?;
        let help = "HTTP/2 connections ended because of a flood of frames.";
        counter(out, "menshen_connections_calmed", help, sum(|c| &c.calmed_down))?;
        counter(out, "menshen_panics", "Panics that cost a request.", sum(|c| &c.panics))?;
        let dropped = sum(|c| &c.log_dropped) + self.0.log.failed.load(Ordering::Relaxed);
        counter(out, "menshen_access_log_dropped_lines", "Access-log lines that were not written.", dropped)?;
        let mut failures = family(out, "menshen_failures", "Failures by code.", MetricType::Counter)?;
        for (code, count) in by_code(stats.iter().flat_map(|c| c.failures.iter())) {
            add_counter(&mut failures, &[("code", code.to_owned())], count)?;
        }
        Ok(())
    }

    fn tls(&self, out: &mut DescriptorEncoder) -> Result<(), Error> {
        let stats = &self.0.ground.worker_stats;
        let (done, resumed) = (stats.sum(|c| &c.handshakes), stats.sum(|c| &c.resumed));
        counter(out, "menshen_tls_handshakes", "TLS handshakes with clients that succeeded.", done)?;
        let help = "Those of them that continued an earlier session.";
        counter(out, "menshen_tls_resumed_handshakes", help, resumed)?;
        let help = "TLS handshakes with clients that came to nothing, by reason.";
        let mut refused = family(out, "menshen_tls_refused_handshakes", help, MetricType::Counter)?;
        for (reason, count) in by_code(stats.iter().flat_map(|c| c.refused_handshakes.iter())) {
            add_counter(&mut refused, &[("reason", reason.to_owned())], count)?;
        }
        let passed_on = stats.sum(|c| &c.passed_on);
        let help = "TLS connections that were carried to a service as they were.";
        counter(out, "menshen_tls_passed_on_connections", help, passed_on)?;
        let help = "When a certificate of a listener ends, in seconds since 1970.";
        let mut ends = family(out, "menshen_certificate_expiry_seconds", help, MetricType::Gauge)?;
        let mut seen = std::collections::BTreeSet::new();
        for Expiry { listener, name, at, worrying: _ } in self.0.status().certificates {
            // A series must not come twice: of certificates with one name the first is used.
            if seen.insert((listener.clone(), name.clone())) {
                let labels = [("listener", listener.into()), ("name", name.into())];
                add_gauge(&mut ends, &labels, u64::try_from(at).unwrap_or(0))?;
            }
        }
        Ok(())
    }

    fn acme(&self, out: &mut DescriptorEncoder) -> Result<(), Error> {
        let standings: Vec<_> =
            self.0.ground.acme.progress().standings.iter().map(|(n, s)| (n.to_string(), s.clone())).collect();
        let help = "Attempts to get a certificate, by outcome.";
        let mut attempts = family(out, "menshen_acme_attempts", help, MetricType::Counter)?;
        for (names, standing) in &standings {
            for (outcome, count) in [("got", standing.got), ("failed", standing.failed)] {
                add_counter(&mut attempts, &[("names", names.clone()), ("outcome", outcome.into())], count)?;
            }
        }
        let help = "1 when the last attempt to get a certificate failed.";
        let mut failing = family(out, "menshen_acme_failing", help, MetricType::Gauge)?;
        for (names, standing) in &standings {
            add_gauge(&mut failing, &[("names", names.clone())], u64::from(standing.problem.is_some()))?;
        }
        let help = "When a certificate will be renewed, in seconds since 1970.";
        let mut renewal = family(out, "menshen_acme_renewal_seconds", help, MetricType::Gauge)?;
        for (names, standing) in &standings {
            if let Some(at) = standing.renews {
                add_gauge(&mut renewal, &[("names", names.clone())], u64::try_from(at).unwrap_or(0))?;
            }
        }
        Ok(())
    }

    fn routes(&self, out: &mut DescriptorEncoder) -> Result<(), Error> {
        let routes: Vec<_> = self
            .0
            .ground
            .routes
            .all()
            .into_iter()
            .filter(|(_, stats)| stats.iter().next().is_some())
            .collect();
        let mut requests =
            family(out, "menshen_requests", "Requests by route and status.", MetricType::Counter)?;
        for (name, stats) in &routes {
            let mut statuses: std::collections::BTreeMap<u16, u64> = std::collections::BTreeMap::new();
            for (status, count) in stats.iter().flat_map(|c| c.statuses()) {
                *statuses.entry(status).or_default() += count;
            }
            for (status, count) in statuses {
                add_counter(
                    &mut requests,
                    &[("route", name.to_string()), ("status", status.to_string())],
                    count,
                )?;
            }
        }
        let help = "Calls of gRPC by route and the status that the service ended them with.";
        let mut calls = family(out, "menshen_grpc_calls", help, MetricType::Counter)?;
        for (name, stats) in &routes {
            for (status, count) in
                by_code(stats.iter().flat_map(|c| c.calls().map(|(status, count)| (status.name(), count))))
            {
                let labels = [("route", name.to_string()), ("status", status.to_owned())];
                add_counter(&mut calls, &labels, count)?;
            }
        }
        let mut received = family(out, "menshen_received_bytes", "Request content.", MetricType::Counter)?;
        for (name, stats) in &routes {
            add_counter(&mut received, &[("route", name.to_string())], stats.sum(|c| &c.received))?;
        }
        let mut sent = family(out, "menshen_sent_bytes", "Reply content.", MetricType::Counter)?;
        for (name, stats) in &routes {
            add_counter(&mut sent, &[("route", name.to_string())], stats.sum(|c| &c.sent))?;
        }
        let help = "Time from the first byte of a request to the last of its reply.";
        let mut latency = family(out, "menshen_request_seconds", help, MetricType::Histogram)?;
        for (name, stats) in &routes {
            let cells: Vec<&Latency> = stats.iter().map(|c| &c.latency).collect();
            add_histogram(&mut latency, &[("route", name.to_string())], &cells)?;
        }
        Ok(())
    }

    fn services(&self, out: &mut DescriptorEncoder) -> Result<(), Error> {
        use menshen_proxy::stats::ServiceCells;
        let services: Vec<_> = self
            .0
            .ground
            .services
            .all()
            .into_iter()
            .filter(|(_, stats)| stats.iter().next().is_some())
            .collect();
        let counters: [(&str, &str, fn(&ServiceCells) -> &Counter); 4] = [
            ("menshen_service_attempts", "Requests sent to a service.", |c| &c.attempts),
            ("menshen_service_failures", "Attempts that failed.", |c| &c.failures),
            ("menshen_service_connects", "Connections opened to a service.", |c| &c.connects),
            ("menshen_service_reuses", "Requests on a connection used before.", |c| &c.reuses),
        ];
        for (metric, help, of) in counters {
            let mut f = family(out, metric, help, MetricType::Counter)?;
            for (name, stats) in &services {
                add_counter(&mut f, &[("service", name.to_string())], stats.sum(of))?;
            }
        }
        let help = "Requests under way at a service.";
        let mut active = family(out, "menshen_service_active", help, MetricType::Gauge)?;
        for (name, stats) in &services {
            add_gauge(&mut active, &[("service", name.to_string())], stats.sum(|c| &c.active))?;
        }
        let help = "Time until a service's response head.";
        let mut latency = family(out, "menshen_service_seconds", help, MetricType::Histogram)?;
        for (name, stats) in &services {
            let cells: Vec<&Latency> = stats.iter().map(|c| &c.latency).collect();
            add_histogram(&mut latency, &[("service", name.to_string())], &cells)?;
        }
        Ok(())
    }

    /// Endpoints by state, and each endpoint as long as there are not too many.
    fn endpoints(&self, out: &mut DescriptorEncoder) -> Result<(), Error> {
        let services = self.0.ground.health.standings();
        let help = "Endpoints of a service by state.";
        let mut states = family(out, "menshen_service_endpoints", help, MetricType::Gauge)?;
        for service in &services {
            for word in Word::ALL {
                let labels = [("service", service.service.to_string()), ("state", word.as_str().to_owned())];
                add_gauge(&mut states, &labels, service.count(word))?;
            }
        }
        let help = "1 while an endpoint gets requests; without those of services that have many.";
        let mut healthy = family(out, "menshen_endpoint_healthy", help, MetricType::Gauge)?;
        for service in services.iter().filter(|s| s.endpoints.len() <= MOST_ENDPOINTS) {
            let mut seen = std::collections::BTreeSet::new();
            // A name with two addresses is two endpoints; a series must not come twice.
            for endpoint in service.endpoints.iter().filter(|e| seen.insert(&e.address)) {
                let labels = [
                    ("service", service.service.to_string()),
                    ("endpoint", endpoint.authority.to_string()),
                    ("address", endpoint.address.clone()),
                ];
                add_gauge(&mut healthy, &labels, u64::from(endpoint.health == Word::Healthy))?;
            }
        }
        Ok(())
    }

    fn filters(&self, out: &mut DescriptorEncoder) -> Result<(), Error> {
        let steps: Vec<_> = self
            .0
            .ground
            .steps
            .all()
            .into_iter()
            .filter(|(_, s)| s.cells().iter().next().is_some())
            .collect();
        let mut runs =
            family(out, "menshen_filter_runs", "Runs of a filter by verdict.", MetricType::Counter)?;
        for (id, stats) in &steps {
            let cells = stats.cells();
            let (answered, failed) = (cells.sum(|c| &c.answered), cells.sum(|c| &c.failed));
            let shadowed = cells.sum(|c| &c.shadowed);
            let passed = cells.sum(|c| &c.runs).saturating_sub(answered + failed + shadowed);
            for (verdict, count) in
                [("pass", passed), ("answered", answered), ("failed", failed), ("shadow", shadowed)]
            {
                if count > 0 || verdict == "pass" {
                    add_counter(
                        &mut runs,
                        &[("filter", id.to_string()), ("verdict", verdict.to_owned())],
                        count,
                    )?;
                }
            }
        }
        let mut time =
            family(out, "menshen_filter_nanoseconds", "Time spent in a filter.", MetricType::Counter)?;
        for (id, stats) in &steps {
            add_counter(&mut time, &[("filter", id.to_string())], stats.cells().sum(|c| &c.nanos))?;
        }
        let help = "Callers that a filter forgot for want of room while they still owed something.";
        let mut evictions = family(out, "menshen_filter_evictions", help, MetricType::Counter)?;
        for (id, count) in self.0.ground.keep.evictions() {
            add_counter(&mut evictions, &[("filter", id.into())], count)?;
        }
        Ok(())
    }

    fn config(&self, out: &mut DescriptorEncoder) -> Result<(), Error> {
        let status = self.0.status();
        gauge(
            out,
            "menshen_config_version",
            "The generation of the configuration being served.",
            status.version,
        )?;
        counter(out, "menshen_config_reloads", "Reloads that succeeded.", status.reloads)?;
        counter(out, "menshen_config_refusals", "Reloads that were refused.", status.refused)?;
        let good = u64::from(status.refusal.is_empty());
        gauge(out, "menshen_config_last_reload_good", "1 when the last reload succeeded.", good)
    }
}

/// The counts of all workers by code.
fn by_code(counts: impl Iterator<Item = (&'static str, u64)>) -> BTreeMap<&'static str, u64> {
    counts.fold(BTreeMap::new(), |mut sums, (code, count)| {
        *sums.entry(code).or_default() += count;
        sums
    })
}

fn family<'s>(
    out: &'s mut DescriptorEncoder<'_>,
    name: &'s str,
    help: &str,
    kind: MetricType,
) -> Result<MetricEncoder<'s>, Error> {
    out.encode_descriptor(name, help, None, kind)
}

fn add_counter(family: &mut MetricEncoder<'_>, labels: &Labels<'_>, value: u64) -> Result<(), Error> {
    family.encode_family(&labels)?.encode_counter::<NoLabels, _, u64>(&value, None)
}

fn add_gauge(family: &mut MetricEncoder<'_>, labels: &Labels<'_>, value: u64) -> Result<(), Error> {
    family.encode_family(&labels)?.encode_gauge(&i64::try_from(value).unwrap_or(i64::MAX))
}

fn add_histogram(
    family: &mut MetricEncoder<'_>,
    labels: &Labels<'_>,
    cells: &[&Latency],
) -> Result<(), Error> {
    let mut buckets = Vec::with_capacity(LATENCY_BOUNDS.len() + 1);
    let bounds = LATENCY_BOUNDS.iter().map(|b| *b as f64 / 1e6).chain([f64::INFINITY]);
    for (i, bound) in bounds.enumerate() {
        let count: u64 = cells.iter().filter_map(|c| c.buckets.get(i)).map(Counter::get).sum();
        buckets.push((bound, count));
    }
    let count: u64 = buckets.iter().map(|(_, n)| n).sum();
    let sum: u64 = cells.iter().map(|c| c.sum.get()).sum();
    family.encode_family(&labels)?.encode_histogram::<NoLabels>(sum as f64 / 1e6, count, &buckets, None)
}

fn counter(out: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> Result<(), Error> {
    family(out, name, help, MetricType::Counter)?.encode_counter::<NoLabels, _, u64>(&value, None)
}

fn gauge(out: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> Result<(), Error> {
    family(out, name, help, MetricType::Gauge)?.encode_gauge(&i64::try_from(value).unwrap_or(i64::MAX))
}
