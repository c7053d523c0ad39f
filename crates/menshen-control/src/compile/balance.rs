//! How endpoints of a service are chosen, checked and ejected.

use std::time::Duration;

use menshen_config::document::{
    BalanceMethod, Document, Eject as WrittenEject, EjectRules, HashKey, Health, Protocol,
    Service as Written, Start,
};
use menshen_config::{Path, Problems, Span};
use menshen_proxy::balance::{Key, Method, Settings, Sticky};
use menshen_proxy::health::{Eject, ErrorShare};
use menshen_proxy::moment;
use menshen_proxy::template::Template;

use crate::health::{Check, Question};

/// Below this share of endpoints that are well all of them get requests.
const PANIC: f64 = 0.5;
/// The longest name of a service of gRPC that a check asks about, in bytes.
const LONGEST_NAME: usize = 255;
/// The most endpoints that `least-requests` compares.
const MOST_CHOICES: u8 = 16;

/// How endpoints of a service are chosen.
pub(super) fn settings(
    written: &Written,
    zone: Option<&str>,
    (at, path): (Span, &Path),
    problems: &mut Problems,
) -> Settings {
    Settings {
        method: method(written, zone, (at, path), problems),
        sticky: written
            .sticky
            .as_ref()
            .map(|s| Sticky { cookie: s.cookie.0.clone(), ttl: s.ttl.map(|t| t.get()) }),
        slow_start: written.slow_start.map_or(Duration::ZERO, |d| d.get()),
        panic: written.panic.map_or(PANIC, |p| p.fraction()),
        eject: eject(&written.eject, (at, path), problems),
    }
}

fn method(
    written: &Written,
    zone: Option<&str>,
    (at, path): (Span, &Path),
    problems: &mut Problems,
) -> Method {
    let balance = &written.balance;
    let path = path.key("balance");
    let mut unused = |what: &str, is_there: bool, who: &str| {
        if is_there {
            problems
                .error(at, path.key(what), format!("`{what}` means nothing here"))
                .hint(format!("it is for {who}"));
        }
    };
    let goes_by_hash = matches!(balance.method, BalanceMethod::RingHash | BalanceMethod::Maglev);
    unused("by", balance.by.is_some() && !goes_by_hash, "`ring-hash` and `maglev`");
    let compares = balance.method == BalanceMethod::LeastRequests;
    unused("choices", balance.choices.is_some() && !compares, "`least-requests`");
    let filters = balance.method == BalanceMethod::AvailabilityFiltering;
    unused("requests", balance.requests.is_some() && !filters, "`availability-filtering`");
    match balance.method {
        BalanceMethod::RoundRobin => Method::RoundRobin,
        BalanceMethod::Random => Method::Random,
        BalanceMethod::LeastRequests => {
            Method::LeastRequests { choices: balance.choices.map_or(2, |n| n.get().min(MOST_CHOICES)) }
        }
        BalanceMethod::PeakEwma => Method::PeakEwma,
        BalanceMethod::RingHash => {
            key(written, (at, &path), problems).map_or(Method::RoundRobin, Method::RingHash)
        }
        BalanceMethod::Maglev => {
            key(written, (at, &path), problems).map_or(Method::RoundRobin, Method::Maglev)
        }
        BalanceMethod::WeightedResponseTime => Method::WeightedResponseTime,
        BalanceMethod::AvailabilityFiltering => Method::AvailabilityFiltering {
            requests: balance.requests.map_or(u64::MAX, |n| u64::from(n.get())),
        },
        BalanceMethod::ZoneAware => {
            if !written.endpoints.is_empty() && written.endpoints.iter().all(|e| e.zone.is_none()) {
                problems
                    .warning(
                        at,
                        path.key("method"),
                        "no endpoint has a zone, so that there is nothing to go by",
                    )
                    .hint("write for example `endpoints: [{ address: 10.0.0.1:80, zone: a }]`");
            }
            Method::ZoneAware { own: zone.map(Into::into) }
        }
    }
}

/// What decides where a request goes; without it no problem is left untold.
fn key(written: &Written, (at, path): (Span, &Path), problems: &mut Problems) -> Option<Key> {
    let Some(by) = &written.balance.by else {
        problems
            .error(at, path.key("by"), "by what should requests be told apart?")
            .hint("write for example `balance: { method: maglev, by: header:x-user }`");
        return None;
    };
    Some(match &by.value {
        HashKey::Header(name) => Key::Header(name.clone()),
        HashKey::Cookie(name) => Key::Cookie(name.clone()),
        HashKey::Query(name) => Key::Query(name.clone()),
        HashKey::Client => Key::Client,
        HashKey::Path => Key::Path,
        HashKey::Template(text) => match Template::parse(text, None) {
            Ok(template) => Key::Template(template),
            Err(error) => {
                problems.error(by.span, path.key("by"), error.to_string());
                return None;
            }
        },
    })
}

