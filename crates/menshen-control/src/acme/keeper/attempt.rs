//! One attempt to get a certificate.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::Account;
use tokio::sync::watch;

use crate::acme::answers::Board;
use crate::acme::authority::on_store;
use crate::acme::certificate::Certificate;
use crate::acme::plan::{Names, Plan, Proof};
use crate::acme::reason::NoCertificate;
use crate::acme::{Change, order};
use crate::expiry::now;
use crate::store::Store;

/// How many attempts are under way at once.
pub(super) const AT_ONCE: usize = 8;
/// How long one order may take, beside the time for records in DNS.
const ORDER: Duration = Duration::from_secs(10 * 60);

/// One attempt to get a certificate.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) plan: Arc<Plan>,
    pub(super) store: Arc<dyn Store>,
    pub(super) board: Arc<Board>,
    pub(super) account: Account,
    pub(super) names: Names,
    /// The one that it comes in the place of, as far as the authority wants to know.
    pub(super) replaces: Option<Arc<Certificate>>,
    pub(super) plans: watch::Receiver<Option<Arc<Plan>>>,
}

/// What came of an attempt.
pub(super) enum Outcome {
    /// There is a certificate, which is stored and shown.
    Got,
    /// Something else is wanted in the meantime, or nothing any more.
    Dropped,
    /// There is none.
    Failed(NoCertificate),
}

impl Attempt {
    /// Makes it, and tidies up after it.
    pub(super) async fn make(mut self) -> Outcome {
        let mut answers = Vec::new();
        let proof = &self.plan.proof;
        let order = order::obtain(
            &self.account,
            &self.names,
            self.replaces.as_deref(),
            (proof, &self.board),
            &mut answers,
        );
        let limit = limit(&self.plan, &self.names);
        let outcome = tokio::select! {
            outcome = tokio::time::timeout(limit, order) => Some(outcome),
            _ = self.plans.changed() => None,
            () = self.board.changes.closed() => None,
        };
        if !answers.is_empty() {
            self.board.take_down(proof, &answers).await;
        }
        match outcome {
            None => Outcome::Dropped,
            Some(Err(_)) => {
                Outcome::Failed(format!("not done within {} minutes", limit.as_secs() / 60).into())
            }
            Some(Ok(Err(why))) => Outcome::Failed(why),
            Some(Ok(Ok(pems))) => match self.keep(pems).await {
                Ok(()) => Outcome::Got,
                Err(why) => Outcome::Failed(why.into()),
            },
        }
    }

    /// Stores a certificate and has it shown.
    async fn keep(&self, pems: (String, String)) -> Result<(), String> {
        let (certificate, bytes) = Certificate::got(&self.plan.directory, &self.names, pems, now())?;
        let place = Certificate::key_of(&self.plan.directory, &self.names);
        on_store(&self.store, move |s| s.write(&place, Some(&bytes))).await?;
        self.board.shared.ground.acme.shelf.put(certificate);
        let _ = self.board.changes.send(Change::Certificates).await;
        Ok(())
    }
}

/// How long an attempt may take. Hooks run one after the other, also those of others.
fn limit(plan: &Plan, names: &Names) -> Duration {
    match &plan.proof {
        Proof::Http01 | Proof::TlsAlpn01 => ORDER,
        Proof::Dns01(hook) => {
            let runs = u32::try_from(AT_ONCE * names.iter().count()).unwrap_or(u32::MAX);
            ORDER.saturating_add(hook.wait).saturating_add(hook.timeout.saturating_mul(runs))
        }
    }
}
