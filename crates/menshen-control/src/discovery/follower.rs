//! The follower of a service: takes what its source says and decides what it is worth.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use menshen_config::document::Place;
use rustc_hash::FxHashSet;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::hold::Hold;
use super::known::{Held, Trouble};
use super::{Answer, Finding, Findings, Instance, Wanted, back_off, cache, probe, sources};
use crate::Ground;

/// The largest set that is believed.
const LARGEST: usize = 200_000;
/// How often places of a set that is held are tried.
const PROBE_EACH: Duration = Duration::from_secs(2);
/// How old what is kept on disk may get while nothing changes.
const KEEP_EACH: Duration = Duration::from_secs(600);
/// Changes that come this close together are kept together.
const QUIET: Duration = Duration::from_millis(200);

/// Follows one service.
pub(super) struct Follower {
    service: Box<str>,
    wanted: Wanted,
    folder: PathBuf,
    ground: Arc<Ground>,
    hold: Hold,
    /// Places of a held set that are tried now: is anybody there?
    probing: JoinSet<bool>,
    probe_next: Instant,
    /// The writing of what is known.
    keeping: JoinSet<Result<(), String>>,
    kept: Option<Instant>,
    is_kept: bool,
    cannot_keep: bool,
}

impl Follower {
    pub(super) fn new(
        service: &str,
        wanted: &Wanted,
        folder: &std::path::Path,
        ground: &Arc<Ground>,
    ) -> Self {
        Self {
            service: service.into(),
            wanted: wanted.clone(),
            folder: folder.into(),
            ground: ground.clone(),
            hold: Hold::of(&wanted.discover.hold),
            probing: JoinSet::new(),
            probe_next: Instant::now(),
            keeping: JoinSet::new(),
            kept: None,
            is_kept: true,
            cannot_keep: false,
        }
    }

