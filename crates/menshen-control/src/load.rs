//! Where the configuration comes from: a file, a directory, or a text.

use std::fs;
use std::path::{Path, PathBuf};

use menshen_config::Source;

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A file, or a directory whose `*.yaml` and `*.yml` files count together.
    Path(PathBuf),
    /// Texts given by the program itself.
    Texts(Vec<Source>),
}

impl Origin {
    /// Reads the sources.
    ///
    /// # Errors
    /// One line that names the file and says what to do.
    pub fn read(&self) -> Result<Vec<Source>, String> {
        match self {
            Self::Texts(sources) => Ok(sources.clone()),
            Self::Path(path) if path.is_dir() => directory(path),
            Self::Path(path) => Ok(vec![file(path)?]),
        }
    }

    /// The folder from which relative paths in the configuration count.
    pub fn folder(&self) -> PathBuf {
        self.watched().unwrap_or_default()
    }

    /// What has to be watched: the directory, because editors and Kubernetes replace files.
    pub fn watched(&self) -> Option<PathBuf> {
        match self {
            Self::Texts(_) => None,
            Self::Path(path) if path.is_dir() => Some(path.clone()),
            Self::Path(path) => {
                let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
                Some(parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf))
            }
        }
    }
}

fn file(path: &Path) -> Result<Source, String> {
    let name = path.display();
    let bytes = fs::read(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            format!("{name}: there is no such file; name the configuration with `-c FILE` or write it there")
        }
        std::io::ErrorKind::PermissionDenied => format!("{name}: no permission to read it"),
        _ => format!("{name}: {e}"),
    })?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let line =
            e.as_bytes().iter().take(e.utf8_error().valid_up_to()).filter(|b| **b == b'\n').count() + 1;
        format!("{name}:{line}: not UTF-8; save the file as UTF-8")
    })?;
    Ok(Source::new(name.to_string(), text))
}

fn directory(path: &Path) -> Result<Vec<Source>, String> {
    let name = path.display();
    let entries = fs::read_dir(path).map_err(|e| format!("{name}: {e}"))?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| is_yaml(p)).collect();
    files.sort();
    if files.is_empty() {
        return Err(format!("{name}: the directory has no `*.yaml` file"));
    }
    files.iter().map(|f| file(f)).collect()
}

fn is_yaml(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
    !hidden && path.extension().is_some_and(|e| e == "yaml" || e == "yml") && path.is_file()
}