fn eject(written: &WrittenEject, (at, path): (Span, &Path), problems: &mut Problems) -> Option<Eject> {
    let rules = match written {
        WrittenEject::Off => return None,
        WrittenEject::Default => return Some(Eject::default()),
        WrittenEject::On(rules) => rules,
    };
    let EjectRules { failures, error_share, slower_than, statuses, length, up_to, at_most } = rules;
    let mut bits = 0u128;
    for range in statuses.iter().flatten() {
        if range.from < 500 {
            problems
                .error(
                    at,
                    path.key("eject").key("statuses"),
                    format!("`{range}` says nothing about an endpoint"),
                )
                .hint("only statuses from 500 to 599 can count as its failures");
        }
        bits |= (range.from.max(500)..=range.to).fold(0, |bits, status| bits | 1 << (status - 500));
    }
    let length = moment::of(length.map_or(Duration::from_secs(30), |d| d.get()));
    Some(Eject {
        failures: failures.unwrap_or(5),
        error_share: error_share.map(|s| ErrorShare {
            share: s.share.fraction(),
            of: s.of.get(),
            within: moment::of(s.within.get()),
        }),
        slower_than: slower_than.map_or(u64::MAX, |d| moment::of(d.get())),
        only_connecting: false,
        statuses: if statuses.is_some() { bits } else { (1 << 100) - 1 },
        length,
        longest: moment::of(up_to.map_or(Duration::from_secs(300), |d| d.get())).max(length),
        at_most: at_most.map_or(0.5, |p| p.fraction()),
    })
}

/// How endpoints of a service are checked, if they are.
pub(super) fn check(written: &Written, path: &Path, problems: &mut Problems) -> Option<Check> {
    let health = written.health.as_ref()?;
    let (at, path, health) = (health.span, path.key("health"), &health.value);
    let every = health.every.map_or(Duration::from_secs(5), |d| d.get());
    let timeout = health.timeout.map_or(Duration::from_secs(2).min(every.max(Check::SHORTEST)), |d| d.get());
    if every < Check::SHORTEST {
        problems
            .error(at, path.key("every"), "endpoints would be busy with checks")
            .hint("the shortest is `100ms`");
    }
    let question = question(health, written.protocol, &path, at, problems);
    if question == Question::Nothing && (health.host.is_some() || !health.expect.is_empty()) {
        problems
            .error(at, path.clone(), "nothing is asked, so that there is neither a host nor a status")
            .hint("add the path that is to be asked for, as in `get: /health`");
    }
    Some(Check {
        question,
        host: health.host.clone(),
        port: health.port.map(|p| p.get()),
        every,
        timeout,
        rise: health.rise.map_or(2, |n| n.get()),
        fall: health.fall.map_or(3, |n| n.get()),
        expect: match health.expect.0.as_slice() {
            [] => Box::new([(200, 299)]),
            ranges => ranges.iter().map(|r| (r.from, r.to)).collect(),
        },
        starts_well: health.start == Start::Healthy,
    })
}

/// What endpoints are asked.
fn question(health: &Health, protocol: Protocol, path: &Path, at: Span, problems: &mut Problems) -> Question {
    let Some(service) = &health.grpc else {
        return health.get.as_ref().map_or(Question::Nothing, |path| Question::Path(path.0.clone()));
    };
    if health.get.is_some() || !health.expect.is_empty() {
        problems
            .error(at, path.key("grpc"), "the protocol of gRPC has neither a path nor statuses of HTTP")
            .hint("write either `grpc` or `get`");
    }
    if service.len() > LONGEST_NAME {
        problems.error(at, path.key("grpc"), format!("the name is longer than {LONGEST_NAME} bytes"));
    }
    if matches!(protocol, Protocol::Http | Protocol::Https) {
        problems
            .error(at, path.key("grpc"), "gRPC is not spoken over HTTP/1.1")
            .hint("set `protocol: h2c` for the service, or `h2` with TLS");
    }
    Question::Grpc(service.clone())
}

/// Where the gateway is.
pub(super) fn zone(document: &Document) -> Option<Box<str>> {
    document.gateway.zone.clone()
}
