//! The segment tree of one host: lookup time depends on the length of the path, not on the number of routes.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;

use rustc_hash::FxBuildHasher;

use super::{Conflict, ConflictKind, Considered, Entry, Found, Lookup};
use crate::condition::Condition;
use crate::pattern::{Pattern, Segment, glob_matches};
use crate::snapshot::{Route, RouteId};

/// Nodes by number; the root is 0.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<[u8]>, u32, FxBuildHasher>,
    /// Most literal text first.
    globs: Vec<(Box<[u8]>, u32)>,
    one: Option<u32>,
    /// Routes that end here.
    here: Vec<Candidate>,
    /// Routes that take any rest from here.
    rest: Vec<Candidate>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    route: RouteId,
    share: Option<super::Share>,
}

impl Tree {
    /// With room for so many nodes: a large tree that grows is copied again and again. Room that is never written to
    /// takes no memory.
    pub(super) fn with_room_for(nodes: usize) -> Self {
        let mut tree = Self { nodes: Vec::with_capacity(nodes + 1) };
        tree.nodes.push(Node::default());
        tree
    }

    pub(super) fn insert(&mut self, path: &Pattern, entry: &Entry) {
        let candidate = Candidate { route: entry.route, share: entry.share.clone() };
        let mut at = 0u32;
        for segment in &path.segments {
            at = match segment {
                Segment::Rest => {
                    if let Some(node) = self.node_mut(at) {
                        add(&mut node.rest, candidate);
                    }
                    return;
                }
                Segment::Literal(text) => self.child(
                    at,
                    |n| n.literals.get(text).copied(),
                    |n, id| {
                        n.literals.insert(text.clone(), id);
                    },
                ),
                Segment::Glob(glob) => self.child(
                    at,
                    |n| n.globs.iter().find(|(g, _)| g == glob).map(|(_, id)| *id),
                    |n, id| n.globs.push((glob.clone(), id)),
                ),
                Segment::One => self.child(at, |n| n.one, |n, id| n.one = Some(id)),
            };
        }
        if let Some(node) = self.node_mut(at) {
            add(&mut node.here, candidate);
        }
    }

    fn child(
        &mut self,
        at: u32,
        find: impl Fn(&Node) -> Option<u32>,
        add: impl FnOnce(&mut Node, u32),
    ) -> u32 {
        if let Some(id) = self.node(at).and_then(find) {
            return id;
        }
        let id = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(Node::default());
        if let Some(node) = self.node_mut(at) {
            add(node, id);
        }
        id
    }

    fn node(&self, id: u32) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    fn node_mut(&mut self, id: u32) -> Option<&mut Node> {
        self.nodes.get_mut(id as usize)
    }

    /// Puts candidates in order of precedence and reports those that cannot be told apart.
    pub(super) fn settle(&mut self, routes: &[Route]) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for node in &mut self.nodes {
            node.globs
                .sort_by(|(a, _), (b, _)| literal_bytes(b).cmp(&literal_bytes(a)).then_with(|| a.cmp(b)));
            for list in [&mut node.here, &mut node.rest] {
                list.dedup();
                if list.len() > 1 {
                    list.sort_by_key(|c| {
                        let condition = condition(routes, c);
                        // Who names HEAD is asked before who means it by naming GET.
                        let implies_head = condition.is_some_and(|c| c.methods.implies_head());
                        (Reverse(condition.map(Condition::specificity)), implies_head, c.route)
                    });
                    find_conflicts(list, routes, &mut conflicts);
                }
                list.shrink_to_fit();
            }
        }
        conflicts
    }

    pub(super) fn find(
        &self,
        lookup: &Lookup<'_>,
        routes: &[Route],
        variables: &mut Vec<Range<usize>>,
    ) -> Found {
        let mut wrong_method = false;
        let mut accept = |list: &[Candidate]| {
            let choice = choose(list, lookup, routes);
            wrong_method |= choice == Found::WrongMethod;
            match choice {
                Found::Route(id) => Some(id),
                Found::WrongMethod | Found::Nothing => None,
            }
        };
        let mut segments = lookup.target.segments();
        let path = lookup.target.decoded_path();
        match self.walk(0, path, &mut segments, variables, &mut accept) {
            Some(id) => Found::Route(id),
            None if wrong_method => Found::WrongMethod,
            None => Found::Nothing,
        }
    }

    /// Depth first in order of precedence. The depth is bounded by the longest pattern in the configuration.
    fn walk(
        &self,
        at: u32,
        path: &[u8],
        segments: &mut crate::target::Segments<'_>,
        variables: &mut Vec<Range<usize>>,
        accept: &mut dyn FnMut(&[Candidate]) -> Option<RouteId>,
    ) -> Option<RouteId> {
        let node = self.node(at)?;
        let Some(range) = segments.next() else {
            if let Some(id) = accept(&node.here) {
                return Some(id);
            }
            return self.take_rest(node, path.len()..path.len(), variables, accept);
        };
        let text = path.get(range.clone()).unwrap_or_default();
        if !node.literals.is_empty()
            && let Some(&next) = node.literals.get(text)
            && let Some(id) = self.walk(next, path, &mut segments.clone(), variables, accept)
        {
            return Some(id);
        }
        for (glob, next) in &node.globs {
            if glob_matches(glob, text)
                && let Some(id) = self.walk(*next, path, &mut segments.clone(), variables, accept)
            {
                return Some(id);
            }
        }
        if let Some(next) = node.one {
            variables.push(range.clone());
            if let Some(id) = self.walk(next, path, &mut segments.clone(), variables, accept) {
                return Some(id);
            }
            variables.pop();
        }
        self.take_rest(node, range.start..path.len(), variables, accept)
    }

    /// `**` matches from here on; its text is the last variable, for patterns that name it.
    fn take_rest(
        &self,
        node: &Node,
        rest: Range<usize>,
        variables: &mut Vec<Range<usize>>,
        accept: &mut dyn FnMut(&[Candidate]) -> Option<RouteId>,
    ) -> Option<RouteId> {
        if node.rest.is_empty() {
            return None;
        }
        let id = accept(&node.rest)?;
        variables.push(rest);
        Some(id)
    }

    pub(super) fn explain(
        &self,
        lookup: &Lookup<'_>,
        routes: &[Route],
        visit: &mut dyn FnMut(RouteId, &Route, Considered),
    ) {
        let mut segments = lookup.target.segments();
        let mut see = |list: &[Candidate]| {
            let chosen = choose(list, lookup, routes);
            for candidate in list {
                let Some(route) = super::find(routes, candidate.route) else { continue };
                let considered = match (consider(route, lookup), chosen) {
                    (Considered::Matches, Found::Route(id))
                        if id != candidate.route && candidate.share.is_some() =>
                    {
                        Considered::NotDrawn
                    }
                    (considered, _) => considered,
                };
                visit(candidate.route, route, considered);
            }
            None
        };
        let path = lookup.target.decoded_path();
        self.walk(0, path, &mut segments, &mut Vec::new(), &mut see);
    }
}

