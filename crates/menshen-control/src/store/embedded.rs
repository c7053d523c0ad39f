//! The embedded store: one file, owned by one process (redb).

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition, TableError,
};

use super::{Store, StoreError};

/// The name of the file in the folder of the store.
pub const FILE: &str = "menshen.redb";

/// What is in the file, by key.
const THINGS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("things");
/// What the file says of itself.
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");

/// The key of the version of what is in the file.
const SCHEMA: &str = "schema";
/// The version that is written here. An older one is brought up when the file is opened; there is none yet.
const VERSION: u64 = 1;

/// A store in a file that nobody else has open.
#[derive(Debug)]
pub struct Embedded {
    database: Database,
    path: PathBuf,
}

impl Embedded {
    /// Opens the file in this folder; both are made if they are not there. It holds keys: only its owner can read it.
    ///
    /// # Errors
    /// What is wrong and what to do: another process has it, it is damaged, no permission.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let path = path.strip_prefix(".").map(Path::to_owned).unwrap_or(path);
        let file = open_file(folder, &path).map_err(|e| refused(&path, &e))?;
        let database = Database::builder().create_file(file).map_err(|e| unusable(&path, &e))?;
        let store = Self { database, path };
        store.check_version()?;
        // Whoever held something before held it as the owner of this file, who has gone.
        for (key, _) in store.list(super::lease::PREFIX)? {
            store.write(&key, None)?;
        }
        Ok(store)
    }

    fn check_version(&self) -> Result<(), StoreError> {
        let transaction = self.database.begin_write().map_err(|e| self.failed(&e))?;
        let found = {
            let mut about = transaction.open_table(ABOUT).map_err(|e| self.failed(&e))?;
            transaction.open_table(THINGS).map_err(|e| self.failed(&e))?;
            let found = about.get(SCHEMA).map_err(|e| self.failed(&e))?.map(|v| v.value());
            about.insert(SCHEMA, found.unwrap_or(VERSION)).map_err(|e| self.failed(&e))?;
            found.unwrap_or(VERSION)
        };
        if found > VERSION {
            let path = self.path.display();
            return Err(StoreError(format!(
                "{path} was written by a newer menshen (version {found} of what is in it; this one knows {VERSION}): \
                 use that one, or name another folder in `gateway: {{ store }}`"
            )));
        }
        transaction.commit().map_err(|e| self.failed(&e))
    }

    fn failed(&self, error: &dyn std::error::Error) -> StoreError {
        StoreError(format!("{}: {error}", self.path.display()))
    }
}

impl Store for Embedded {
    fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let transaction = self.database.begin_read().map_err(|e| self.failed(&e))?;
        let things = transaction.open_table(THINGS).map_err(|e| self.failed(&e))?;
        let found = things.get(key).map_err(|e| self.failed(&e))?;
        Ok(found.map(|v| v.value().to_vec()))
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let transaction = self.database.begin_read().map_err(|e| self.failed(&e))?;
        let things = transaction.open_table(THINGS).map_err(|e| self.failed(&e))?;
        let mut list = Vec::new();
        for entry in things.range(prefix..).map_err(|e| self.failed(&e))? {
            let (key, value) = entry.map_err(|e| self.failed(&e))?;
            if !key.value().starts_with(prefix) {
                break;
            }
            list.push((key.value().to_owned(), value.value().to_vec()));
        }
        Ok(list)
    }

    fn write(&self, key: &str, value: Option<&[u8]>) -> Result<(), StoreError> {
        self.change(key, value, |_| true).map(drop)
    }

    fn swap(&self, key: &str, expected: Option<&[u8]>, value: Option<&[u8]>) -> Result<bool, StoreError> {
        self.change(key, value, |now| now == expected)
    }
}

impl Embedded {
    fn change(
        &self,
        key: &str,
        value: Option<&[u8]>,
        may: impl FnOnce(Option<&[u8]>) -> bool,
    ) -> Result<bool, StoreError> {
        let transaction = self.database.begin_write().map_err(|e| self.failed(&e))?;
        {
            let mut things = transaction.open_table(THINGS).map_err(|e: TableError| self.failed(&e))?;
            let may = may(things.get(key).map_err(|e| self.failed(&e))?.as_ref().map(|v| v.value()));
            if !may {
                return Ok(false);
            }
            match value {
                Some(value) => things.insert(key, value).map_err(|e| self.failed(&e))?,
                None => things.remove(key).map_err(|e| self.failed(&e))?,
            };
        }
        transaction.commit().map_err(|e| self.failed(&e))?;
        Ok(true)
    }
}

