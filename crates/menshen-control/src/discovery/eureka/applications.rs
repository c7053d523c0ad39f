//! The registry as this node knows it: whole sets replace it, deltas change it, and a hash code tells whether both sides
//! mean the same.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use menshen_config::document::EurekaStatus as Status;

use super::instance::{Action, Info};
use super::json;

/// All instances, also those that take no requests: they count for the hash code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applications {
    by_app: BTreeMap<Box<str>, BTreeMap<Box<str>, Info>>,
}

impl Applications {
    /// From a whole answer.
    pub fn of(answer: json::Applications) -> Self {
        let mut all = Self::default();
        for (_, info) in answer.instances {
            all.put(info);
        }
        all
    }

    /// With what has changed. `None` where that does not give what the server has, by its hash code.
    pub fn with(self: Arc<Self>, delta: json::Applications) -> Option<Arc<Self>> {
        let hash = delta.hash.clone().filter(|_| delta.version.as_deref() != Some("-1"))?;
        let mut changed = self;
        if !delta.instances.is_empty() {
            Arc::make_mut(&mut changed).apply(delta);
        }
        (changed.hash() == *hash).then_some(changed)
    }

    /// Applies what has changed.
    pub fn apply(&mut self, delta: json::Applications) {
        for (action, info) in delta.instances {
            match action {
                Action::Added => self.put(info),
                Action::Deleted => self.remove(&info),
            }
        }
    }

    fn put(&mut self, info: Info) {
        self.by_app.entry(info.app.clone()).or_default().insert(info.id.clone(), info);
    }

    fn remove(&mut self, info: &Info) {
        let Some(instances) = self.by_app.get_mut(&info.app) else { return };
        instances.remove(&info.id);
        if instances.is_empty() {
            self.by_app.remove(&info.app);
        }
    }

    /// `DOWN_1_UP_2_`: how many there are in each state.
    pub fn hash(&self) -> String {
        let mut counts: BTreeMap<Status, usize> = BTreeMap::new();
        for info in self.all() {
            *counts.entry(info.status).or_default() += 1;
        }
        let mut hash = String::new();
        for (status, count) in counts {
            let _ = write!(hash, "{}_{count}_", status.word());
        }
        hash
    }

    /// True when nothing is known.
    pub fn is_empty(&self) -> bool {
        self.by_app.is_empty()
    }

    /// How many instances there are.
    pub fn len(&self) -> usize {
        self.by_app.values().map(BTreeMap::len).sum()
    }

    /// The instances of an application, by its name in any case.
    pub fn app(&self, name: &str) -> impl Iterator<Item = &Info> {
        self.by_app.get(&*name.to_uppercase()).into_iter().flat_map(BTreeMap::values)
    }

    /// All instances.
    pub fn all(&self) -> impl Iterator<Item = &Info> {
        self.by_app.values().flat_map(BTreeMap::values)
    }

    /// The names of all applications with instances.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_app.keys().map(|name| &**name)
    }
}
