//! Rollouts: shares of groups that grow by themselves, and that end when too many replies are bad. Workers only read how wide a
//! share is; what it should be is reckoned here, a few times a second.

mod progress;
mod record;
mod replies;
mod view;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use menshen_proxy::split::{GroupStats, Rollout, Stage};
use rustc_hash::FxHashSet;

use crate::Ground;
use crate::store::Store;
use progress::{Event, Progress};
use record::Record;

pub use progress::Plan;
pub(crate) use view::view;

/// How often shares are reckoned.
const TICK: Duration = Duration::from_millis(250);

/// The rollouts that are served; they outlive generations, and the process where there is a store.
#[derive(Debug, Default)]
pub struct Rollouts {
    /// The one that was compiled last comes last.
    list: Mutex<Vec<Running>>,
}

/// Which rollout is meant, and what makes it another one than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The route.
    pub route: Box<str>,
    /// The group.
    pub group: Box<str>,
    /// Its share, as it is written.
    pub share: Box<str>,
    /// Where it leads, as it is written.
    pub to: Box<str>,
}

#[derive(Debug)]
struct Running {
    identity: Identity,
    shown: Arc<Rollout>,
    stats: Arc<GroupStats>,
    progress: Progress,
    /// It is not yet in the store as it is.
    is_unsaved: bool,
}

/// How a rollout is.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Which.
    pub identity: Identity,
    /// The share now, in millionths.
    pub width: u32,
    /// How far it is.
    pub stage: Stage,
    /// Why it was stopped, for people.
    pub why: Option<String>,
}

impl Rollouts {
    fn lock(&self) -> MutexGuard<'_, Vec<Running>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rollout with this identity: the one that is under way, the one that was before this process started, or a new one.
    pub(crate) fn get(
        &self,
        identity: Identity,
        plan: Plan,
        stats: &Arc<GroupStats>,
        store: Option<&dyn Store>,
    ) -> Arc<Rollout> {
        let mut list = self.lock();
        if let Some(at) = list.iter().position(|running| running.identity == identity) {
            let running = list.remove(at);
            let shown = running.shown.clone();
            list.push(running);
            return shown;
        }
        let (now, wall) = (Instant::now(), SystemTime::now());
        let record = store.and_then(|store| Record::read(store, &identity));
        let progress = match &record {
            Some(record) => Progress::continued(plan, record.age(wall), record.stopped.clone(), now),
            None => Progress::new(plan, now),
        };
        let shown = Arc::new(Rollout::new(progress.width(now), progress.stage(now)));
        let is_unsaved = record.is_none();
        list.push(Running { identity, shown: shown.clone(), stats: stats.clone(), progress, is_unsaved });
        shown
    }

    /// Forgets what no generation uses any more.
    pub fn sweep(&self) {
        self.lock().retain(|running| Arc::strong_count(&running.shown) > 1);
    }

    /// How all rollouts are.
    pub fn standings(&self) -> Vec<Standing> {
        let list = self.lock();
        list.iter()
            .zip(current(&list))
            .filter(|(_, is_current)| *is_current)
            .map(|(running, _)| Standing {
                identity: running.identity.clone(),
                width: running.shown.width(),
                stage: running.shown.stage(),
                why: running.progress.why().map(str::to_owned),
            })
            .collect()
    }

    /// Begins a rollout anew, from its first share. False if there is none in this group.
    pub fn resume(&self, route: &str, group: &str) -> bool {
        let mut list = self.lock();
        let is_meant =
            |running: &&mut Running| *running.identity.route == *route && *running.identity.group == *group;
        let Some(running) = list.iter_mut().rev().find(is_meant) else { return false };
        let now = Instant::now();
        running.progress.restart(now);
        running.shown.set(running.progress.width(now), running.progress.stage(now));
        running.is_unsaved = true;
        true
    }

    /// Reckons all shares.
    fn tick(&self, now: Instant) {
        let mut list = self.lock();
        let current = current(&list);
        // What is counted is the doing of the current one.
        for (running, _) in list.iter_mut().zip(current).filter(|(_, is_current)| *is_current) {
            let event = running.progress.tick(running.counted(), now);
            let (width, stage) = (running.progress.width(now), running.progress.stage(now));
            running.shown.set(width, stage);
            running.is_unsaved |= matches!(event, Some(Event::Stopped));
            running.tell(event);
        }
    }

    /// Writes down what has changed, and takes away what is no rollout any more.
    fn save(&self, store: &dyn Store) {
        let mut list = self.lock();
        let written = Record::keys(store);
        let is_current = |key: &String| list.iter().any(|running| Record::key(&running.identity) == *key);
        for key in written.iter().filter(|key| !is_current(key)) {
            Record::forget(store, key);
        }
        for running in list.iter_mut().filter(|running| running.is_unsaved) {
            running.is_unsaved = false;
            let age = running.progress.age(Instant::now());
            Record::of(age, running.progress.why()).write(store, &running.identity);
        }
    }

    fn has_unsaved(&self) -> bool {
        self.lock().iter().any(|running| running.is_unsaved)
    }
}

