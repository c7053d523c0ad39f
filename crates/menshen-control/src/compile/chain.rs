//! Filters → chains. The steps of listeners and schemes are built once and shared by all routes that use them.

use std::collections::HashMap;
use std::sync::Arc;

use menshen_config::filter::{Mode as WrittenMode, OnError as WrittenOnError};
use menshen_config::{Document, FilterItem, Path, Problems};
use menshen_filters::{Setup, Spec};
use menshen_proxy::ServiceId;
use menshen_proxy::chain::{Chain, Mode, OnError, Step, StepSet, Switch};
use menshen_proxy::stats::StepStats;

use super::{matching, order};
use crate::Ground;

/// A step and the filter it is of; `None` for a group.
#[derive(Clone)]
pub(super) struct Built {
    pub(super) step: Arc<Step>,
    pub(super) spec: Option<&'static Spec>,
    pub(super) item: Arc<FilterItem>,
}

/// Builds steps and chains of one document.
pub(super) struct Builder<'a> {
    document: &'a Document,
    ground: &'a Ground,
    schemes: HashMap<String, Vec<Built>>,
}

/// What the filters of one place may refer to.
pub(super) struct Scope<'a> {
    pub(super) variables: Option<&'a [Box<str>]>,
    pub(super) services: &'a dyn Fn(&str) -> Option<ServiceId>,
    /// Put before the id of a step where the document gives none, so that ids name one place.
    pub(super) prefix: &'a str,
}

impl<'a> Builder<'a> {
    pub(super) fn new(document: &'a Document, ground: &'a Ground) -> Self {
        Self { document, ground, schemes: HashMap::new() }
    }

    /// Builds the steps of a list of items.
    pub(super) fn steps(
        &self,
        items: &[FilterItem],
        scope: &Scope<'_>,
        problems: &mut Problems,
    ) -> Vec<Built> {
        // The path of the list: that of an item without its index.
        let list =
            items.first().and_then(|item| item.path.as_str().rsplit_once('[')).map_or("", |(list, _)| list);
        self.steps_at(list, items, scope, problems)
    }

    /// The steps of the list at this place. Each has a place of its own by its id or name, so that what it keeps stays
    /// when others are put before it.
    fn steps_at(
        &self,
        list: &str,
        items: &[FilterItem],
        scope: &Scope<'_>,
        problems: &mut Problems,
    ) -> Vec<Built> {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let mut built = Vec::new();
        for item in items {
            let name = item.id.as_deref().unwrap_or(&item.name);
            let nth = seen.entry(name).or_default();
            *nth += 1;
            built.extend(self.step(item, &format!("{list}.{name}[{nth}]"), scope, problems));
        }
        built
    }

    /// The steps of a scheme, built when it is first used.
    pub(super) fn scheme(&mut self, name: &str, scope: &Scope<'_>, problems: &mut Problems) -> Vec<Built> {
        if let Some(built) = self.schemes.get(name) {
            return built.clone();
        }
        let items = self.document.schemes.get(name).map(|e| e.value.0.clone()).unwrap_or_default();
        let scope = Scope { variables: None, prefix: &format!("{name}."), ..*scope };
        let built = self.steps(&items, &scope, problems);
        self.schemes.insert(name.to_owned(), built.clone());
        built
    }

    fn step(
        &self,
        item: &FilterItem,
        place: &str,
        scope: &Scope<'_>,
        problems: &mut Problems,
    ) -> Option<Built> {
        if item.mode == WrittenMode::Off {
            return None;
        }
        if let Some(members) = &item.any {
            let alternatives = self.steps_at(place, members, scope, problems);
            return Some(self.group(item, alternatives, scope, problems));
        }
        let Some(spec) = menshen_filters::find(&item.name) else {
            let hint = menshen_config::hint(&item.name, menshen_filters::ALL.iter().map(|s| s.name));
            let message = format!("no filter named `{}`", item.name);
            problems.error(item.name_at, &item.path, message).maybe_hint(hint);
            return None;
        };
        let mut step = self.empty_step(spec.name, item, scope, problems);
        if step.mode == Mode::Shadow && !spec.contract.decides {
            let message =
                format!("`{}` never refuses anything, so there is nothing to watch in shadow", spec.name);
            problems.error(item.at, &item.path, message).hint("write `mode: off` to leave it out");
        }
        let mut setup = Setup {
            problems,
            at: item.at,
            path: item.path.clone().key(&item.name),
            place,
            variables: scope.variables,
            services: scope.services,
            files: &|name| self.ground.files.read_named(name),
            keep: &self.ground.keep,
            workers: self.ground.workers,
        };
        spec.install(item, &mut setup, &mut step);
        Some(Built { step: Arc::new(step), spec: Some(spec), item: Arc::new(item.clone()) })
    }

    fn group(
        &self,
        item: &FilterItem,
        alternatives: Vec<Built>,
        scope: &Scope<'_>,
        problems: &mut Problems,
    ) -> Built {
        for built in &alternatives {
            if built.step.mode != Mode::Enforce || built.step.on_error != OnError::Fail {
                let problem = problems.error(
                    built.item.at,
                    &built.item.path,
                    "`mode` and `on-error` belong to the group, not to one of its members",
                );
                problem.hint("write them beside `any`");
            }
            if built.spec.is_some_and(|s| !s.contract.decides) {
                let message =
                    format!("`{}` always passes, so what stands behind it is never asked", built.step.name);
                problems.error(built.item.at, &built.item.path, message);
            }
        }
        let mut step = self.empty_step(menshen_config::filter::ANY, item, scope, problems);
        step.any(alternatives.into_iter().map(|b| b.step).collect());
        Built { step: Arc::new(step), spec: None, item: Arc::new(item.clone()) }
    }

    fn empty_step(
        &self,
        name: &'static str,
        item: &FilterItem,
        scope: &Scope<'_>,
        problems: &mut Problems,
    ) -> Step {
        let id: Box<str> = item.id.clone().unwrap_or_else(|| format!("{}{name}", scope.prefix)).into();
        let switch = self.ground.switches.get(id.clone(), Switch::default);
        let stats = self.ground.steps.get(id.clone(), || StepStats::new(self.ground.workers));
        let mut step = Step::new(name, id, switch, stats);
        step.when = item.when.as_ref().map(|w| matching::when(w, &item.path.key("when"), problems));
        step.mode = if item.mode == WrittenMode::Shadow { Mode::Shadow } else { Mode::Enforce };
        step.on_error = match item.on_error {
            WrittenOnError::Fail => OnError::Fail,
            WrittenOnError::Continue => OnError::Continue,
        };
        step
    }
}

/// Puts steps together; the first `shared` ones are the listener's.
pub(super) fn chain(steps: &[Built], shared: usize, path: &Path, problems: &mut Problems) -> Arc<Chain> {
    if steps.len() > StepSet::MAX {
        let at = steps.last().map(|b| b.item.at).unwrap_or_default();
        let message = format!("{} filters are more than the {} a route may have", steps.len(), StepSet::MAX);
        problems.error(at, path, message);
    }
    order::check(steps, shared, problems);
    Arc::new(Chain::new(steps.iter().map(|b| b.step.clone()).collect(), shared))
}
