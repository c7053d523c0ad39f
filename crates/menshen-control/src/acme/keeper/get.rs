//! One attempt to get a certificate, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use menshen_proxy::condition::UnixSeconds;
use tokio::sync::watch;

use super::Keeper;
use crate::acme::authority::{self, on_store};
use crate::acme::certificate::Certificate;
use crate::acme::plan::{Names, Plan};
use crate::acme::progress::{Standing, time};
use crate::acme::reason::NoCertificate;
use crate::acme::{Change, order, renewal};
use crate::expiry::now;
use crate::store::Store;

/// How long one order may take.
const ORDER: Duration = Duration::from_secs(10 * 60);
/// How often all of an order is done once more at once, where that helps.
const MORE: u32 = 4;

impl Keeper {
    /// Gets a certificate, or notes why not.
    pub(super) async fn get(
        &mut self,
        plan: &Plan,
        store: &Arc<dyn Store>,
        names: &Names,
        plans: &mut watch::Receiver<Option<Arc<Plan>>>,
    ) {
        let mut outcome = self.attempt(plan, store, names, plans).await;
        for _ in 0..MORE {
            match outcome {
                // The authority has lost it: a new one does as well.
                Err(Some(NoCertificate::UnknownAccount)) => {
                    self.account = None;
                    if let Err(why) = authority::forget_account(plan, store).await {
                        return self.failed(names, why);
                    }
                }
                Err(Some(NoCertificate::LostNonce)) => {}
                _ => break,
            }
            outcome = self.attempt(plan, store, names, plans).await;
        }
        match outcome {
            Ok(()) => self.succeeded(plan, names),
            // Something else is wanted now.
            Err(None) => {}
            Err(Some(why)) => self.failed(names, why.text()),
        }
    }

    /// `Err(None)` when something else is wanted in the meantime, or nothing any more.
    async fn attempt(
        &mut self,
        plan: &Plan,
        store: &Arc<dyn Store>,
        names: &Names,
        plans: &mut watch::Receiver<Option<Arc<Plan>>>,
    ) -> Result<(), Option<NoCertificate>> {
        let account = self.account(plan, store).await.map_err(Some)?;
        let known = self.acme().shelf.exact(&plan.directory, names);
        let replaces = known.as_deref().filter(|_| self.windows.get(names).is_some_and(|(w, _)| w.is_some()));
        let mut answers = Vec::new();
        let order = order::obtain(&account, names, replaces, (&plan.proof, &self.board), &mut answers);
        let outcome = tokio::select! {
            outcome = tokio::time::timeout(ORDER, order) => Some(outcome),
            _ = plans.changed() => None,
            () = self.board.changes.closed() => None,
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
}
