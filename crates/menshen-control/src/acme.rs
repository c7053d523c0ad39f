//! Certificates that are got and renewed without people (ACME, RFC 8555).
//!
//! ```text
//! document ─► plan ─► keeper ─► order ─► authority
//!                       │          └─► answers ─► workers (in a snapshot), or a hook for DNS
//!                       ▼
//!                     store ─► shelf ─► compile ─► workers
//! ```
//!
//! The keeper is a task of the control thread. It gets what the plan wants and the shelf lacks, or has not for long any
//! more. If that fails the reason is told and tried again later; what there is keeps serving.

mod answers;
mod authority;
mod certificate;
mod hook;
mod https;
mod keeper;
mod order;
mod plan;
mod progress;
mod reason;
mod renewal;
mod shelf;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use menshen_proxy::challenges::Challenges;
use tokio::sync::{oneshot, watch};

pub use certificate::Certificate;
pub use hook::Hook;
pub use keeper::{let_go, run};
pub use plan::{ExternalAccount, Names, Plan, Proof};
pub use progress::{Progress, Standing};
pub use shelf::Shelf;

/// What the keeper asks of the one who publishes.
#[derive(Debug)]
pub enum Change {
    /// Answer an authority like this from now on; the answer is the generation that does.
    Challenges(Challenges, oneshot::Sender<u64>),
    /// The shelf has other certificates.
    Certificates,
}

/// What is known of certificates that are got; outlives generations.
#[derive(Debug, Default)]
pub struct Acme {
    /// The certificates.
    pub shelf: Shelf,
    plan: watch::Sender<Option<Arc<Plan>>>,
    progress: Mutex<Progress>,
}

impl Acme {
    /// What the configuration wants that is served.
    pub(crate) fn plans(&self) -> watch::Receiver<Option<Arc<Plan>>> {
        self.plan.subscribe()
    }

    /// This is what is wanted from now on.
    pub(crate) fn set_plan(&self, plan: Option<&Arc<Plan>>) {
        self.plan.send_if_modified(|now| {
            let is_other = now.as_deref() != plan.map(|p| &**p);
            if is_other {
                *now = plan.cloned();
            }
            is_other
        });
    }

    /// How it goes.
    pub fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
