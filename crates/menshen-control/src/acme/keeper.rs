//! The keeper: gets what the plan wants and the shelf lacks, in time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{Account, CertificateIdentifier};
use menshen_proxy::condition::UnixSeconds;
use tokio::sync::{mpsc, watch};

use super::answers::Board;
use super::authority::{self, on_store};
use super::certificate::Certificate;
use super::order::{self, NoCertificate};
use super::plan::{Names, Plan};
use super::progress::{Standing, time};
use super::renewal::{self, Window};
use super::{Acme, Change};
use crate::Ground;
use crate::expiry::now;
use crate::publish::Shared;
use crate::store::{Hold, Lease, Store};

/// How long a node may be silent until another one takes over. Longer than an order may take.
const LEASE_LENGTH: Duration = Duration::from_secs(15 * 60);
/// How long one order may take.
const ORDER: Duration = Duration::from_secs(10 * 60);
/// How often a node that does not get certificates looks for those of the one that does.
const POLL: Duration = Duration::from_secs(30);
/// How often it is asked anew when to renew, at least and at most; the authority says in between.
const ASK_AGAIN: std::ops::RangeInclusive<u64> = 60..=24 * 3600;

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
            Some(plan) => keeper.round(&plan, &mut plans.clone()).await,
        };
        tokio::select! {
            changed = plans.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
            () = keeper.board.changes.closed() => return,
        }
    }
}

struct Keeper {
    board: Board,
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
        Self { board: Board { changes, shared }, lease, plan: None, account: None, standings, windows }
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

    /// Takes over what the configuration wants now. What failed before is tried at once.
    fn take_over(&mut self, plan: &Arc<Plan>) {
        let before = self.plan.replace(plan.clone());
        if !before.is_some_and(|b| b.is_same_authority(plan)) {
            self.account = None;
            self.windows.clear();
        }
        self.standings.retain(|names, _| plan.wanted.contains(names));
        self.windows.retain(|names, _| plan.wanted.contains(names));
        for names in &plan.wanted {
            let standing = self.standings.entry(names.clone()).or_default();
            (standing.next_try, standing.failures) = (None, 0);
        }
    }

