//! Watching the configuration: files that change are read again once they have been quiet for a moment.

use std::path::PathBuf;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// How long files must be quiet: editors write in several steps.
const QUIET: Duration = Duration::from_millis(100);

/// Watches a directory.
#[derive(Debug)]
pub struct Watch {
    _watcher: RecommendedWatcher,
    changes: mpsc::Receiver<()>,
}

impl Watch {
    /// Starts watching.
    ///
    /// # Errors
    /// What the system says, for instance that there are too many watches.
    pub fn start(directory: &PathBuf) -> notify::Result<Self> {
        let (tell, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let matters = event.is_ok_and(|e| !matches!(e.kind, EventKind::Access(_)));
            if matters {
                // One waiting message is enough.
                let _ = tell.try_send(());
            }
        })?;
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
        Ok(Self { _watcher: watcher, changes })
    }

    /// Waits until something has changed and is quiet again.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            return std::future::pending().await;
        }
        while tokio::time::timeout(QUIET, self.changes.recv()).await.is_ok() {}
    }
}
