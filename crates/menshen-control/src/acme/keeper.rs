//! The keeper: gets what the plan wants and the shelf lacks, in time.

mod ask;
mod attempt;
mod get;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::Account;
use menshen_proxy::condition::UnixSeconds;
use tokio::sync::{mpsc, watch};

use super::answers::Board;
use super::authority::{self, on_store};
use super::certificate::Certificate;
use super::plan::{Names, Plan};
use super::progress::Standing;
use super::reason::NoCertificate;
use super::renewal::{self, Window};
use super::{Acme, Change};
use crate::Ground;
use crate::expiry::now;
use crate::publish::Shared;
use crate::store::{Hold, Lease, Store};

/// How long a node may be silent until another one takes over. Longer than an order may take.
const LEASE_LENGTH: Duration = Duration::from_secs(15 * 60);
/// How often a node that does not get certificates looks for those of the one that does.
const POLL: Duration = Duration::from_secs(30);

/// What is leased: getting certificates.
const LEASE: &str = "acme";

/// Lets another node take over at once. To be called when the keeper has ended.
pub fn let_go(ground: &Ground) {
    let lease = Lease::new(LEASE, &ground.pseudonym, LEASE_LENGTH);
    if let Some(Err(error)) = ground.store.get().map(|store| lease.release(&*store)) {
        tracing::warn!("acme: {error}");
    }
}

/// Keeps certificates as the configuration wants them, until nobody publishes any more.
pub async fn run(shared: Arc<Shared>, changes: mpsc::Sender<Change>) {
    let mut plans = shared.ground.acme.plans();
    let mut keeper = Keeper::new(shared, changes);
    loop {
        let plan = plans.borrow_and_update().clone();
        let wait = match plan {
            None => {
                keeper.rest();
                Duration::MAX
            }
            Some(plan) => keeper.round(&plan, &plans.clone()).await,
        };
        tokio::select! {
            changed = plans.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
            () = keeper.board.changes.closed() => return,
        }
    }
}

struct Keeper {
    board: Arc<Board>,
    lease: Lease,
    plan: Option<Arc<Plan>>,
    account: Option<Account>,
    standings: BTreeMap<Names, Standing>,
    /// When the authority would like renewals, and when to ask it again.
    windows: BTreeMap<Names, (Option<Window>, UnixSeconds)>,
}

impl Keeper {
    fn new(shared: Arc<Shared>, changes: mpsc::Sender<Change>) -> Self {
        let lease = Lease::new(LEASE, &shared.ground.pseudonym, LEASE_LENGTH);
        let (standings, windows) = (BTreeMap::new(), BTreeMap::new());
        let board = Arc::new(Board::new(changes, shared));
        Self { board, lease, plan: None, account: None, standings, windows }
    }

    fn acme(&self) -> &Acme {
        &self.board.shared.ground.acme
    }

    /// Nothing is wanted.
    fn rest(&mut self) {
        (self.plan, self.account) = (None, None);
        self.standings.clear();
        self.windows.clear();
        *self.acme().progress() = super::Progress::default();
    }

    /// Takes over what the configuration wants now. What failed before is tried at once, unless the authority has said when.
    fn take_over(&mut self, plan: &Arc<Plan>) {
        let before = self.plan.replace(plan.clone());
        if !before.is_some_and(|b| b.is_same_authority(plan)) {
            self.account = None;
            self.windows.clear();
            // Another one has asked for nothing.
            self.standings.values_mut().for_each(|s| s.asked_to_wait = false);
        }
        self.standings.retain(|names, _| plan.wanted.contains(names));
        self.windows.retain(|names, _| plan.wanted.contains(names));
        for names in &plan.wanted {
            let standing = self.standings.entry(names.clone()).or_default();
            if !standing.asked_to_wait {
                (standing.next_try, standing.failures) = (None, 0);
            }
        }
    }

    /// Does what is to be done now, and says how long there is nothing more to do.
    async fn round(&mut self, plan: &Arc<Plan>, plans: &watch::Receiver<Option<Arc<Plan>>>) -> Duration {
        if !self.plan.as_ref().is_some_and(|p| Arc::ptr_eq(p, plan)) {
            self.take_over(plan);
        }
        self.tell(plan, None, None);
        match self.try_round(plan, plans).await {
            Ok((wait, leader)) => {
                self.tell(plan, None, leader);
                wait
            }
            Err(why) => {
                tracing::error!("acme: {why}; trying again in a minute");
                self.tell(plan, Some(why), None);
                Duration::from_secs(60)
            }
        }
    }

