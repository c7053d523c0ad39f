//! Questions to DNS, with the TTLs of the answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use menshen_config::document::{Address, Dns};
use tokio::task::JoinSet;

use crate::resolve::Names;

/// How old the system's settings may get until they are read again.
const SETTINGS: Duration = Duration::from_secs(10);
/// Questions at once.
const AT_ONCE: usize = 16;
/// How long looking up all names of a set may take.
const ALL_NAMES: Duration = Duration::from_secs(10);
/// The largest answer that is used, in records.
const LARGEST: usize = 1000;

/// What DNS said, and for how long it is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// What it said. Nothing means that the name is there and has no such record.
    pub records: Vec<T>,
    /// How long it is good, as DNS said it.
    pub ttl: Duration,
}

/// A place in a SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The lowest is used first.
    pub priority: u16,
    /// Its share among those of the same priority.
    pub weight: u16,
    /// Where.
    pub port: u16,
    /// Its host, without a dot at the end.
    pub host: String,
}

/// The resolver for the settings that were used last.
#[derive(Debug, Default)]
pub struct Resolvers(Mutex<Option<(Dns, Instant, Resolver)>>);

impl Resolvers {
    /// One with these settings.
    ///
    /// # Errors
    /// What is wrong with the settings of the system, for people.
    pub fn resolver(&self, settings: &Dns) -> Result<Resolver, String> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, read, resolver)) = &*last
            && of == settings
            && (settings.servers.is_some() || read.elapsed() < SETTINGS)
        {
            return Ok(resolver.clone());
        }
        let resolver = Resolver::new(settings)?;
        *last = Some((settings.clone(), Instant::now(), resolver.clone()));
        Ok(resolver)
    }
}

/// Asks DNS, and `/etc/hosts` before it. Nothing is cached: whoever asks knows how long an answer is good.
#[derive(Clone, Debug)]
pub struct Resolver(TokioResolver);

impl Resolver {
    fn new(settings: &Dns) -> Result<Self, String> {
        let told = |e: NetError| format!("DNS cannot be asked: {e}");
        let mut builder = match &settings.servers {
            None => TokioResolver::builder_tokio().map_err(told)?,
            Some(servers) => {
                let servers = servers.iter().map(|s| server(s.value.0)).collect();
                let config = ResolverConfig::from_parts(None, Vec::new(), servers);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        options.timeout = settings.timeout.map_or(Duration::from_secs(2), |d| d.0);
        options.attempts = 2;
        options.cache_size = 0;
        builder.build().map(Self).map_err(told)
    }

    /// The addresses of a host.
    ///
    /// # Errors
    /// Why there is no answer, for people.
    pub async fn addresses(&self, host: &str) -> Result<Found<IpAddr>, String> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(Found { records: vec![ip], ttl: Duration::MAX });
        }
        let address = |r: &Record| r.data.ip_addr();
        let (v4, v6) =
            tokio::join!(self.ask(host, RecordType::A, address), self.ask(host, RecordType::AAAA, address));
        match (v4, v6) {
            (Ok(v4), Ok(v6)) => {
                let ttl = match (v4.records.is_empty(), v6.records.is_empty()) {
                    (false, true) => v4.ttl,
                    (true, false) => v6.ttl,
                    _ => v4.ttl.min(v6.ttl),
                };
                Ok(Found { records: v4.records.into_iter().chain(v6.records).collect(), ttl })
            }
            // Some servers never answer when they are asked for the other kind.
            (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.records.is_empty() => Ok(found),
            (Err(why), _) | (_, Err(why)) => Err(why),
        }
    }

    /// The places of a service.
    ///
    /// # Errors
    /// Why there is no answer, for people.
    pub async fn targets(&self, name: &str) -> Result<Found<Target>, String> {
        let target = |record: &Record| match &record.data {
            RData::SRV(srv) => Some(Target {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                host: srv.target.to_ascii().trim_end_matches('.').to_owned(),
            }),
            _ => None,
        };
        self.ask(name, RecordType::SRV, target).await
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&Record) -> Option<T>,
    ) -> Result<Found<T>, String> {
        match self.0.lookup(name, kind).await {
            Ok(lookup) => {
                let answers = lookup.answers();
                let ttl = answers.iter().map(|r| r.ttl).min().unwrap_or(0);
                let records: Vec<T> = answers.iter().filter_map(read).take(LARGEST).collect();
                Ok(Found { records, ttl: Duration::from_secs(u64::from(ttl)) })
            }
            Err(e) if e.is_nx_domain() => Err(format!("there is no name `{name}`")),
            Err(e) if e.is_no_records_found() => Ok(Found { records: Vec::new(), ttl: Duration::ZERO }),
            Err(e) => Err(format!("`{name}`: {e}")),
        }
    }

    /// Looks up the hosts of these addresses, as many as can be within ten seconds, and notes what it finds.
    pub(crate) async fn look_up(&self, names: &Names, wanted: Vec<Address>) -> LookedUp {
        let end = tokio::time::Instant::now() + ALL_NAMES;
        let mut waiting = wanted.into_iter();
        let mut asked: JoinSet<(Address, Result<Found<SocketAddr>, String>)> = JoinSet::new();
        let mut outcome = LookedUp::default();
        loop {
            while asked.len() < AT_ONCE
                && let Some(address) = waiting.next()
            {
                let resolver = self.clone();
                asked.spawn(async move {
                    let answer = resolver.places(&address).await;
                    (address, answer)
                });
            }
            match tokio::time::timeout_at(end, asked.join_next()).await {
                Ok(Some(Ok((address, Ok(found))))) => {
                    outcome.has_changed |= names.learn(&address, found.records, found.ttl);
                }
                Ok(Some(Ok((address, Err(why))))) => outcome.failed.push((address, why)),
                Ok(Some(Err(_))) => {}
                Ok(None) => return outcome,
                Err(_) => {
                    outcome.failed.extend(waiting.map(|address| (address, "DNS is too slow".to_owned())));
                    return outcome;
                }
            }
        }
    }

    async fn places(&self, address: &Address) -> Result<Found<SocketAddr>, String> {
        let Found { records, ttl } = self.addresses(&address.host).await?;
        if records.is_empty() {
            return Err("the name has no address".to_owned());
        }
        Ok(Found { records: records.into_iter().map(|ip| SocketAddr::new(ip, address.port)).collect(), ttl })
    }
}

/// What came of looking up many names.
#[derive(Debug, Default)]
pub(crate) struct LookedUp {
    /// An answer is another than before.
    pub(crate) has_changed: bool,
    /// Names without an answer, with the reason.
    pub(crate) failed: Vec<(Address, String)>,
}

fn server(at: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = at.port();
        connection
    });
    NameServerConfig::new(at.ip(), true, connections.into())
}