/// Opens the file for its owner alone.
fn open_file(folder: &Path, path: &Path) -> io::Result<File> {
    if !folder.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    // It may have come from a backup.
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

fn refused(path: &Path, error: &io::Error) -> StoreError {
    let (path, user) = (path.display(), "the user that menshen runs as");
    StoreError(match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            format!("{path} cannot be made: there is a file where its folder should be")
        }
        io::ErrorKind::PermissionDenied => {
            format!("no permission to make or open {path}: give the folder to {user}, or name another one")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("{path} is on a file system that cannot be written: name another folder")
        }
        _ => format!("{path} cannot be opened: {error}"),
    })
}

fn unusable(path: &Path, error: &DatabaseError) -> StoreError {
    let path = path.display();
    StoreError(match error {
        DatabaseError::DatabaseAlreadyOpen => {
            format!("{path} is in use by another process (another gateway?): stop it, or name another folder")
        }
        DatabaseError::UpgradeRequired(version) => {
            format!("{path} has the old file format {version}: open it once with the menshen that wrote it")
        }
        DatabaseError::Storage(StorageError::Io(error)) if error.kind() != io::ErrorKind::InvalidData => {
            format!("{path} cannot be read: {error}")
        }
        _ => format!(
            "{path} is damaged or no store of menshen ({error}): put back a backup, or move it away to begin with an \
             empty one"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> Result<Embedded, String> {
        Embedded::open(folder).map_err(|e| e.0)
    }

    #[test]
    fn what_was_written_is_there_after_a_restart_and_for_the_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("new/folder");
        let store = open(&below).unwrap();
        store.write("a/1", Some(b"one")).unwrap();
        store.write("a/2", Some(b"two")).unwrap();
        store.write("b/1", Some(b"other")).unwrap();
        store.write("a/2", None).unwrap();
        drop(store);
        let store = open(&below).unwrap();
        assert_eq!(store.read("a/1").unwrap().unwrap(), b"one");
        assert_eq!(store.list("a/").unwrap(), [("a/1".to_owned(), b"one".to_vec())]);
        let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&below), mode(&below.join(FILE))), (0o700, 0o600));
    }

    #[test]
    fn a_file_that_others_can_read_is_closed_to_them() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()).unwrap());
        let path = folder.path().join(FILE);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        drop(open(folder.path()).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_second_owner_is_refused_and_told_why() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path()).unwrap();
        let why = open(folder.path()).unwrap_err();
        assert!(why.contains("menshen.redb is in use by another process"), "{why}");
        drop(first);
        assert!(open(folder.path()).is_ok());
    }

    #[test]
    fn what_the_owner_before_had_leased_is_free() {
        use crate::store::{Hold, Lease};
        let folder = tempfile::tempdir().unwrap();
        let lease = |holder| Lease::new("acme", holder, std::time::Duration::from_secs(60));
        lease("before").take(&open(folder.path()).unwrap(), 100).unwrap();
        let store = open(folder.path()).unwrap();
        assert!(matches!(lease("now").take(&store, 101).unwrap(), Hold::Ours { .. }));
    }

    #[test]
    fn a_damaged_file_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, vec![b'x'; 8192]).unwrap();
        let why = open(folder.path()).unwrap_err();
        assert!(why.contains("is damaged or no store of menshen"), "{why}");
        assert_eq!(std::fs::read(&path).unwrap(), vec![b'x'; 8192]);
    }

    #[test]
    fn a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).unwrap();
        let transaction = store.database.begin_write().unwrap();
        transaction.open_table(ABOUT).unwrap().insert(SCHEMA, VERSION + 1).unwrap();
        transaction.commit().unwrap();
        drop(store);
        let why = open(folder.path()).unwrap_err();
        assert!(why.contains("was written by a newer menshen"), "{why}");
    }

    #[test]
    fn a_swap_happens_only_if_nothing_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).unwrap();
        assert!(store.swap("k", None, Some(b"1")).unwrap());
        assert!(!store.swap("k", None, Some(b"2")).unwrap());
        assert!(store.swap("k", Some(b"1"), Some(b"2")).unwrap());
        assert!(!store.swap("k", Some(b"1"), None).unwrap());
        assert_eq!(store.read("k").unwrap().unwrap(), b"2");
        assert!(store.swap("k", Some(b"2"), None).unwrap());
        assert_eq!(store.read("k").unwrap(), None);
    }
}
