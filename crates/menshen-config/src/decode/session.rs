//! What one decoding remembers: where it is, what it left out, what it noted.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

use rustc_hash::FxHashSet;

use crate::node::{Key, Node};
use crate::path::{Path, push_key};
use crate::problem::Problems;
use crate::span::Span;
use crate::suggest;

use super::error::{Cause, Error, Site};

/// One step down the tree.
#[derive(Clone, Copy)]
pub(super) enum Step<'n> {
    Key(&'n Key),
    Index(usize),
}

/// The memory of one call of [`super::decode`].
pub(super) struct Session<'n, 'p> {
    base: &'p Path,
    steps: RefCell<Vec<Step<'n>>>,
    /// Addresses of nodes that are left out because they were wrong.
    dropped: RefCell<FxHashSet<usize>>,
    any_dropped: Cell<bool>,
    /// Addresses of nodes of which nothing could be made, and it has been noted why.
    failed: RefCell<FxHashSet<usize>>,
    problems: RefCell<&'p mut Problems>,
}

impl<'n, 'p> Session<'n, 'p> {
    pub(super) fn new(base: &'p Path, problems: &'p mut Problems) -> Self {
        Self {
            base,
            steps: RefCell::default(),
            dropped: RefCell::default(),
            any_dropped: Cell::new(false),
            failed: RefCell::default(),
            problems: RefCell::new(problems),
        }
    }

    /// Runs `inside` one step further down, and tells an error of unknown place that it happened at `node`.
    pub(super) fn enter<T>(
        &self,
        step: Step<'n>,
        at: Span,
        node: &'n Node,
        inside: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.steps.borrow_mut().push(step);
        let result = inside().map_err(|error| self.located(error, at, node));
        self.steps.borrow_mut().pop();
        result
    }

    /// The error with its place, unless it already has one.
    pub(super) fn located(&self, mut error: Error, at: Span, node: &Node) -> Error {
        if error.site.is_none() {
            // What is missing in an entry is best seen at its name.
            let at = match self.steps.borrow().last() {
                Some(Step::Key(key)) if error.missing.is_some() => key.span,
                _ => at,
            };
            error.site = Some(Site { at, culprit: address(node), path: self.path() });
        }
        error
    }

    /// Notes the error, which happened within `root`, and leaves the culprit out from now on. Breaks if another attempt
    /// makes no sense.
    pub(super) fn note(&self, error: Error, root: &Node) -> ControlFlow<()> {
        let Cause { message, hint, site, known, .. } = self.located(error, root.span, root).into_cause();
        let Some(Site { at, culprit, path }) = site else { return ControlFlow::Break(()) };
        // A value that fails as a whole is not left out: its list must not look empty when it is looked at again.
        let whole = culprit == address(root);
        let repeated =
            if whole { !self.failed.borrow_mut().insert(culprit) } else { !self.leave_out(culprit) };
        if !known && !repeated {
            self.problems.borrow_mut().error(at, path, message).maybe_hint(hint);
        }
        if repeated || whole { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Notes a key that nobody asked for.
    pub(super) fn unknown_key(&self, at: Span, name: &str, node: &Node, known: &[&'static str]) {
        self.leave_out(address(node));
        let hint = suggest::hint(name, known.iter().copied())
            .or_else(|| cut_off(name, node))
            .or_else(|| listed("known keys are", known));
        let path = self.path();
        self.problems.borrow_mut().error(at, path, format!("unknown key `{name}`")).maybe_hint(hint);
    }

    pub(super) fn is_dropped(&self, node: &Node) -> bool {
        self.any_dropped.get() && self.dropped.borrow().contains(&address(node))
    }

    /// Returns false if it was left out already.
    fn leave_out(&self, address: usize) -> bool {
        self.any_dropped.set(true);
        self.dropped.borrow_mut().insert(address)
    }

    /// The name of the entry that is being decoded, if it is one.
    pub(super) fn last_key(&self) -> Option<&'n str> {
        match self.steps.borrow().last() {
            Some(Step::Key(key)) => Some(&key.name),
            _ => None,
        }
    }

    pub(super) fn path(&self) -> Path {
        let mut text = self.base.to_string();
        for step in self.steps.borrow().iter() {
            match step {
                Step::Key(key) => push_key(&mut text, &key.name),
                Step::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        text.into()
    }
}

/// What follows a comma within `{ … }` looks like a key without a value.
fn cut_off(name: &str, node: &Node) -> Option<String> {
    let is_text = node.is_null() && name.contains(' ');
    is_text.then(|| "a `,` ends a text within `{ … }`; put the whole text in quotes".to_owned())
}

/// A node is known by its address: the tree stays where it is while it is decoded.
fn address(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

/// `known keys are `a`, `b` and `c``, if there are not too many to read.
pub(super) fn listed(intro: &str, names: &[&str]) -> Option<String> {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let (last, rest) = quoted.split_last()?;
    match rest {
        [] => Some(format!("{intro} {last}")),
        _ => Some(format!("{intro} {} and {last}", rest.join(", "))),
    }
}
