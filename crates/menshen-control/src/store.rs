//! What must outlive the process: small things by key, such as certificates that were got and their keys.
//!
//! One process has the embedded store, a file of its own. What is built on [`Store`] works as well where several nodes share
//! one: nothing is assumed but that a [`Store::swap`] is seen by all or by none.

mod embedded;
mod lease;
#[cfg(test)]
pub(crate) mod memory;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use embedded::{Embedded, FILE};
pub use lease::{Hold, Lease};

/// Why something could not be read or written. Its text is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError(pub(crate) String);

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}

/// Small things by key. Calls wait for the disk or for another machine: never on the way of a request.
pub trait Store: Send + Sync + fmt::Debug {
    /// What is under this key.
    ///
    /// # Errors
    /// The store cannot be read.
    fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// All keys that begin like this, in order, with what is under them.
    ///
    /// # Errors
    /// The store cannot be read.
    fn list(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// Puts this under a key, or takes away what is there; it is safe when the call returns.
    ///
    /// # Errors
    /// The store cannot be written.
    fn write(&self, key: &str, value: Option<&[u8]>) -> Result<(), StoreError>;

    /// The same if `expected` is what is there now, in one step. False if it is not.
    ///
    /// # Errors
    /// The store cannot be written.
    fn swap(&self, key: &str, expected: Option<&[u8]>, value: Option<&[u8]>) -> Result<bool, StoreError>;
}

/// Where the store is when nobody says.
const DEFAULT_FOLDER: &str = "/var/lib/menshen";

/// The folder of the store: the one that was written, else the one that systemd made for us, else `/var/lib/menshen`.
pub fn folder(written: Option<&str>) -> PathBuf {
    // systemd may make several, with colons in between.
    let made =
        || std::env::var("STATE_DIRECTORY").ok()?.split(':').find(|d| !d.is_empty()).map(PathBuf::from);
    written.map(PathBuf::from).or_else(made).unwrap_or_else(|| DEFAULT_FOLDER.into())
}

/// The store of this process, opened when it is first needed and kept open.
#[derive(Debug, Default)]
pub struct Opened(Mutex<Option<Arc<dyn Store>>>);

impl Opened {
    /// The store, opened in this folder if it is not open yet.
    ///
    /// # Errors
    /// Why it cannot be opened, for people.
    pub fn open(&self, folder: &Path) -> Result<Arc<dyn Store>, StoreError> {
        let mut opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = &*opened {
            return Ok(store.clone());
        }
        let store: Arc<dyn Store> = Arc::new(Embedded::open(folder)?);
        Ok(opened.insert(store).clone())
    }

    /// This one.
    #[cfg(test)]
    pub(crate) fn with(store: Arc<dyn Store>) -> Self {
        Self(Mutex::new(Some(store)))
    }

    /// The store, if it is open.
    pub fn get(&self) -> Option<Arc<dyn Store>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
