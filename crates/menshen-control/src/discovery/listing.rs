//! The services that a registry lists, for the routes that are made of them. A failure changes nothing; who is missing in good
//! answers is still listed for a while; and what was known outlives the process.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use menshen_config::document::{Registries, RegistryRoutes};

use super::{back_off, consul, eureka};
use crate::Ground;

/// How long a service that is missing is still listed.
const LINGER: Duration = Duration::from_secs(120);
/// The longest list that is believed.
const LONGEST: usize = 20_000;

/// Who lists services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Registry {
    /// Eureka.
    Eureka,
    /// Consul.
    Consul,
}

impl Registry {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Eureka, Self::Consul];

    /// Its name in documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Eureka => "eureka",
            Self::Consul => "consul",
        }
    }

    /// The name of a service as its routes have it: Eureka writes all in capitals.
    pub fn name_of(self, listed: &str) -> String {
        match self {
            Self::Eureka => listed.to_lowercase(),
            Self::Consul => listed.to_owned(),
        }
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A list that the configuration wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Who can be asked.
    pub registries: Arc<Registries>,
    /// Where what is known is kept.
    pub folder: PathBuf,
}

impl Wanted {
    /// Whom the list is of: one of others is nothing to go by.
    pub(super) fn from(&self, registry: Registry) -> String {
        let Registries { eureka, consul, .. } = &*self.registries;
        let urls: Vec<String> = match registry {
            Registry::Eureka => eureka
                .iter()
                .flat_map(|e| e.servers.iter().chain(e.zones.values().flat_map(|zone| zone.iter())))
                .map(|url| url.value.to_string())
                .collect(),
            Registry::Consul => {
                consul.iter().flat_map(|c| c.address.iter()).map(|url| url.value.to_string()).collect()
            }
        };
        urls.join(" ")
    }

    fn linger(&self, registry: Registry) -> Duration {
        let routes: Option<&RegistryRoutes> = match registry {
            Registry::Eureka => self.registries.eureka.as_ref().and_then(|e| e.routes.as_deref()),
            Registry::Consul => self.registries.consul.as_ref().and_then(|c| c.routes.as_deref()),
        };
        routes.and_then(|routes| routes.linger).map_or(LINGER, |linger| linger.0)
    }
}

/// What a registry lists, as far as it is known.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Whom it is of.
    from: String,
    /// `None` until there is an answer.
    pub(super) names: Option<Arc<[Box<str>]>>,
    /// Services that are missing, and since when.
    missing: BTreeMap<Box<str>, Instant>,
    /// Since when it is asked for.
    pub(super) since: Instant,
    trouble: Option<String>,
}

impl Listed {
    fn nothing(from: String) -> Self {
        Self { from, names: None, missing: BTreeMap::new(), since: Instant::now(), trouble: None }
    }

    /// Takes an answer; true when the list is another one now. Who is listed longer comes first: what is new must not take
    /// the place of what serves.
    fn answered(&mut self, mut answer: BTreeSet<Box<str>>, linger: Duration, now: Instant) -> bool {
        let before: &[Box<str>] = self.names.as_deref().unwrap_or_default();
        self.missing.retain(|name, _| !answer.contains(name));
        let mut list = Vec::with_capacity(answer.len());
        for name in before {
            let is_there = answer.remove(name);
            if !is_there {
                let since = *self.missing.entry(name.clone()).or_insert(now);
                if now.saturating_duration_since(since) >= linger {
                    self.missing.remove(name);
                    continue;
                }
            }
            list.push(name.clone());
        }
        list.extend(answer);
        let is_other = self.names.as_deref() != Some(&list[..]);
        self.names = Some(list.into());
        is_other
    }
}

impl super::Discovery {
    /// The list of a registry as it is known now; where nobody has asked yet, what was known last time.
    pub(crate) fn list(&self, registry: Registry, wanted: &Wanted) -> Option<Arc<[Box<str>]>> {
        let from = wanted.from(registry);
        if let Some(known) = self.lock_listed().get(&registry).filter(|known| known.from == from) {
            return known.names.clone();
        }
        file::read(&wanted.folder, registry, &from)
    }

    /// These lists are wanted from now on.
    pub(super) fn want_lists(&self, wanted: &BTreeMap<Registry, Wanted>) {
        let mut listed = self.lock_listed();
        listed
            .retain(|registry, known| wanted.get(registry).is_some_and(|w| w.from(*registry) == known.from));
        for (registry, wanted) in wanted {
            listed.entry(*registry).or_insert_with(|| {
                let mut known = Listed::nothing(wanted.from(*registry));
                known.names = file::read(&wanted.folder, *registry, &known.from);
                known
            });
        }
    }
}

