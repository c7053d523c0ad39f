//! Finding the executables and the gateway's configuration.

use std::env;
use std::path::{Path, PathBuf};

use super::Trouble;

const CONFIG: &str = "demo/menshen.yaml";

/// An executable that was built together with this one.
pub fn sibling(name: &str) -> Result<PathBuf, Trouble> {
    let folder = own_folder()?;
    let path = folder.join(name);
    if path.is_file() {
        return Ok(path);
    }
    let package = if name == "menshen" { "menshen" } else { "menshen-demo" };
    let release = if folder.ends_with("release") { "--release " } else { "" };
    let cure = format!("build it with: cargo build {release}-p {package}");
    Err(Trouble::new(format!("{name} is not next to this program, in {}; {cure}", folder.display())))
}

/// `demo/menshen.yaml`, seen from the working directory or from a folder above this executable.
pub fn config() -> Result<PathBuf, Trouble> {
    let folder = own_folder()?;
    let above = folder.ancestors().map(|folder| folder.join(CONFIG));
    std::iter::once(PathBuf::from(CONFIG)).chain(above).find(|path| path.is_file()).ok_or_else(|| {
        Trouble::new(format!("{CONFIG} not found; start in the repository or pass --config FILE"))
    })
}

fn own_folder() -> Result<PathBuf, Trouble> {
    let own = env::current_exe().map_err(|error| Trouble::new(format!("where am I? {error}")))?;
    Ok(own.parent().unwrap_or(Path::new(".")).to_owned())
}
