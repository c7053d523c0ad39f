//! Files that a configuration names, such as certificates: where they are, and what they held when they were last read.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use menshen_proxy::condition::UnixSeconds;

/// What a file looked like: its length and when it was changed; nothing if it was not there.
type Stamp = Option<(u64, Option<SystemTime>)>;

/// The files that the configuration in use names.
#[derive(Debug, Default)]
pub struct Files {
    folder: PathBuf,
    seen: Mutex<BTreeMap<PathBuf, Stamp>>,
    ends: Mutex<BTreeMap<PathBuf, UnixSeconds>>,
}

impl Files {
    /// Relative paths count from this folder.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder, ..Self::default() }
    }

    /// Where a file is.
    pub fn resolve(&self, written: &str) -> PathBuf {
        self.folder.join(written)
    }

    /// Where a folder is.
    pub fn resolve_path(&self, written: &Path) -> PathBuf {
        self.folder.join(written)
    }

    /// Reads a file and remembers how it looked.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.lock().insert(path.to_owned(), stamp(path));
        std::fs::read(path)
    }

    /// Reads a file by the name under which the document knows it.
    ///
    /// # Errors
    /// The file and what is wrong with it, for people.
    pub fn read_named(&self, written: &str) -> Result<Vec<u8>, String> {
        let path = self.resolve(written);
        self.read(&path).map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "there is no such file".to_owned(),
                io::ErrorKind::PermissionDenied => "no permission to read it".to_owned(),
                _ => error.to_string(),
            };
            format!("{}: {why}", path.strip_prefix(".").unwrap_or(&path).display())
        })
    }

    /// Forgets what was read: the next configuration may name others.
    pub fn forget(&self) {
        self.lock().clear();
        self.ends().clear();
    }

    /// Remembers when what is in a file ends.
    pub fn note_end(&self, path: PathBuf, at: UnixSeconds) {
        self.ends().insert(path, at);
    }

    /// The files whose content has ended since this was asked last.
    pub fn newly_ended(&self, now: UnixSeconds) -> Vec<PathBuf> {
        let mut ends = self.ends();
        let over: Vec<PathBuf> = ends.iter().filter(|(_, at)| **at <= now).map(|(p, _)| p.clone()).collect();
        ends.retain(|_, at| *at > now);
        over
    }

    /// True when one of the files is not what it was when it was read.
    pub fn have_changed(&self) -> bool {
        self.lock().iter().any(|(path, was)| stamp(path) != *was)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, Stamp>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, UnixSeconds>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_or_removed_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::in_folder(folder.path().to_owned());
        let path = files.resolve("a.pem");
        std::fs::write(&path, "a").unwrap();
        assert_eq!(files.read(&path).unwrap(), b"a");
        assert!(!files.have_changed());
        std::fs::write(&path, "ab").unwrap();
        assert!(files.have_changed());
        files.read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(files.have_changed());
        files.forget();
        assert!(!files.have_changed());
    }

    #[test]
    fn an_end_is_told_once() {
        let files = Files::default();
        files.note_end("a.crl".into(), 100);
        files.note_end("b.crl".into(), 200);
        assert!(files.newly_ended(99).is_empty());
        assert_eq!(files.newly_ended(100), [PathBuf::from("a.crl")]);
        assert!(files.newly_ended(150).is_empty());
    }
}
