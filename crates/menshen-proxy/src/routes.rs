//! The routes of a listener: a host table, a segment tree for each host, and candidates in order of precedence.
//!
//! The most specific route wins: first by host (exact, then the longest wildcard, then any), then by path segment
//! from left to right (text, glob, variable, rest), then by how many other conditions it has. The order in the
//! document never matters.

mod tree;

use std::collections::HashMap;
use std::ops::Range;

use menshen_http1::RequestHead;
use rustc_hash::FxBuildHasher;

use crate::condition::{HostPattern, UnixSeconds, host_of};
use crate::exchange::Client;
use crate::pattern::Pattern;
use crate::snapshot::{Route, RouteId};
use crate::target::Target;
use tree::Tree;

/// How requests are spread over routes with the same match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Routes of one group share the requests.
    pub group: Box<str>,
    /// This route's share, relative to the others of the group.
    pub share: u32,
}

/// Where a route is to be found.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Hosts; empty means any.
    pub hosts: Vec<HostPattern>,
    /// Paths, at least one.
    pub paths: Vec<Pattern>,
    /// The group it shares requests with.
    pub share: Option<Share>,
    /// The route.
    pub route: RouteId,
}

/// Two routes that cannot be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// One route.
    pub first: RouteId,
    /// The other.
    pub second: RouteId,
    /// What is wrong.
    pub kind: ConflictKind,
}

/// What is wrong about two routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// A request could take either.
    Tie,
    /// The second is never reached.
    Shadowed,
}

/// What a lookup found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// This route.
    Route(RouteId),
    /// Routes match all but the method; [`RouteTable::allowed`] names the methods.
    WrongMethod,
    /// Nothing.
    Nothing,
}

/// What a lookup looks at.
pub struct Lookup<'a> {
    /// The request head.
    pub request: &'a RequestHead,
    /// Its canonical target.
    pub target: &'a Target,
    /// Who asks.
    pub client: &'a Client,
    /// The wall clock.
    pub now: UnixSeconds,
    /// A random number, for shares.
    pub random: u64,
}

/// All routes of a listener.
pub struct RouteTable {
    fallback: Route,
    routes: Box<[Route]>,
    exact: HashMap<Box<str>, Tree, FxBuildHasher>,
    /// By what follows the first dots.
    below: HashMap<Box<str>, Tree, FxBuildHasher>,
    any: Tree,
}

impl RouteTable {
    /// Builds the table. The first of `routes` has the number 1.
    ///
    /// # Errors
    /// Every pair of routes that cannot be told apart or never be reached.
    pub fn new(fallback: Route, routes: Vec<Route>, entries: &[Entry]) -> Result<Self, Vec<Conflict>> {
        let any_host = entries.iter().filter(|entry| entry.hosts.is_empty());
        let segments = any_host.flat_map(|entry| &entry.paths).map(|path| path.segments.len()).sum();
        let any = Tree::with_room_for(segments);
        let mut table = Self { routes: routes.into(), any, ..Self::only(fallback) };
        for entry in entries {
            for path in &entry.paths {
                if entry.hosts.is_empty() {
                    table.any.insert(path, entry);
                }
                for host in &entry.hosts {
                    table.tree_mut(host).insert(path, entry);
                }
            }
        }
        let routes = &table.routes;
        let mut conflicts = table.any.settle(routes);
        conflicts.extend(table.exact.values_mut().flat_map(|t| t.settle(routes)));
        conflicts.extend(table.below.values_mut().flat_map(|t| t.settle(routes)));
        if conflicts.is_empty() { Ok(table) } else { Err(conflicts) }
    }

    /// A table with the fallback route only.
    pub fn only(fallback: Route) -> Self {
        Self {
            fallback,
            routes: [].into(),
            exact: HashMap::default(),
            below: HashMap::default(),
            any: Tree::default(),
        }
    }

    /// The route with this number; the fallback for numbers that are none of this table's.
    pub fn get(&self, id: RouteId) -> &Route {
        if id == RouteId::FALLBACK {
            &self.fallback
        } else {
            find(&self.routes, id).unwrap_or(&self.fallback)
        }
    }

