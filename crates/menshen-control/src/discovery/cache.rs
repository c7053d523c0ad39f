//! What was known of services, on disk: at a cold start it serves until somebody answers.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{Instance, Known, Wanted};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 256 << 20;

/// What is kept of a service.
#[derive(Debug, Serialize, Deserialize)]
struct Kept<L> {
    /// The name of the service.
    service: Box<str>,
    /// Who said so, as written.
    from: Box<str>,
    /// When it was last said, in seconds since 1970.
    at: u64,
    instances: L,
}

/// What is known of a service that is new to the configuration.
pub(super) fn read(folder: &Path, service: &str, wanted: &Wanted) -> Known {
    let from: Box<str> = wanted.discover.from.to_string().into();
    let mut known = Known::nothing(from);
    let path = file(folder, service);
    match try_read(&path) {
        Ok(kept) if kept.from == known.from && *kept.service == *service => {
            known.set = Some(kept.instances.into());
            known.confirmed = Some(UNIX_EPOCH + Duration::from_secs(kept.at));
            known.is_from_cache = true;
        }
        // Somebody else was asked then.
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            let path = path.display();
            tracing::warn!(
                service,
                "{path}: what was known of the service last time cannot be read: {error}"
            );
        }
    }
    known
}

fn try_read(path: &Path) -> io::Result<Kept<Vec<Instance>>> {
    let mut text = Vec::new();
    fs::File::open(path)?.take(LARGEST).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Keeps what is known of a service: the file is there whole or as it was before.
///
/// # Errors
/// The file and what the system says, for people.
pub(super) fn write(folder: &Path, service: &str, from: &str, set: &Arc<[Instance]>) -> Result<(), String> {
    let path = file(folder, service);
    try_write(folder, &path, service, from, set).map_err(|e| format!("{}: {e}", path.display()))
}

fn try_write(folder: &Path, path: &Path, service: &str, from: &str, set: &[Instance]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let kept = Kept { service: service.into(), from: from.into(), at, instances: set };
    let new = path.with_extension("new");
    let mut file = fs::File::create(&new)?;
    file.write_all(&serde_json::to_vec(&kept)?)?;
    file.sync_all()?;
    fs::rename(new, path)
}

/// The file of a service. Names may hold anything; what cannot stand in the name of a file is written as its number.
fn file(folder: &Path, service: &str) -> PathBuf {
    let mut name = String::new();
    for byte in service.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            _ => name += &format!("%{byte:02x}"),
        }
    }
    if name.len() > 200 {
        use std::hash::{Hash, Hasher};
        let mut hasher = rustc_hash::FxHasher::default();
        service.hash(&mut hasher);
        name = format!("{:016x}", hasher.finish());
    }
    folder.join(name + ".json")
}

#[cfg(test)]
mod tests {
    use menshen_config::{Source, parse};

    use super::*;

    fn wanted(discover: &str) -> Wanted {
        let text = format!("services: {{ s: {{ discover: '{discover}' }} }}");
        let (document, problems) = parse(&[Source::new("test", text)]);
        assert_eq!(problems.to_string(), "");
        let discover = document.services.get("s").unwrap().discover.clone().unwrap().value;
        Wanted { discover, registries: Arc::default() }
    }

    #[test]
    fn what_was_kept_is_known_again_if_the_same_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let set: Arc<[Instance]> = Arc::new([Instance::at("10.0.0.1:80".parse().unwrap())]);
        for service in ["users", "../../etc/passwd", "a b", &"x".repeat(500)] {
            write(folder.path(), service, "dns:users:80", &set).unwrap();
            let known = read(folder.path(), service, &wanted("dns:users:80"));
            assert_eq!(known.set.as_deref(), Some(&*set), "{service}");
            assert!(known.is_from_cache);
            assert!(read(folder.path(), service, &wanted("dns:others:80")).set.is_none());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn a_broken_file_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for text in
            ["", "{", "[]", "\u{0}", r#"{"service":"users","from":"dns:users:80","at":1,"instances":[{}]}"#]
        {
            fs::write(file(folder.path(), "users"), text).unwrap();
            assert!(read(folder.path(), "users", &wanted("dns:users:80")).set.is_none(), "{text}");
        }
    }
}