/// Most places have one candidate, and there may be very many places.
fn add(list: &mut Vec<Candidate>, candidate: Candidate) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.push(candidate);
}

/// More conflicts than anybody reads.
const MOST_CONFLICTS: usize = 100;

fn condition<'a>(routes: &'a [Route], candidate: &Candidate) -> Option<&'a Condition> {
    super::find(routes, candidate.route).map(|r| &r.condition)
}

fn consider(route: &Route, lookup: &Lookup<'_>) -> Considered {
    let condition = &route.condition;
    if !condition.holds_but_method(lookup.request, lookup.target, lookup.client, lookup.now) {
        return Considered::ConditionFails;
    }
    if condition.methods.contains(lookup.request) { Considered::Matches } else { Considered::WrongMethod }
}

/// The first candidate that matches; a draw decides within its group.
fn choose(list: &[Candidate], lookup: &Lookup<'_>, routes: &[Route]) -> Found {
    let mut found = Found::Nothing;
    for candidate in list {
        let Some(route) = super::find(routes, candidate.route) else { continue };
        match consider(route, lookup) {
            Considered::Matches => {
                let Some(share) = &candidate.share else { return Found::Route(candidate.route) };
                return Found::Route(draw(list, share, lookup, routes).unwrap_or(candidate.route));
            }
            Considered::WrongMethod => found = Found::WrongMethod,
            Considered::ConditionFails | Considered::NotDrawn => {}
        }
    }
    found
}

fn draw(list: &[Candidate], share: &super::Share, lookup: &Lookup<'_>, routes: &[Route]) -> Option<RouteId> {
    let group = || {
        list.iter().filter_map(|c| {
            let other = c.share.as_ref().filter(|s| s.group == share.group)?;
            let route = super::find(routes, c.route)?;
            (consider(route, lookup) == Considered::Matches).then_some((c.route, u64::from(other.share)))
        })
    };
    let total: u64 = group().map(|(_, share)| share).sum();
    let mut ticket = lookup.random.checked_rem(total)?;
    for (route, share) in group() {
        if ticket < share {
            return Some(route);
        }
        ticket -= share;
    }
    None
}

fn find_conflicts(list: &[Candidate], routes: &[Route], conflicts: &mut Vec<Conflict>) {
    for (i, a) in list.iter().enumerate() {
        for b in list.iter().skip(i + 1) {
            let (Some(x), Some(y)) = (condition(routes, a), condition(routes, b)) else { continue };
            let same_group = match (&a.share, &b.share) {
                (Some(s), Some(t)) => s.group == t.group,
                _ => false,
            };
            if a.route == b.route || same_group || x.excludes(y) {
                continue;
            }
            let kind = if x.specificity() == y.specificity() {
                ConflictKind::Tie
            } else if x.covers(y) {
                ConflictKind::Shadowed
            } else {
                continue;
            };
            conflicts.push(Conflict { first: a.route, second: b.route, kind });
            if conflicts.len() >= MOST_CONFLICTS {
                return;
            }
        }
    }
}

fn literal_bytes(glob: &[u8]) -> usize {
    glob.iter().filter(|b| !matches!(b, b'*' | b'?')).count()
}