    /// Follows until it is dropped. A source that ends, by a panic for instance, is opened again.
    pub(super) async fn run(mut self) {
        let from = self.wanted.discover.from.to_string();
        self.ground.discovery.update(&self.service, |known| {
            known.is_from_another |= *known.from != *from;
            (known.from, known.held) = (from.into(), None);
        });
        let mut ends = 0;
        loop {
            let (to, mut told) = Findings::channel();
            let mut source = JoinSet::new();
            match sources::open(&self.wanted, &self.ground) {
                Ok(opened) => {
                    source.spawn(opened.run(to));
                    self.follow(&mut told).await;
                    ends += 1;
                    self.failed("it ended although nobody asked it to; it is started again".to_owned());
                }
                Err(why) => {
                    ends += 1;
                    self.failed(why);
                }
            }
            drop(source);
            let wait = back_off(ends);
            self.note_next(Some(wait));
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes what the source says until it says nothing more.
    async fn follow(&mut self, told: &mut mpsc::Receiver<Finding>) {
        loop {
            let is_held = self.ground.discovery.update(&self.service, |k| k.held.is_some()) == Some(true);
            let probes = is_held && self.probing.is_empty();
            tokio::select! {
                finding = told.recv() => match finding {
                    Some(finding) => self.take(finding).await,
                    None => return,
                },
                Some(there) = self.probing.join_next() => self.probed(there.unwrap_or(true)),
                Some(kept) = self.keeping.join_next() => self.note_kept(kept),
                () = tokio::time::sleep_until(self.probe_next.into()), if probes => self.probe(),
            }
        }
    }

    async fn take(&mut self, finding: Finding) {
        self.note_next(finding.again_in);
        match finding.answer {
            Answer::Failed(why) => self.failed(why),
            Answer::Set(list) if list.len() > LARGEST => {
                self.failed(format!("{} instances are more than {LARGEST}", list.len()));
            }
            Answer::Set(list) => {
                let unknown = self.look_up(&list).await;
                // A large one takes a while; everything else of control goes on meanwhile.
                match tokio::task::spawn_blocking(move || ordered(list)).await {
                    Ok(set) => self.answered(set),
                    Err(error) => self.failed(error.to_string()),
                }
                if let Some(why) = unknown {
                    self.failed(why);
                }
            }
        }
    }

    /// A service that is made of what a registry lists has the name of its source. There may be a thousand of them, and the one who
    /// follows the list says what is wrong with the registry.
    fn is_generated(&self) -> bool {
        *self.service == *self.wanted.discover.from.to_string()
    }

    fn note_next(&self, again_in: Option<Duration>) {
        self.ground.discovery.update(&self.service, |k| k.next = again_in.map(|wait| Instant::now() + wait));
    }

    fn failed(&self, why: String) {
        let is_new = self.ground.discovery.update(&self.service, |known| {
            known.failures += 1;
            let before = known.trouble.take();
            let is_new = before.as_ref().is_none_or(|t| *t.why != *why);
            let (since, times) = before.map_or((Instant::now(), 0), |t| (t.since, t.times));
            known.trouble = Some(Trouble { why: why.as_str().into(), since, times: times.saturating_add(1) });
            is_new.then_some(known.set.is_some())
        });
        if let Some(Some(has_set)) = is_new {
            let (service, from) = (&self.service, &self.wanted.discover.from);
            let meanwhile = if has_set { "the last good endpoints stay" } else { "it has no endpoints yet" };
            match self.is_generated() {
                true => tracing::debug!(%service, "{from}: {why}; {meanwhile}"),
                false => tracing::warn!(%service, "{from}: {why}; {meanwhile}"),
            }
        }
    }

    /// Names that instances have instead of addresses are looked up here, because compiling must not wait. What could not be
    /// found is told.
    async fn look_up(&self, list: &[Instance]) -> Option<String> {
        let names = list.iter().filter_map(|i| match &i.address {
            Place::Net(address) => Some(address),
            Place::Unix(_) => None,
        });
        let unknown: Vec<_> = names.filter(|a| self.ground.names.known(a).is_empty()).cloned().collect();
        if unknown.is_empty() {
            return None;
        }
        let failed = match self.ground.discovery.resolver() {
            Ok(resolver) => resolver.look_up(&self.ground.names, unknown).await.failed,
            Err(why) => return Some(why),
        };
        let (address, why) = failed.first()?;
        Some(match failed.len() {
            1 => format!("`{address}` cannot be resolved: {why}"),
            n => format!("{n} names cannot be resolved, for instance `{address}`: {why}"),
        })
    }

    /// Decides what an answer is worth.
    fn answered(&mut self, set: Arc<[Instance]>) {
        let hold = self.hold;
        let serves = self.ground.discovery.update(&self.service, |known| {
            known.answers += 1;
            known.trouble = None;
            if std::mem::take(&mut known.is_from_another) {
                // What another one said is nothing to judge this one by.
                return None;
            }
            let current = known.set.clone()?;
            let (of, since, agreed) =
                known.held.as_ref().map_or((current.len(), Instant::now(), 0), |h| (h.of, h.since, h.agreed));
            let held = Held { set: set.clone(), of, since, agreed: agreed.saturating_add(1) };
            let is_held =
                hold.is_sudden(of, set.len()) && !hold.is_believed(held.agreed, held.since.elapsed());
            known.held = is_held.then_some(held);
            known.held.as_ref().map(|h| (with_missing(&h.set, &current), h.agreed == 1))
        });
        match serves.flatten() {
            // Beside what is missing, what is new serves at once.
            Some((union, is_new)) => {
                if is_new {
                    self.warn_of_hold(set.len());
                    self.probe();
                }
                self.serve(union, None);
            }
            None => self.serve(set, Some(SystemTime::now())),
        }
    }

    fn warn_of_hold(&self, left: usize) {
        let of = self.ground.discovery.set(&self.service).map_or(0, |s| s.len());
        let (service, from) = (&self.service, &self.wanted.discover.from);
        tracing::warn!(%service, "{from}: only {left} of {of} endpoints are left; the others stay until nobody answers there");
    }

    /// This set serves from now on.
    fn serve(&mut self, set: Arc<[Instance]>, confirmed: Option<SystemTime>) {
        let changed = self.ground.discovery.update(&self.service, |known| {
            if confirmed.is_some() {
                (known.confirmed, known.is_from_cache) = (confirmed, false);
            }
            let before = known.set.as_ref().filter(|s| ***s == *set).map(|s| s.len());
            if before.is_none() {
                known.changes += 1;
                known.set = Some(set.clone());
            }
            before.is_none()
        });
        if changed == Some(true) {
            let (service, endpoints) = (&self.service, set.len());
            match self.is_generated() {
                true => tracing::debug!(%service, endpoints, "endpoints of the service changed"),
                false => tracing::info!(%service, endpoints, "endpoints of the service changed"),
            }
            self.ground.discovery.has_changed(&self.service);
            self.is_kept = false;
        }
        if !self.is_kept || self.kept.is_none_or(|at| at.elapsed() > KEEP_EACH) {
            self.keep();
        }
    }

    /// Tries some of the places that a held answer lacks.
    fn probe(&mut self) {
        let missing = self.ground.discovery.update(&self.service, |known| {
            let (held, current) = (known.held.as_ref()?, known.set.as_ref()?);
            let left: FxHashSet<&Place> = held.set.iter().map(|i| &i.address).collect();
            let missing = current.iter().filter(|i| !left.contains(&i.address));
            Some(missing.cloned().collect::<Vec<_>>())
        });
        let Some(missing) = missing.flatten() else { return };
        let places = probe::some_places(&self.ground, missing.iter());
        self.probing.abort_all();
        self.probing = JoinSet::new();
        self.probing.spawn(probe::is_anybody_there(places));
        self.probe_next = Instant::now() + PROBE_EACH;
    }

    /// Nobody is there: the answer was right.
    fn probed(&mut self, is_anybody_there: bool) {
        if is_anybody_there {
            return;
        }
        let held = self.ground.discovery.update(&self.service, |known| known.held.take()).flatten();
        if let Some(held) = held {
            let service = &self.service;
            tracing::info!(%service, "nobody answers at the endpoints that were missing; they are gone");
            self.serve(held.set, Some(SystemTime::now()));
        }
    }

    /// Keeps what is known, on disk and beside everything else.
    fn keep(&mut self) {
        self.is_kept = false;
        if !self.keeping.is_empty() {
            return;
        }
        (self.kept, self.is_kept) = (Some(Instant::now()), true);
        let (ground, folder, service) = (self.ground.clone(), self.folder.clone(), self.service.clone());
        let from = self.wanted.discover.from.to_string();
        self.keeping.spawn(async move {
            tokio::time::sleep(QUIET).await;
            let Some(set) = ground.discovery.set(&service) else { return Ok(()) };
            let work = tokio::task::spawn_blocking(move || cache::write(&folder, &service, &from, &set));
            work.await.unwrap_or_else(|e| Err(e.to_string()))
        });
    }

    fn note_kept(&mut self, kept: Result<Result<(), String>, tokio::task::JoinError>) {
        let outcome = kept.unwrap_or_else(|e| Err(e.to_string()));
        if let Err(why) = &outcome
            && !self.cannot_keep
        {
            let service = &self.service;
            tracing::warn!(%service, "{why}; without it, a start without the registry finds no endpoints. `gateway: {{ store: FOLDER }}` names another folder");
        }
        self.cannot_keep = outcome.is_err();
        if !self.is_kept {
            self.keep();
        }
    }
}

/// In an order of its own, so that the order of an answer means nothing, and no place twice.
fn ordered(mut list: Vec<Instance>) -> Arc<[Instance]> {
    list.sort_by_cached_key(|i| (i.address.to_string(), i.id.clone()));
    list.dedup_by(|a, b| a.address == b.address);
    list.into()
}

/// A set with the instances of another that it lacks.
fn with_missing(set: &[Instance], before: &[Instance]) -> Arc<[Instance]> {
    let here: FxHashSet<&Place> = set.iter().map(|i| &i.address).collect();
    let missing = before.iter().filter(|i| !here.contains(&i.address));
    ordered(set.iter().chain(missing).cloned().collect())
}
