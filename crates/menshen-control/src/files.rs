//! Files that a configuration names, such as certificates: where they are, and what they held when they were last read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use std::{fmt, io};

use menshen_proxy::condition::UnixSeconds;

/// What a file looked like: its length and when it was changed; nothing if it was not there.
type Stamp = Option<(u64, Option<SystemTime>)>;

/// Longer content is not kept, but read again.
const LONGEST_KEPT: usize = 1 << 20;

/// The files that the configuration in use names.
#[derive(Debug, Default)]
pub struct Files {
    folder: PathBuf,
    seen: Mutex<BTreeMap<PathBuf, Seen>>,
    /// What was seen for the configuration that is served.
    served: Mutex<BTreeMap<PathBuf, Seen>>,
    is_recalling: AtomicBool,
    ends: Mutex<BTreeMap<PathBuf, UnixSeconds>>,
}

/// A file as it was read.
#[derive(Clone, Default)]
struct Seen {
    stamp: Stamp,
    /// Nothing when it could not be read, or is long.
    content: Option<Arc<[u8]>>,
}

/// It may be a key.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stamp.fmt(f)
    }
}

/// As long as this lives files hold what they held for the configuration that is served, whatever became of them.
#[derive(Debug)]
pub struct Recalling<'a>(&'a Files);

impl Drop for Recalling<'_> {
    fn drop(&mut self) {
        self.0.is_recalling.store(false, Ordering::Relaxed);
    }
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
        if let Some(seen) = self.recalled(path) {
            let content = seen.content.as_deref().unwrap_or_default().to_vec();
            // A change since then is still one, unless it was seen.
            self.lock().entry(path.to_owned()).or_insert(seen);
            return Ok(content);
        }
        let stamp = stamp(path);
        let read = std::fs::read(path);
        let content = read.as_ref().ok().filter(|c| c.len() <= LONGEST_KEPT).map(|c| c.as_slice().into());
        self.lock().insert(path.to_owned(), Seen { stamp, content });
        read
    }

    fn recalled(&self, path: &Path) -> Option<Seen> {
        if !self.is_recalling.load(Ordering::Relaxed) {
            return None;
        }
        self.served().get(path).filter(|seen| seen.content.is_some()).cloned()
    }

    /// What was read is what the configuration that is served was made of.
    pub fn keep(&self) {
        let seen = self.lock().clone();
        *self.served() = seen;
    }

    /// What is served is compiled anew for another reason than its files: a broken one must not be in the way.
    pub fn recall(&self) -> Recalling<'_> {
        self.is_recalling.store(true, Ordering::Relaxed);
        Recalling(self)
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
        self.lock().iter().any(|(path, was)| stamp(path) != was.stamp)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn served(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Seen>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends(&self) -> MutexGuard<'_, BTreeMap<PathBuf, UnixSeconds>> {
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
    fn what_was_served_can_be_recalled_and_is_still_seen_to_have_changed() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::in_folder(folder.path().to_owned());
        let path = files.resolve("a.pem");
        std::fs::write(&path, "good").unwrap();
        files.read(&path).unwrap();
        files.keep();
        std::fs::write(&path, "broken").unwrap();
        files.forget();
        assert_eq!(files.read(&path).unwrap(), b"broken");
        std::fs::remove_file(&path).unwrap();
        files.forget();
        {
            let _recalling = files.recall();
            assert_eq!(files.read(&path).unwrap(), b"good");
            assert!(files.read(&files.resolve("never-read.pem")).is_err());
        }
        assert!(files.have_changed());
        assert!(files.read(&path).is_err());
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