    /// Does what is to be done now, and says how long there is nothing more to do.
    async fn round(
        &mut self,
        plan: &Arc<Plan>,
        plans: &mut watch::Receiver<Option<Arc<Plan>>>,
    ) -> Duration {
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
        plans: &mut watch::Receiver<Option<Arc<Plan>>>,
    ) -> Result<(Duration, Option<Box<str>>), String> {
        let store = self.board.shared.ground.store.get().ok_or("the store is not open")?;
        if let Hold::Theirs { holder, .. } = self.take_lease(&store).await? {
            self.pick_up(&store).await?;
            return Ok((POLL, Some(holder)));
        }
        self.pick_up(&store).await?;
        for names in &plan.wanted {
            if plans.has_changed().unwrap_or(true) {
                break;
            }
            self.ask_when(plan, &store, names).await;
            if self.next(plan, names) > now() {
                continue;
            }
            // Another order may have taken long.
            if let Hold::Theirs { holder, .. } = self.take_lease(&store).await? {
                return Ok((POLL, Some(holder)));
            }
            self.get(plan, &store, names, plans).await;
            self.tell(plan, None, None);
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
        let is_wanted = move |c: &Certificate| plan.wanted.contains(&c.names) && c.directory == plan.directory;
        on_store(store, move |s| shared.ground.acme.shelf.forget(s, now(), is_wanted)).await
    }

    /// When something is to be done about these names: at once where there is nothing for them, else at the renewal; after a
    /// failure not before the next attempt.
    fn next(&self, plan: &Plan, names: &Names) -> UnixSeconds {
        let due = self.due(plan, names).unwrap_or(0);
        let next_try = self.standings.get(names).and_then(|s| s.next_try);
        due.max(next_try.unwrap_or(0))
    }

    fn due(&self, plan: &Plan, names: &Names) -> Option<UnixSeconds> {
        let certificate = self.acme().shelf.exact(&plan.directory, names)?;
        let window = self.windows.get(names).and_then(|(window, _)| *window);
        Some(renewal::due(&certificate, plan.renew, window))
    }

    fn until_next(&self, plan: &Plan) -> Duration {
        let asks = self.windows.values().map(|(_, again)| *again);
        let next = plan.wanted.iter().map(|names| self.next(plan, names)).chain(asks).min();
        let wait = next.map_or(UnixSeconds::MAX, |next| next - now()).max(1);
        Duration::from_secs(u64::try_from(wait).unwrap_or(1)).min(LEASE_LENGTH / 3)
    }

    /// Asks the authority when it would like a renewal, if it is time for that.
    async fn ask_when(&mut self, plan: &Plan, store: &Arc<dyn Store>, names: &Names) {
        let Some(certificate) = self.acme().shelf.exact(&plan.directory, names) else { return };
        if plan.renew.is_some() || self.windows.get(names).is_some_and(|(_, again)| *again > now()) {
            return;
        }
        let before = self.windows.get(names).and_then(|(window, _)| *window);
        let (window, again) = match self.ask(plan, store, &certificate).await {
            Ok((window, wait)) => (window, wait.clamp(*ASK_AGAIN.start(), *ASK_AGAIN.end())),
            Err(why) => {
                tracing::debug!("acme: {names}: the authority does not say when to renew: {why}");
                (before, 6 * 3600)
            }
        };
        let again = now() + UnixSeconds::try_from(again).unwrap_or(3600);
        self.windows.insert(names.clone(), (window, again));
    }

    async fn ask(
        &mut self,
        plan: &Plan,
        store: &Arc<dyn Store>,
        certificate: &Certificate,
    ) -> Result<(Option<Window>, u64), String> {
        let leaf = certificate.leaf().ok_or("no certificate")?;
        let id = CertificateIdentifier::try_from(leaf)?;
        let account = self.account(plan, store).await?;
        let (info, wait) = account.renewal_info(&id).await.map_err(|e| authority::explain(&e))?;
        let window = info.suggested_window;
        let window = Window { start: window.start.unix_timestamp(), end: window.end.unix_timestamp() };
        Ok((Some(window), wait.as_secs()))
    }

    async fn account(&mut self, plan: &Plan, store: &Arc<dyn Store>) -> Result<Account, String> {
        if let Some(account) = &self.account {
            return Ok(account.clone());
        }
        let account = authority::account(plan, store).await?;
        Ok(self.account.insert(account).clone())
    }

    /// Gets a certificate, or notes why not.
    async fn get(
        &mut self,
        plan: &Plan,
        store: &Arc<dyn Store>,
        names: &Names,
        plans: &mut watch::Receiver<Option<Arc<Plan>>>,
    ) {
        let mut attempt = self.attempt(plan, store, names, plans).await;
        if let Err(Some(NoCertificate::UnknownAccount)) = attempt {
            // The authority has lost it: a new one does as well.
            self.account = None;
            attempt = match authority::forget_account(plan, store).await {
                Ok(()) => self.attempt(plan, store, names, plans).await,
                Err(why) => Err(Some(why.into())),
            };
        }
        let why = match attempt {
            Ok(()) => return self.succeeded(plan, names),
            // Something else is wanted now.
            Err(None) => return,
            Err(Some(NoCertificate::UnknownAccount)) => "the authority does not know the account".to_owned(),
            Err(Some(NoCertificate::Because(why))) => why,
        };
        self.failed(names, why);
    }

    /// `Err(None)` when something else is wanted in the meantime.
    async fn attempt(
        &mut self,
        plan: &Plan,
        store: &Arc<dyn Store>,
        names: &Names,
        plans: &mut watch::Receiver<Option<Arc<Plan>>>,
    ) -> Result<(), Option<NoCertificate>> {
        let account = self.account(plan, store).await.map_err(|why| Some(why.into()))?;
        let known = self.acme().shelf.exact(&plan.directory, names);
        let replaces = known.as_deref().filter(|_| self.windows.get(names).is_some_and(|(w, _)| w.is_some()));
        let mut answers = Vec::new();
        let order = order::obtain(&account, names, replaces, (&plan.proof, &self.board), &mut answers);
        let outcome = tokio::select! {
            outcome = tokio::time::timeout(ORDER, order) => Some(outcome),
            _ = plans.changed() => None,
        };
        if !answers.is_empty() {
            self.board.take_down(&plan.proof, &answers).await;
        }
        let got = match outcome {
            None => return Err(None),
            Some(Err(_)) => Err(format!("not done within {} minutes", ORDER.as_secs() / 60).into()),
            Some(Ok(got)) => got,
        };
        let pems = got.map_err(Some)?;
        self.keep(plan, store, names, pems).await.map_err(|why| Some(why.into()))
    }

    /// Stores a certificate and has it shown.
    async fn keep(
        &self,
        plan: &Plan,
        store: &Arc<dyn Store>,
        names: &Names,
        pems: (String, String),
    ) -> Result<(), String> {
        let (certificate, bytes) = Certificate::got(&plan.directory, names, pems, now())?;
        let place = Certificate::key_of(&plan.directory, names);
        on_store(store, move |s| s.write(&place, Some(&bytes))).await?;
        self.acme().shelf.put(certificate);
        let _ = self.board.changes.send(Change::Certificates).await;
        Ok(())
    }

    fn succeeded(&mut self, plan: &Plan, names: &Names) {
        self.windows.remove(names);
        let standing = self.standings.entry(names.clone()).or_default();
        *standing = Standing { got: standing.got + 1, failed: standing.failed, ..Standing::default() };
        let expires = self.acme().shelf.exact(&plan.directory, names).map_or(0, |c| c.expires);
        tracing::info!("acme: got a certificate for {names}; it ends {}", time(expires));
    }

    fn failed(&mut self, names: &Names, why: String) {
        let standing = self.standings.entry(names.clone()).or_default();
        standing.failures = standing.failures.saturating_add(1);
        standing.failed += 1;
        let wait = renewal::retry_after(standing.failures);
        let next = now() + UnixSeconds::try_from(wait.as_secs()).unwrap_or(3600);
        standing.next_try = Some(next);
        tracing::error!("acme: no certificate for {names}: {why}; trying again at {}", time(next));
        standing.problem = Some(why);
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
