//! Watching the configuration: files that change are read again once they have been quiet for a moment.

use std::path::Path;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long files must be quiet: editors write in several steps.
const QUIET: Duration = Duration::from_millis(100);
/// How long that is waited for: a log in the same directory may never be quiet.
const PATIENCE: Duration = Duration::from_secs(1);

/// Watches a directory.
#[derive(Debug)]
pub struct Watch {
    _watcher: RecommendedWatcher,
    changes: mpsc::Receiver<()>,
    /// When the first of the changes came that nobody was told of yet.
    first: Option<Instant>,
}

impl Watch {
    /// Starts watching.
    ///
    /// # Errors
    /// What the system says, for instance that there are too many watches.
    pub fn start(directory: &Path) -> notify::Result<Self> {
        let (tell, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let matters = event.is_ok_and(|e| !matches!(e.kind, EventKind::Access(_)));
            if matters {
                // One waiting message is enough.
                let _ = tell.try_send(());
            }
        })?;
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
        Ok(Self { _watcher: watcher, changes, first: None })
    }

    /// Waits until something has changed and is quiet again. Nothing is lost when the waiting is given up and begun anew.
    pub async fn changed(&mut self) {
        let first = match self.first {
            Some(first) => first,
            None => {
                if self.changes.recv().await.is_none() {
                    return std::future::pending().await;
                }
                *self.first.insert(Instant::now())
            }
        };
        let until_quiet = async { while tokio::time::timeout(QUIET, self.changes.recv()).await.is_ok() {} };
        let _ = tokio::time::timeout_at(first + PATIENCE, until_quiet).await;
        self.first = None;
    }
}
