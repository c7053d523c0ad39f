//! Tests on a request, used by routes (`match`) and steps (`when`) alike.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use menshen_http1::{FieldName, Method, RequestHead};

use crate::exchange::Client;
use crate::pattern::Pattern;
use crate::target::{Target, unescaped};
use crate::tls::TlsFact;

/// Wall-clock time as the worker sees it, in seconds since 1970.
pub type UnixSeconds = i64;

/// Tests the wall clock; made by control, which knows time zones.
pub trait TimeTest: Send + Sync + std::fmt::Debug {
    /// True within the window.
    fn holds(&self, now: UnixSeconds) -> bool;
}

/// What a value must be.
#[derive(Clone, Debug)]
pub enum ValueTest {
    /// There is one.
    Present,
    /// There is none.
    Absent,
    /// One equals these bytes.
    Is(Box<[u8]>),
    /// One starts with these bytes.
    Prefix(Box<[u8]>),
    /// One matches this linear-time pattern.
    Matches(regex::bytes::Regex),
}

impl ValueTest {
    fn holds<T: AsRef<[u8]>>(&self, mut values: impl Iterator<Item = T>) -> bool {
        match self {
            Self::Present => values.next().is_some(),
            Self::Absent => values.next().is_none(),
            Self::Is(wanted) => values.any(|v| v.as_ref() == &**wanted),
            Self::Prefix(wanted) => values.any(|v| v.as_ref().starts_with(wanted)),
            Self::Matches(pattern) => values.any(|v| pattern.is_match(v.as_ref())),
        }
    }

    /// True when no value can pass both tests.
    pub fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Absent, Self::Absent) => false,
            (Self::Absent, _) | (_, Self::Absent) => true,
            _ => false,
        }
    }
}

impl PartialEq for ValueTest {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Present, Self::Present) | (Self::Absent, Self::Absent) => true,
            (Self::Is(a), Self::Is(b)) | (Self::Prefix(a), Self::Prefix(b)) => a == b,
            (Self::Matches(a), Self::Matches(b)) => a.as_str() == b.as_str(),
            _ => false,
        }
    }
}

/// A test of the values of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTest {
    /// Field, parameter or cookie name.
    pub name: Box<str>,
    /// What its value must be.
    pub test: ValueTest,
}

/// A set of methods; empty means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Methods {
    known: u16,
    other: Box<[Box<str>]>,
}

impl Methods {
    /// The set of these methods. GET stands for HEAD too, which asks for the same without the content
    /// (RFC 9110 §9.3.2), unless another route names HEAD itself.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut known = 0;
        let mut other = Vec::new();
        for name in names {
            match Method::of(name.as_bytes()) {
                Method::Other => other.push(name.into()),
                method => known |= bit(method),
            }
        }
        Self { known, other: other.into() }
    }

    /// True when every method is meant.
    pub fn is_any(&self) -> bool {
        self.known == 0 && self.other.is_empty()
    }

    /// True when the request's method is in the set.
    pub fn contains(&self, request: &RequestHead) -> bool {
        match request.method() {
            Method::Other => {
                self.is_any() || self.other.iter().any(|o| o.as_bytes() == request.method_text())
            }
            method => self.is_any() || self.reach() & bit(method) != 0,
        }
    }

    /// The methods named, and HEAD where GET is.
    fn reach(&self) -> u16 {
        let head_too = self.known & bit(Method::Get) != 0;
        if head_too { self.known | bit(Method::Head) } else { self.known }
    }

    /// True when HEAD is meant only because GET is named.
    pub(crate) fn implies_head(&self) -> bool {
        self.reach() != self.known
    }

    /// How many are named.
    fn len(&self) -> usize {
        self.known.count_ones() as usize + self.other.len()
    }

    /// True when no method is in both sets.
    pub fn excludes(&self, other: &Self) -> bool {
        let shares_other = self.other.iter().any(|o| other.other.contains(o));
        !self.is_any() && !other.is_any() && self.known & other.known == 0 && !shares_other
    }

    /// True when every method of the other set is in this one.
    pub fn covers(&self, other: &Self) -> bool {
        let has_others = other.other.iter().all(|o| self.other.contains(o));
        self.is_any() || (!other.is_any() && self.known & other.known == other.known && has_others)
    }

    /// The names, for Allow.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        const NAMES: [(Method, &str); 9] = [
            (Method::Get, "GET"),
            (Method::Head, "HEAD"),
            (Method::Post, "POST"),
            (Method::Put, "PUT"),
            (Method::Delete, "DELETE"),
            (Method::Connect, "CONNECT"),
            (Method::Options, "OPTIONS"),
            (Method::Trace, "TRACE"),
            (Method::Patch, "PATCH"),
        ];
        let known = NAMES.into_iter().filter(|(m, _)| self.reach() & bit(*m) != 0).map(|(_, n)| n);
        known.chain(self.other.iter().map(|o| &**o))
    }
}

