//! What the store keeps of a rollout: when it began, and why it was stopped.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Identity;
use crate::store::{Store, StoreError};

const PREFIX: &str = "rollout/";

/// What is kept of a rollout.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// Milliseconds since 1970.
    began: u64,
    pub(super) stopped: Option<String>,
}

impl Record {
    /// Of a rollout that began so long ago.
    pub(super) fn of(age: Duration, stopped: Option<&str>) -> Self {
        let began =
            millis(SystemTime::now()).saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        Self { began, stopped: stopped.map(str::to_owned) }
    }

    /// How long ago the rollout began.
    pub(super) fn age(&self, now: SystemTime) -> Duration {
        Duration::from_millis(millis(now).saturating_sub(self.began))
    }

    /// A rollout whose share or target is another one has another key. Names may hold any character but this one.
    pub(super) fn key(identity: &Identity) -> String {
        let Identity { route, group, share, to } = identity;
        format!("{PREFIX}{route}\n{group}\n{share}\n{to}")
    }

    pub(super) fn keys(store: &dyn Store) -> Vec<String> {
        let list = store.list(PREFIX).inspect_err(tell).unwrap_or_default();
        list.into_iter().map(|(key, _)| key).collect()
    }

    pub(super) fn read(store: &dyn Store, identity: &Identity) -> Option<Self> {
        let bytes = store.read(&Self::key(identity)).inspect_err(tell).ok().flatten()?;
        serde_json::from_slice(&bytes).ok()
    }

    pub(super) fn write(&self, store: &dyn Store, identity: &Identity) {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        drop(store.write(&Self::key(identity), Some(&bytes)).inspect_err(tell));
    }

    pub(super) fn forget(store: &dyn Store, key: &str) {
        drop(store.write(key, None).inspect_err(tell));
    }
}

fn tell(error: &StoreError) {
    tracing::warn!(%error, "rollouts cannot be kept: after a restart they begin anew");
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