/// Follows the list of a registry until it is dropped.
pub(super) async fn follow(registry: Registry, wanted: Wanted, ground: Arc<Ground>) {
    let keeper = Follower { registry, wanted, ground };
    let mut failures = 0;
    loop {
        let why = match registry {
            Registry::Eureka => keeper.follow_eureka().await,
            Registry::Consul => keeper.follow_consul().await,
        };
        failures += 1;
        keeper.failed(why);
        tokio::time::sleep(back_off(failures)).await;
    }
}

struct Follower {
    registry: Registry,
    wanted: Wanted,
    ground: Arc<Ground>,
}

impl Follower {
    /// Returns why it cannot be asked.
    async fn follow_eureka(&self) -> String {
        let Some(written) = &self.wanted.registries.eureka else {
            return "nothing says where it is".to_owned();
        };
        let registry = match eureka::open::registry(&written.value, None, &self.ground) {
            Ok(registry) => registry,
            Err(why) => return why,
        };
        let mut follower = registry.follow();
        loop {
            match follower.next().await.known {
                Ok(known) => self.answered(known.names().map(Into::into).collect()).await,
                Err(why) => self.failed(why.to_string()),
            }
        }
    }

    /// Returns why it cannot be asked.
    async fn follow_consul(&self) -> String {
        let Some(written) = &self.wanted.registries.consul else {
            return "nothing says where it is".to_owned();
        };
        let mut catalog = match consul::open::catalog(&written.value, &self.ground) {
            Ok(catalog) => catalog,
            Err(why) => return why,
        };
        loop {
            match catalog.next().await {
                Ok(names) => self.answered(names).await,
                Err(why) => self.failed(why),
            }
        }
    }

    async fn answered(&self, names: BTreeSet<Box<str>>) {
        if names.len() > LONGEST {
            return self.failed(format!("{} services are more than {LONGEST}", names.len()));
        }
        let (registry, linger) = (self.registry, self.wanted.linger(self.registry));
        let changed = self.update(|known| {
            known.trouble = None;
            known.answered(names, linger, Instant::now()).then(|| (known.from.clone(), known.names.clone()))
        });
        let Some(Some((from, Some(names)))) = changed else { return };
        tracing::info!(%registry, services = names.len(), "the list of services changed");
        self.ground.discovery.list_has_changed();
        let folder = self.wanted.folder.clone();
        let kept = tokio::task::spawn_blocking(move || file::write(&folder, registry, &from, &names)).await;
        if let Err(why) = kept.unwrap_or_else(|e| Err(e.to_string())) {
            tracing::warn!(%registry, "{why}; without it, a start without the registry makes no routes of it");
        }
    }

    fn failed(&self, why: String) {
        let is_new = self.update(|known| known.trouble.replace(why.clone()).as_ref() != Some(&why));
        if is_new == Some(true) {
            tracing::warn!(registry = %self.registry, "{why}; the last good list of services stays");
        }
    }

    fn update<T>(&self, change: impl FnOnce(&mut Listed) -> T) -> Option<T> {
        let from = self.wanted.from(self.registry);
        let mut listed = self.ground.discovery.lock_listed();
        // After a reload it may be that of others, who are asked by somebody else.
        listed.get_mut(&self.registry).filter(|known| known.from == from).map(change)
    }
}

/// Where lists are kept, beside what is known of services.
pub(super) fn folder(discovered: &Path) -> PathBuf {
    discovered.with_file_name("listed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<Box<str>> {
        names.iter().map(|name| Box::from(*name)).collect()
    }

    #[test]
    fn who_is_missing_is_listed_until_it_was_missing_long_enough() {
        let (mut listed, start) = (Listed::nothing(String::new()), Instant::now());
        let linger = Duration::from_secs(10);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(listed.answered(set(&["a", "b"]), linger, start));
        assert!(!listed.answered(set(&["a"]), linger, at(1)));
        assert!(!listed.answered(set(&[]), linger, at(5)), "not even if all are missing at once");
        assert!(!listed.answered(set(&["a", "b"]), linger, at(6)));
        assert!(!listed.answered(set(&["a"]), linger, at(12)), "it was there in between");
        assert!(listed.answered(set(&["a", "c"]), linger, at(22)));
        assert_eq!(listed.names.as_deref(), Some(&["a".into(), "c".into()][..]));
    }

    #[test]
    fn what_is_new_comes_behind_what_is_there() {
        let mut listed = Listed::nothing(String::new());
        for answer in [&["m"][..], &["a", "m"], &["a", "b", "m"]] {
            assert!(listed.answered(set(answer), Duration::ZERO, Instant::now()));
        }
        assert_eq!(listed.names.as_deref(), Some(&["m".into(), "a".into(), "b".into()][..]));
        assert!(!listed.answered(set(&["a", "b", "m"]), Duration::ZERO, Instant::now()));
    }

    #[test]
    fn an_empty_list_is_an_answer() {
        let mut listed = Listed::nothing(String::new());
        assert!(listed.answered(set(&[]), Duration::ZERO, Instant::now()));
        assert!(listed.names.is_some());
    }
}
