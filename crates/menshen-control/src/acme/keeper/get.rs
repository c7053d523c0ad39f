//! Getting what is due, several certificates at once, and what came of it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use menshen_proxy::condition::UnixSeconds;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};

use super::attempt::{AT_ONCE, Attempt, Outcome};
use super::{Keeper, LEASE_LENGTH};
use crate::acme::authority;
use crate::acme::plan::{Names, Plan};
use crate::acme::progress::{Standing, time};
use crate::acme::reason::NoCertificate;
use crate::acme::renewal;
use crate::expiry::now;
use crate::store::{Hold, Store};

/// How often all of an order is done once more at once, where that helps.
const MORE: u32 = 4;

/// What is to be got, and how often that was tried without a break.
type Waiting = VecDeque<(Names, u32)>;

/// The attempts that are under way.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<Outcome>,
    names: HashMap<Id, (Names, u32)>,
}

impl UnderWay {
    /// The first that waits and shares no name with those under way: an authority asks about a name once at a time.
    fn next_of(&self, waiting: &mut Waiting) -> Option<(Names, u32)> {
        let is_free = |names: &Names| !self.names.values().any(|(other, _)| other.shares(names));
        let i = waiting.iter().position(|(names, _)| is_free(names))?;
        waiting.remove(i)
    }
}

impl Keeper {
    /// Gets what is due, or notes why not. The node that has the lease, if that is not this one any more.
    pub(super) async fn get(
        &mut self,
        plan: &Arc<Plan>,
        store: &Arc<dyn Store>,
        due: Vec<Names>,
        plans: &watch::Receiver<Option<Arc<Plan>>>,
    ) -> Result<Option<Box<str>>, String> {
        let mut waiting: Waiting = due.into_iter().map(|names| (names, 0)).collect();
        let (mut under_way, mut leader) = (UnderWay::default(), Ok(None));
        loop {
            if plans.has_changed().unwrap_or(true) || !matches!(leader, Ok(None)) {
                waiting.clear();
            }
            while under_way.tasks.len() < AT_ONCE
                && let Some((names, tries)) = under_way.next_of(&mut waiting)
            {
                let account = match self.account(plan, store).await {
                    Ok(account) => account,
                    Err(why) => {
                        // Without an account there is nothing to be had for the others either.
                        let others = waiting.drain(..).map(|(names, _)| names).collect();
                        self.failed_all(&names, others, why);
                        break;
                    }
                };
                let known = self.acme().shelf.exact(&plan.directory, &names);
                let replaces = known.filter(|_| self.windows.get(&names).is_some_and(|(w, _)| w.is_some()));
                let (plan, store, board) = (plan.clone(), store.clone(), self.board.clone());
                let plans = plans.clone();
                let attempt = Attempt { plan, store, board, account, names: names.clone(), replaces, plans };
                let task = under_way.tasks.spawn(attempt.make());
                under_way.names.insert(task.id(), (names, tries));
            }
            // Orders may take longer than the lease lasts.
            let done = tokio::time::timeout(LEASE_LENGTH / 3, under_way.tasks.join_next_with_id()).await;
            match self.take_lease(store).await {
                Ok(Hold::Theirs { holder, .. }) => leader = Ok(Some(holder)),
                Ok(Hold::Ours { .. }) => {}
                Err(why) => leader = Err(why),
            }
            let (id, outcome) = match done {
                Err(_) => continue,
                Ok(None) => return leader,
                Ok(Some(Ok(done))) => done,
                Ok(Some(Err(error))) => {
                    let why = "something went wrong here, and not at the authority; please report it";
                    (error.id(), Outcome::Failed(why.to_owned().into()))
                }
            };
            if let Some((names, tries)) = under_way.names.remove(&id) {
                self.note(plan, store, (names, tries), outcome, &mut waiting).await;
                self.tell(plan, None, None);
            }
        }
    }

    /// Notes what came of an attempt; where another one helps at once it waits again.
    async fn note(
        &mut self,
        plan: &Plan,
        store: &Arc<dyn Store>,
        (names, tries): (Names, u32),
        outcome: Outcome,
        waiting: &mut Waiting,
    ) {
        match outcome {
            Outcome::Got => self.succeeded(plan, &names),
            Outcome::Dropped => {}
            // The authority has lost it: a new one does as well.
            Outcome::Failed(NoCertificate::UnknownAccount) if tries < MORE => {
                self.account = None;
                match authority::forget_account(plan, store).await {
                    Ok(()) => waiting.push_back((names, tries + 1)),
                    Err(why) => self.failed(&names, why.into()),
                }
            }
            Outcome::Failed(NoCertificate::LostNonce) if tries < MORE => {
                waiting.push_back((names, tries + 1));
            }
            Outcome::Failed(why) => self.failed(&names, why),
        }
    }

    fn succeeded(&mut self, plan: &Plan, names: &Names) {
        self.windows.remove(names);
        let standing = self.standings.entry(names.clone()).or_default();
        *standing = Standing { got: standing.got + 1, failed: standing.failed, ..Standing::default() };
        let expires = self.acme().shelf.exact(&plan.directory, names).map_or(0, |c| c.expires);
        tracing::info!("acme: got a certificate for {names}; it ends {}", time(expires));
    }

    /// One reason for all of them: it is told once.
    fn failed_all(&mut self, first: &Names, others: Vec<Names>, why: NoCertificate) {
        let (asked, why) = why.parts();
        let next = others.iter().map(|n| self.note_failure(n, asked, &why)).min();
        let next = self.note_failure(first, asked, &why).min(next.unwrap_or(UnixSeconds::MAX));
        let others = match others.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        tell_failure(&format!("{first}{others}"), &why, next, asked);
    }

    fn failed(&mut self, names: &Names, why: NoCertificate) {
        let (asked, why) = why.parts();
        let next = self.note_failure(names, asked, &why);
        tell_failure(&names.to_string(), &why, next, asked);
    }

    /// When the next attempt is made.
    fn note_failure(&mut self, names: &Names, asked: Option<Duration>, why: &str) -> UnixSeconds {
        let standing = self.standings.entry(names.clone()).or_default();
        standing.failures = standing.failures.saturating_add(1);
        standing.failed += 1;
        let wait = renewal::wait_after(standing.failures, asked);
        let next = now() + UnixSeconds::try_from(wait.as_secs()).unwrap_or(3600);
        (standing.next_try, standing.asked_to_wait) = (Some(next), asked.is_some());
        standing.problem = Some(why.to_owned());
        next
    }
}

fn tell_failure(names: &str, why: &str, next: UnixSeconds, asked: Option<Duration>) {
    let because = if asked.is_some() { ", as it asks (Retry-After)" } else { "" };
    tracing::error!("acme: no certificate for {names}: {why}; trying again at {}{because}", time(next));
}
