//! The list of a registry on disk: at a cold start routes are made of it until the registry answers.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Registry;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 16 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Kept<L> {
    /// Whom it is of.
    from: String,
    services: L,
}

/// What was known last time, if it is of the same registry.
pub(super) fn read(folder: &Path, registry: Registry, from: &str) -> Option<Arc<[Box<str>]>> {
    let path = file(folder, registry);
    match try_read(&path) {
        Ok(kept) if kept.from == from => Some(kept.services.into()),
        // Somebody else was asked then.
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let path = path.display();
            tracing::warn!(%registry, "{path}: the list of services of last time cannot be read: {error}");
            None
        }
    }
}

fn try_read(path: &Path) -> io::Result<Kept<Vec<Box<str>>>> {
    let mut text = Vec::new();
    fs::File::open(path)?.take(LARGEST).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Keeps a list: the file is there whole or as it was before.
///
/// # Errors
/// The file and what the system says, for people.
pub(super) fn write(
    folder: &Path,
    registry: Registry,
    from: &str,
    services: &Arc<[Box<str>]>,
) -> Result<(), String> {
    let path = file(folder, registry);
    try_write(folder, &path, &Kept { from: from.to_owned(), services: &**services })
        .map_err(|e| format!("{}: {e}", path.display()))
}

fn try_write(folder: &Path, path: &Path, kept: &Kept<&[Box<str>]>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let new = path.with_extension("new");
    let mut file = fs::File::create(&new)?;
    file.write_all(&serde_json::to_vec(kept)?)?;
    file.sync_all()?;
    fs::rename(new, path)
}

fn file(folder: &Path, registry: Registry) -> PathBuf {
    folder.join(format!("{registry}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_again_if_the_same_registry_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("listed");
        let list: Arc<[Box<str>]> = Arc::new(["a".into(), "b".into()]);
        assert_eq!(read(&folder, Registry::Eureka, "here"), None);
        write(&folder, Registry::Eureka, "here", &list).unwrap();
        assert_eq!(read(&folder, Registry::Eureka, "here"), Some(list));
        assert_eq!(read(&folder, Registry::Eureka, "there"), None);
        assert_eq!(read(&folder, Registry::Consul, "here"), None);
        fs::write(file(&folder, Registry::Eureka), "{").unwrap();
        assert_eq!(read(&folder, Registry::Eureka, "here"), None);
    }
}
