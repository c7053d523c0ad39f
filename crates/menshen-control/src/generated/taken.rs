//! Paths that have a route already, so that another one could not be told apart from it.

use std::collections::HashMap;

use menshen_config::Document;
use menshen_config::document::Route;
use menshen_config::matching::{Match, PathPattern, Segment};
use menshen_config::{OneOrMany, Spanned};

/// Paths by their form, with the routes that have them whatever else a request has.
#[derive(Default)]
pub(super) struct Taken(HashMap<Vec<Form>, Box<str>>);

/// A segment as far as matching goes: what it is called makes no difference.
#[derive(PartialEq, Eq, Hash)]
enum Form {
    Literal(Box<str>),
    Glob(Box<str>),
    Any,
    Rest,
}

impl Taken {
    /// By the routes of a document that belong to one of these listeners; none stands for all.
    pub(super) fn of(document: &Document, on: &OneOrMany<Spanned<String>>) -> Self {
        let mut taken = Self::default();
        let meet = |route: &Route| {
            on.is_empty()
                || route.on.is_empty()
                || route.on.iter().any(|l| on.iter().any(|o| o.value == l.value))
        };
        for (name, route) in
            document.routes.iter().filter(|(_, route)| meet(route) && is_for_all(&route.matches))
        {
            route.matches.path.iter().for_each(|path| taken.add(&path.value, name));
        }
        taken
    }

    /// The route that has this path.
    pub(super) fn by(&self, path: &PathPattern) -> Option<&str> {
        self.0.get(&form(path)).map(|name| &**name)
    }

    pub(super) fn add(&mut self, path: &PathPattern, route: &str) {
        self.0.entry(form(path)).or_insert_with(|| route.into());
    }
}

fn form(path: &PathPattern) -> Vec<Form> {
    let segment = |segment: &Segment| match segment {
        Segment::Literal(text) => Form::Literal(text.clone()),
        Segment::Glob(glob) if &**glob == "*" => Form::Any,
        Segment::Glob(glob) => Form::Glob(glob.clone()),
        Segment::Param(_) => Form::Any,
        Segment::Rest(_) => Form::Rest,
    };
    path.segments().iter().map(segment).collect()
}

/// True when nothing but the path counts.
fn is_for_all(m: &Match) -> bool {
    let plain = Match { path: m.path.clone(), weight: m.weight.clone(), ..Match::default() };
    *m == plain
}
