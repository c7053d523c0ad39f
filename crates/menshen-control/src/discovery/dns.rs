//! DNS as a source: the addresses of a name, and the places of a service (SRV, RFC 2782).

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use menshen_config::document::{Address, Dns, Place};
use menshen_proxy::EndpointAddress;

use super::resolver::{Resolver, Target};
use super::source::Run;
use super::{Answer, Findings, Found, Instance, Source, back_off, jittered, probe};
use crate::Ground;

/// An answer is good for at least and at most so long, whatever DNS says.
const MIN_TTL: Duration = Duration::from_secs(1);
const MAX_TTL: Duration = Duration::from_secs(300);

/// What both sources have.
#[derive(Debug)]
struct Asker {
    settings: Dns,
    refresh: Option<Duration>,
    ground: Arc<Ground>,
}

impl Asker {
    fn new(settings: &Dns, refresh: Option<Duration>, ground: &Arc<Ground>) -> Self {
        Self { settings: settings.clone(), refresh, ground: ground.clone() }
    }

    fn resolver(&self) -> Result<Resolver, String> {
        self.ground.discovery.resolver()
    }

    fn wait(&self, ttl: Duration) -> Duration {
        let min = self.settings.min_ttl.map_or(MIN_TTL, |d| d.0).max(Duration::from_millis(100));
        let max = self.settings.max_ttl.map_or(MAX_TTL, |d| d.0).min(self.refresh.unwrap_or(Duration::MAX));
        ttl.clamp(min.min(max), max).max(Duration::from_millis(100))
    }

    /// Asks each time that an answer is over.
    async fn each_time<F: Future<Output = Result<Found<Instance>, String>>>(
        self,
        to: Findings,
        ask: impl Fn(Resolver) -> F,
    ) {
        let mut failures = 0;
        loop {
            let answer = match self.resolver() {
                Ok(resolver) => ask(resolver).await,
                Err(why) => Err(why),
            };
            let (answer, wait) = match answer {
                Ok(found) => {
                    failures = 0;
                    (Answer::Set(found.records), jittered(self.wait(found.ttl)))
                }
                Err(why) => {
                    failures += 1;
                    (Answer::Failed(why), back_off(failures))
                }
            };
            to.tell(answer, Some(wait)).await;
            tokio::time::sleep(wait).await;
        }
    }
}

fn instance(ip: IpAddr, port: u16, host: &str, weight: u32) -> Instance {
    let address = Address { host: ip.to_string().into(), port };
    Instance { host: Some(host.into()), weight, ..Instance::at(Place::Net(address)) }
}

/// The addresses of a name (A and AAAA).
#[derive(Debug)]
pub(super) struct Addresses {
    address: Address,
    asker: Asker,
}

impl Addresses {
    pub(super) fn new(
        address: &Address,
        settings: &Dns,
        refresh: Option<Duration>,
        ground: &Arc<Ground>,
    ) -> Self {
        Self { address: address.clone(), asker: Asker::new(settings, refresh, ground) }
    }
}

impl Source for Addresses {
    fn run(self: Box<Self>, to: Findings) -> Run {
        let Self { address, asker } = *self;
        let ask = move |resolver: Resolver| {
            let Address { host, port } = address.clone();
            async move {
                let Found { records, ttl } = resolver.addresses(&host).await?;
                let records = records.into_iter().map(|ip| instance(ip, port, &host, 1)).collect();
                Ok(Found { records, ttl })
            }
        };
        Box::pin(asker.each_time(to, ask))
    }

    fn about(&self) -> String {
        format!("the addresses of {} in DNS", self.address.host)
    }
}

/// The places of a service (SRV).
#[derive(Debug)]
pub(super) struct Services {
    name: Box<str>,
    asker: Asker,
}

impl Services {
    pub(super) fn new(name: &str, settings: &Dns, refresh: Option<Duration>, ground: &Arc<Ground>) -> Self {
        Self { name: name.into(), asker: Asker::new(settings, refresh, ground) }
    }
}

impl Source for Services {
    fn run(self: Box<Self>, to: Findings) -> Run {
        let Self { name, asker } = *self;
        Box::pin(asker.each_time(to, move |resolver| {
            let name = name.clone();
            async move { ask_for_services(&resolver, &name).await }
        }))
    }

    fn about(&self) -> String {
        format!("the service {} in DNS", self.name)
    }
}

/// Those of the best priority at which anybody is there.
async fn ask_for_services(resolver: &Resolver, name: &str) -> Result<Found<Instance>, String> {
    let Found { records, mut ttl } = resolver.targets(name).await?;
    let groups = by_priority(records);
    let (count, mut best, mut why) = (groups.len(), None, None);
    for group in groups.into_values() {
        let mut instances = Vec::new();
        for Target { weight, port, host, .. } in group {
            match resolver.addresses(&host).await {
                Ok(found) => {
                    ttl = ttl.min(found.ttl);
                    let weight = shared(weight, found.records.len());
                    instances.extend(found.records.into_iter().map(|ip| instance(ip, port, &host, weight)));
                }
                Err(e) => why = Some(e),
            }
        }
        if instances.is_empty() {
            continue;
        }
        if count == 1 || probe::is_anybody_there(places(&instances)).await {
            return Ok(Found { records: instances, ttl });
        }
        // Of groups that are all dead the first one is as good as any.
        best.get_or_insert(instances);
    }
    match (best, why) {
        (Some(records), _) => Ok(Found { records, ttl }),
        (None, Some(why)) => Err(why),
        (None, None) => Ok(Found { records: Vec::new(), ttl }),
    }
}

/// A single `.` says that there is no such service (RFC 2782, "Target").
fn by_priority(targets: Vec<Target>) -> BTreeMap<u16, Vec<Target>> {
    let mut groups: BTreeMap<u16, Vec<Target>> = BTreeMap::new();
    for target in targets.into_iter().filter(|t| !t.host.is_empty() && t.port != 0) {
        groups.entry(target.priority).or_default().push(target);
    }
    groups
}

/// The weight of each address of a host. 0 means rarely, not never (RFC 2782, "Weight"); finer shares need larger numbers.
fn shared(weight: u16, addresses: usize) -> u32 {
    let addresses = u32::try_from(addresses).unwrap_or(u32::MAX).max(1);
    (u32::from(weight) / addresses).max(1)
}

fn places(instances: &[Instance]) -> Vec<EndpointAddress> {
    let place = |i: &Instance| match &i.address {
        Place::Net(address) => {
            let ip: IpAddr = address.host.parse().ok()?;
            Some(EndpointAddress::Tcp(SocketAddr::new(ip, address.port)))
        }
        Place::Unix(_) => None,
    };
    instances.iter().filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(priority: u16, host: &str) -> Target {
        Target { priority, weight: 1, port: 80, host: host.to_owned() }
    }

    #[test]
    fn priorities_are_groups_and_a_dot_is_nobody() {
        let groups = by_priority(vec![target(20, "c"), target(10, "a"), target(10, "b"), target(0, "")]);
        let hosts: Vec<Vec<&str>> =
            groups.values().map(|g| g.iter().map(|t| t.host.as_str()).collect()).collect();
        assert_eq!(hosts, [vec!["a", "b"], vec!["c"]]);
    }

    #[test]
    fn a_weight_is_shared_by_the_addresses_and_never_nothing() {
        assert_eq!((shared(0, 1), shared(10, 2), shared(1, 5), shared(7, 0)), (1, 5, 1, 7));
    }
}