/// Which rollouts are the last ones of their groups: others belong to generations that end.
fn current(list: &[Running]) -> Vec<bool> {
    let mut seen = FxHashSet::default();
    let of_group = |running: &Running| (running.identity.route.clone(), running.identity.group.clone());
    let mut current: Vec<bool> = list.iter().rev().map(|running| seen.insert(of_group(running))).collect();
    current.reverse();
    current
}

impl Running {
    fn counted(&self) -> replies::Counted {
        replies::Counted {
            requests: self.stats.sum(|cells| &cells.requests),
            bad: self.stats.sum(|cells| &cells.bad),
        }
    }

    fn tell(&self, event: Option<Event>) {
        let Identity { route, group, share, .. } = &self.identity;
        match event {
            Some(Event::Stopped) => {
                let why = self.progress.why().unwrap_or_default();
                tracing::warn!(
                    %route, %group, %share,
                    "rollout stopped: {why}; nobody is in the group until its `share` or `to` changes or an admin resumes it"
                );
            }
            Some(Event::Completed) => tracing::info!(%route, %group, %share, "rollout complete"),
            None => {}
        }
    }
}

/// Looks after rollouts until it is dropped.
pub async fn run(ground: Arc<Ground>) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut known = None;
    loop {
        tick.tick().await;
        ground.rollouts.tick(Instant::now());
        let Some(store) = ground.store.get() else { continue };
        let count = ground.rollouts.lock().len();
        if known.replace(count) != Some(count) || ground.rollouts.has_unsaved() {
            ground.rollouts.save(&*store);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;

    const PLAN: Plan =
        Plan { from: 10_000, to: 20_000, over: Duration::from_secs(3600), stop_above: Some(0.01) };

    fn identity(share: &str) -> Identity {
        Identity { route: "r".into(), group: "g".into(), share: share.into(), to: "s".into() }
    }

    fn stats() -> Arc<GroupStats> {
        Arc::new(GroupStats::new(1))
    }

    fn fail(stats: &GroupStats) {
        let cells = stats.of(0).unwrap();
        cells.requests.add(100);
        cells.bad.add(100);
    }

    #[test]
    fn a_rollout_goes_on_as_long_as_somebody_has_it_and_it_is_the_same() {
        let (rollouts, stats) = (Rollouts::default(), stats());
        let first = rollouts.get(identity("a"), PLAN, &stats, None);
        let same = rollouts.get(identity("a"), PLAN, &stats, None);
        assert!(Arc::ptr_eq(&first, &same));
        let other = rollouts.get(identity("b"), PLAN, &stats, None);
        assert!(!Arc::ptr_eq(&first, &other));
        assert_eq!(rollouts.standings().len(), 1, "the last one of the group");
        drop((first, same));
        rollouts.sweep();
        assert_eq!(rollouts.lock().len(), 1);
    }

    #[test]
    fn a_document_that_is_refused_changes_nothing() {
        let (rollouts, stats) = (Rollouts::default(), stats());
        let serving = rollouts.get(identity("a"), PLAN, &stats, None);
        drop(rollouts.get(identity("b"), PLAN, &stats, None));
        rollouts.sweep();
        rollouts.tick(Instant::now());
        fail(&stats);
        rollouts.tick(Instant::now());
        assert_eq!((serving.stage(), serving.width()), (Stage::Stopped, 0));
        assert_eq!(&*rollouts.standings()[0].identity.share, "a");
    }

    #[test]
    fn the_store_remembers_when_a_rollout_began_and_that_it_was_stopped() {
        let (store, stats) = (Memory::default(), stats());
        let before = Rollouts::default();
        let shown = before.get(identity("a"), PLAN, &stats, Some(&store));
        before.save(&store);
        assert!(!before.has_unsaved());
        before.tick(Instant::now());
        fail(&stats);
        before.tick(Instant::now());
        assert!(before.has_unsaved() && shown.stage() == Stage::Stopped);
        before.save(&store);

        let after = Rollouts::default();
        let again = after.get(identity("a"), PLAN, &stats, Some(&store));
        assert_eq!((again.stage(), again.width()), (Stage::Stopped, 0));
        assert!(after.standings()[0].why.as_ref().unwrap().starts_with("100 of 100 replies"));
        let other = after.get(identity("b"), PLAN, &stats, Some(&store));
        assert_eq!(other.stage(), Stage::Growing);
        drop(again);
        after.sweep();
        after.save(&store);
        assert_eq!(Record::keys(&store), [Record::key(&identity("b"))]);
    }

    #[test]
    fn a_rollout_that_began_before_is_as_far_as_if_the_process_had_run() {
        let (store, stats) = (Memory::default(), stats());
        Record::of(Duration::from_secs(1800), None).write(&store, &identity("a"));
        let rollouts = Rollouts::default();
        let width = rollouts.get(identity("a"), PLAN, &stats, Some(&store)).width();
        assert!((15_000..15_100).contains(&width), "{width}");
    }
}
