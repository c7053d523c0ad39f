//! A file as a source: a list of endpoints in YAML or JSON, watched.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use menshen_config::document::{ListedEndpoint, endpoint_list};

use super::source::Run;
use super::{Answer, Findings, Instance, Source};
use crate::watch::Watch;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// A list of endpoints in a file.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    /// Some file systems tell nobody what changes.
    refresh: Duration,
}

impl File {
    pub(super) fn new(path: PathBuf, refresh: Duration) -> Self {
        Self { path, refresh }
    }

    async fn follow(self, to: Findings) {
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut watch = Watch::start(folder).ok();
        loop {
            let path = self.path.clone();
            // A long list takes a while.
            let read = tokio::task::spawn_blocking(move || read(&path)).await;
            let answer = match read {
                Ok(Ok(set)) => Answer::Set(set),
                Ok(Err(why)) => Answer::Failed(why),
                Err(error) => Answer::Failed(error.to_string()),
            };
            to.tell(answer, Some(self.refresh)).await;
            let changed = async {
                match &mut watch {
                    Some(watch) => watch.changed().await,
                    None => std::future::pending().await,
                }
            };
            let _ = tokio::time::timeout(self.refresh, changed).await;
            if watch.is_none() {
                watch = Watch::start(folder).ok();
            }
        }
    }
}

impl Source for File {
    fn run(self: Box<Self>, to: Findings) -> Run {
        Box::pin(self.follow(to))
    }

    fn about(&self) -> String {
        format!("the file {}", self.path.display())
    }
}

fn read(path: &Path) -> Result<Vec<Instance>, String> {
    let name = path.strip_prefix(".").unwrap_or(path).display().to_string();
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => format!("{name}: there is no such file"),
        std::io::ErrorKind::PermissionDenied => format!("{name}: no permission to read it"),
        _ => format!("{name}: {e}"),
    })?;
    let length = file.take(LARGEST + 1).read_to_string(&mut text).map_err(|e| format!("{name}: {e}"))?;
    if length as u64 > LARGEST {
        return Err(format!("{name}: more than {} MiB", LARGEST >> 20));
    }
    let list = endpoint_list(&menshen_config::Source::new(name, text)).map_err(|problems| {
        let first: Vec<String> = problems.iter().take(3).map(ToString::to_string).collect();
        first.join("; ")
    })?;
    Ok(list.into_iter().map(instance).collect())
}

fn instance(listed: ListedEndpoint) -> Instance {
    let ListedEndpoint { address, weight, protocol, id, zone, metadata } = listed;
    let bare = Instance::at(address);
    Instance {
        id: id.unwrap_or(bare.id),
        weight,
        protocol,
        zone,
        metadata,
        address: bare.address,
        host: None,
    }
}