fn bit(method: Method) -> u16 {
    1u16.checked_shl(u32::from(method as u8)).unwrap_or(0)
}

/// A test on a request: every part that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// The paths, one of which must match; empty means any. Routes leave it to the tree.
    pub paths: Box<[Pattern]>,
    /// The methods.
    pub methods: Methods,
    /// The host; routes leave it to the table.
    pub hosts: Box<[HostPattern]>,
    /// Request fields.
    pub headers: Box<[NamedTest]>,
    /// Query parameters, unescaped: a name or value written with escapes is the same name or value.
    pub query: Box<[NamedTest]>,
    /// Cookies.
    pub cookies: Box<[NamedTest]>,
    /// Facts of the client's TLS connection, by the names of [`TlsFact`].
    pub tls: Box<[NamedTest]>,
    /// Networks the client's address must be in; empty means any.
    pub client: Box<[IpNet]>,
    /// When.
    pub time: Option<Arc<dyn TimeTest>>,
}

/// How specific a condition is. Greater wins: more parts, then more exact values, fewer methods, smaller networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity {
    parts: usize,
    exact: usize,
    methods: Reverse<usize>,
    network: u8,
}

/// A host to match: `example.com`, or `*.example.com` for every name below it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// This host, in lower case.
    Exact(Box<str>),
    /// Every host that ends in `.` and this suffix.
    Below(Box<str>),
}

impl HostPattern {
    /// True when the host (any case, without port or trailing dot) matches.
    pub fn matches(&self, host: &[u8]) -> bool {
        match self {
            Self::Exact(name) => name.as_bytes().eq_ignore_ascii_case(host),
            Self::Below(suffix) => {
                let suffix = suffix.as_bytes();
                host.len() > suffix.len() + 1
                    && host.get(host.len() - suffix.len() - 1) == Some(&b'.')
                    && host.get(host.len() - suffix.len()..).is_some_and(|h| h.eq_ignore_ascii_case(suffix))
            }
        }
    }
}

impl Condition {
    /// True when every part holds.
    pub fn holds(&self, request: &RequestHead, target: &Target, client: &Client, now: UnixSeconds) -> bool {
        self.methods.contains(request) && self.holds_but_method(request, target, client, now)
    }

    /// True when every part but the method holds.
    pub fn holds_but_method(
        &self,
        request: &RequestHead,
        target: &Target,
        client: &Client,
        now: UnixSeconds,
    ) -> bool {
        let fields = &request.fields;
        (self.paths.is_empty() || self.paths.iter().any(|p| p.matches(target)))
            && (self.hosts.is_empty()
                || host_of(request).is_some_and(|h| self.hosts.iter().any(|p| p.matches(h))))
            && self.headers.iter().all(|t| t.test.holds(fields.all_named(t.name.as_bytes())))
            && self.query.iter().all(|t| t.test.holds(query_values(target, t.name.as_bytes())))
            && self.cookies.iter().all(|t| t.test.holds(cookie_values(request, t.name.as_bytes())))
            && self.tls.iter().all(|t| t.test.holds(tls_values(client, &t.name)))
            && (self.client.is_empty() || contains(&self.client, client.address))
            && self.time.as_ref().is_none_or(|t| t.holds(now))
    }

    /// How specific it is beside path and host.
    pub fn specificity(&self) -> Specificity {
        let named = || self.headers.iter().chain(&self.query).chain(&self.cookies).chain(&self.tls);
        let parts = usize::from(!self.methods.is_any())
            + named().count()
            + usize::from(!self.client.is_empty())
            + usize::from(self.time.is_some());
        Specificity {
            parts,
            exact: named().filter(|t| matches!(t.test, ValueTest::Is(_))).count(),
            methods: Reverse(self.methods.len()),
            network: self.client.iter().map(IpNet::prefix_len).min().unwrap_or(0),
        }
    }