    async fn try_round(
        &mut self,
        plan: &Arc<Plan>,
        plans: &watch::Receiver<Option<Arc<Plan>>>,
    ) -> Result<(Duration, Option<Box<str>>), String> {
        let store = self.board.shared.ground.store.get().ok_or("the store is not open")?;
        if let Hold::Theirs { holder, .. } = self.take_lease(&store).await? {
            self.pick_up(&store).await?;
            return Ok((POLL, Some(holder)));
        }
        self.pick_up(&store).await?;
        let (mut due, mut is_heard) = (Vec::new(), true);
        for names in &plan.wanted {
            if plans.has_changed().unwrap_or(true) || self.board.changes.is_closed() {
                return Ok((Duration::ZERO, None));
            }
            // Who does not answer now will not answer for the others either; they must not wait for that.
            if is_heard {
                is_heard = self.ask_when(plan, &store, names).await;
            }
            if self.next(plan, names) <= now() {
                due.push(names.clone());
            }
        }
        if let Some(holder) = self.get(plan, &store, due, plans).await? {
            return Ok((POLL, Some(holder)));
        }
        self.forget(plan, &store).await?;
        Ok((self.until_next(plan), None))
    }

    async fn take_lease(&self, store: &Arc<dyn Store>) -> Result<Hold, String> {
        let lease = self.lease.clone();
        on_store(store, move |s| lease.take(s, now())).await
    }

    /// Takes up what another node has stored.
    async fn pick_up(&self, store: &Arc<dyn Store>) -> Result<(), String> {
        let shared = self.board.shared.clone();
        if on_store(store, move |s| shared.ground.acme.shelf.read(s)).await? {
            let _ = self.board.changes.send(Change::Certificates).await;
        }
        Ok(())
    }

    async fn forget(&self, plan: &Arc<Plan>, store: &Arc<dyn Store>) -> Result<(), String> {
        let (shared, plan) = (self.board.shared.clone(), plan.clone());
        let is_wanted =
            move |c: &Certificate| plan.wanted.contains(&c.names) && c.directory == plan.directory;
        on_store(store, move |s| shared.ground.acme.shelf.forget(s, now(), is_wanted)).await
    }

    /// When something is to be done about these names: at once where there is nothing for them, else at the renewal; after a
    /// failure not before the next attempt.
    fn next(&self, plan: &Plan, names: &Names) -> UnixSeconds {
        let due = self.due(plan, names).unwrap_or(0);
        let next_try = self.standings.get(names).and_then(|s| s.next_try);
        let next_try = next_try.filter(|at| renewal::still_meant(*at, now()));
        due.max(next_try.unwrap_or(0))
    }

    fn due(&self, plan: &Plan, names: &Names) -> Option<UnixSeconds> {
        let certificate = self.acme().shelf.exact(&plan.directory, names)?;
        let window = self.windows.get(names).and_then(|(window, _)| *window);
        Some(renewal::due(&certificate, plan.renew, window, now()))
    }

    fn until_next(&self, plan: &Plan) -> Duration {
        let asks = self.windows.values().map(|(_, again)| *again);
        let next = plan.wanted.iter().map(|names| self.next(plan, names)).chain(asks).min();
        let wait = next.map_or(UnixSeconds::MAX, |next| next - now()).max(1);
        Duration::from_secs(u64::try_from(wait).unwrap_or(1)).min(LEASE_LENGTH / 3)
    }

    /// The account at the authority, made if there is none.
    async fn account(&mut self, plan: &Plan, store: &Arc<dyn Store>) -> Result<Account, NoCertificate> {
        if let Some(account) = &self.account {
            return Ok(account.clone());
        }
        let account = authority::account(plan, store).await?;
        Ok(self.account.insert(account).clone())
    }

    /// Tells how it goes.
    fn tell(&mut self, plan: &Plan, problem: Option<String>, leader: Option<Box<str>>) {
        for names in &plan.wanted {
            let expires = self.acme().shelf.exact(&plan.directory, names).map(|c| c.expires);
            let due = self.due(plan, names);
            let standing = self.standings.entry(names.clone()).or_default();
            (standing.expires, standing.renews) = (expires, due);
        }
        *self.acme().progress() = super::Progress { standings: self.standings.clone(), problem, leader };
    }
}

#[cfg(test)]
mod tests;