    /// All routes but the fallback, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (RouteId, &Route)> {
        self.routes.iter().zip(1..).map(|(route, id)| (RouteId(id), route))
    }

    /// Finds the route for a request and the places of its path variables.
    pub fn find(&self, lookup: &Lookup<'_>, variables: &mut Vec<Range<usize>>) -> Found {
        if self.ignores_hosts() {
            return self.find_in([&self.any], lookup, variables);
        }
        self.find_in(self.trees_for(&Host::asked_for(lookup.request)), lookup, variables)
    }

    fn find_in<'a>(
        &self,
        trees: impl IntoIterator<Item = &'a Tree>,
        lookup: &Lookup<'_>,
        variables: &mut Vec<Range<usize>>,
    ) -> Found {
        let mut wrong_method = false;
        for tree in trees {
            variables.clear();
            match tree.find(lookup, &self.routes, variables) {
                Found::Route(id) => return Found::Route(id),
                Found::WrongMethod => wrong_method = true,
                Found::Nothing => {}
            }
        }
        variables.clear();
        if wrong_method { Found::WrongMethod } else { Found::Nothing }
    }

    /// Visits every candidate that a lookup considers, in order of precedence, with what it said.
    pub fn explain(&self, lookup: &Lookup<'_>, visit: &mut dyn FnMut(RouteId, &Route, Considered)) {
        for tree in self.trees_for(&Host::asked_for(lookup.request)) {
            tree.explain(lookup, &self.routes, visit);
        }
    }

    /// The methods of the routes that match all but the method.
    pub fn allowed(&self, lookup: &Lookup<'_>) -> Vec<String> {
        let mut names = Vec::new();
        self.explain(lookup, &mut |_, route, considered| {
            if considered == Considered::WrongMethod {
                names.extend(route.condition.methods.names().map(str::to_owned));
            }
        });
        names.sort();
        names.dedup();
        names
    }

    /// True when no route looks at the host.
    fn ignores_hosts(&self) -> bool {
        self.exact.is_empty() && self.below.is_empty()
    }

    /// The trees for a host in order of precedence: exact, the longest suffix to the shortest, any.
    fn trees_for<'a>(&'a self, host: &'a Host) -> impl Iterator<Item = &'a Tree> {
        let exact = self.exact.get(host.as_str());
        let below = host.suffixes().filter_map(|suffix| self.below.get(suffix));
        exact.into_iter().chain(below).chain([&self.any])
    }

    fn tree_mut(&mut self, host: &HostPattern) -> &mut Tree {
        match host {
            HostPattern::Exact(name) => self.exact.entry(name.clone()).or_default(),
            HostPattern::Below(suffix) => self.below.entry(suffix.clone()).or_default(),
        }
    }
}

/// The route with this number, other than the fallback.
fn find(routes: &[Route], id: RouteId) -> Option<&Route> {
    routes.get((id.0 as usize).checked_sub(1)?)
}

/// A host in lower case.
struct Host {
    bytes: [u8; 255],
    len: usize,
}

impl Host {
    /// The host of a request; empty for none.
    fn asked_for(request: &RequestHead) -> Self {
        Self::of(host_of(request).unwrap_or_default())
    }

    /// A host longer than any name can be matches none.
    fn of(text: &[u8]) -> Self {
        let mut host = Self { bytes: [0; 255], len: 0 };
        if let Some(bytes) = host.bytes.get_mut(..text.len()) {
            bytes.copy_from_slice(text);
            bytes.make_ascii_lowercase();
            host.len = text.len();
        }
        host
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
    }

    /// What follows each dot, longest first.
    fn suffixes(&self) -> impl Iterator<Item = &str> {
        let name = self.as_str();
        name.match_indices('.').filter(|(at, _)| *at > 0).filter_map(move |(at, _)| name.get(at + 1..))
    }
}

/// What a lookup said about a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Considered {
    /// It matches.
    Matches,
    /// All but the method matches.
    WrongMethod,
    /// The path matches, but another condition does not.
    ConditionFails,
    /// It matches, but the draw took another of its group.
    NotDrawn,
}