    /// True when it is certain that every request that satisfies `other` satisfies this too, path and host left aside.
    pub fn covers(&self, other: &Self) -> bool {
        let implied = |wanted: &[NamedTest], given: &[NamedTest]| {
            wanted.iter().all(|w| {
                given.iter().any(|g| {
                    let stronger = w.test == ValueTest::Present
                        && matches!(g.test, ValueTest::Is(_) | ValueTest::Prefix(_));
                    w.name.eq_ignore_ascii_case(&g.name) && (w.test == g.test || stronger)
                })
            })
        };
        let in_networks = self.client.is_empty()
            || (!other.client.is_empty()
                && other.client.iter().all(|o| self.client.iter().any(|n| n.contains(o))))
            || ["0.0.0.0/0", "::/0"].iter().all(|all| self.client.iter().any(|n| n.to_string() == *all));
        self.methods.covers(&other.methods)
            && implied(&self.headers, &other.headers)
            && implied(&self.query, &other.query)
            && implied(&self.cookies, &other.cookies)
            && implied(&self.tls, &other.tls)
            && in_networks
            && self.time.is_none()
    }

    /// True when it is certain that no request satisfies both, path and host left aside.
    pub fn excludes(&self, other: &Self) -> bool {
        let differ = |a: &[NamedTest], b: &[NamedTest], single: bool| {
            a.iter().any(|x| {
                b.iter().any(|y| {
                    let both_values =
                        matches!((&x.test, &y.test), (ValueTest::Is(v), ValueTest::Is(w)) if v != w);
                    x.name.eq_ignore_ascii_case(&y.name)
                        && (x.test.excludes(&y.test) || (single && both_values))
                })
            })
        };
        self.methods.excludes(&other.methods)
            || differ(&self.headers, &other.headers, true)
            || differ(&self.query, &other.query, true)
            || differ(&self.cookies, &other.cookies, true)
            || differ(&self.tls, &other.tls, true)
    }
}

/// The host of a request without port and trailing dot.
pub fn host_of(request: &RequestHead) -> Option<&[u8]> {
    request.host().map(|a| a.host.strip_suffix(b".").unwrap_or(a.host))
}

/// True when one of the networks contains the address; IPv4 addresses mapped into IPv6 count as IPv4.
pub fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|n| n.contains(&address))
}

fn query_values<'a>(target: &'a Target, name: &'a [u8]) -> impl Iterator<Item = Cow<'a, [u8]>> {
    let pairs = target.query().into_iter().flat_map(crate::target::query_pairs);
    pairs.filter(move |(n, _)| *unescaped(n) == *name).map(|(_, v)| unescaped(v))
}

/// A connection without TLS has no value of any fact.
fn tls_values<'a>(client: &'a Client, name: &str) -> impl Iterator<Item = &'a str> {
    let fact = TlsFact::of(name);
    client.tls.as_deref().zip(fact).into_iter().flat_map(|(facts, fact)| fact.values(facts))
}

/// The values of a cookie (RFC 6265 §5.4).
pub fn cookie_values<'a>(request: &'a RequestHead, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let crumbs = request.fields.all(FieldName::COOKIE).flat_map(|v| v.split(|b| *b == b';'));
    crumbs.filter_map(move |crumb| {
        let crumb = crumb.trim_ascii();
        let eq = memchr::memchr(b'=', crumb)?;
        (crumb.get(..eq)? == name).then(|| crumb.get(eq + 1..).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_below_a_suffix_match_in_any_case_but_not_the_suffix_itself() {
        let p = HostPattern::Below("example.org".into());
        assert!(p.matches(b"a.Example.ORG") && p.matches(b"a.b.example.org"));
        assert!(!p.matches(b"example.org") && !p.matches(b".example.org") && !p.matches(b"aexample.org"));
    }

    #[test]
    fn methods_with_nothing_in_common_exclude_each_other() {
        let (get, post, any) = (Methods::of(["GET", "PURGE"]), Methods::of(["POST"]), Methods::default());
        let head = Methods::of(["HEAD"]);
        assert!(get.implies_head() && !head.implies_head() && get.excludes(&head));
        assert!(get.excludes(&post) && !get.excludes(&any) && !get.excludes(&Methods::of(["PURGE"])));
    }

    #[test]
    fn a_parameter_hidden_behind_escapes_is_still_seen() {
        let mut target = Target::default();
        target.read(b"/?d%65bug=%31+x", Method::Get, None).unwrap();
        let values: Vec<_> = query_values(&target, b"debug").collect();
        assert_eq!(values, [&b"1 x"[..]]);
    }

    #[test]
    fn mapped_addresses_count_as_ipv4() {
        let nets = ["10.0.0.0/8".parse().unwrap()];
        assert!(contains(&nets, "::ffff:10.1.2.3".parse().unwrap()));
    }
}
