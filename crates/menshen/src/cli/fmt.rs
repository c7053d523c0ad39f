//! `menshen fmt`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use menshen_config::Source;
use menshen_config::fmt::{Style, format};

#[derive(Args)]
pub(super) struct Options {
    /// Files to format.
    #[arg(default_value = "menshen.yaml")]
    files: Vec<PathBuf>,
    /// Write the long form of everything that is sugar.
    #[arg(long)]
    long: bool,
    /// Only say which files would change; exit 1 if there are any.
    #[arg(long)]
    check: bool,
    /// Print to the terminal instead of changing the files.
    #[arg(long, conflicts_with = "check")]
    stdout: bool,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, String> {
    let short = |name: &str| menshen_filters::find(name).and_then(|s| s.short);
    let mut would_change = false;
    for file in &options.files {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|e| format!("{name}: {e}"))?;
        let style = if options.long { Style::Long(&short) } else { Style::Short };
        let formatted = format(&Source::new(&name, &text), style)
            .map_err(|p| format!("{name} is left as it is\n{}", p.with_excerpts()))?;
        if options.stdout {
            print!("{formatted}");
        } else if formatted != text && options.check {
            println!("{name}");
            would_change = true;
        } else if formatted != text {
            replace(file, &formatted).map_err(|e| format!("{name}: {e}"))?;
        }
    }
    Ok(if would_change { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Writes beside the file and renames, so that a crash or a full disk loses nothing.
fn replace(file: &std::path::Path, text: &str) -> std::io::Result<()> {
    let beside = file.with_extension("yaml.new");
    std::fs::write(&beside, text)?;
    std::fs::set_permissions(&beside, std::fs::metadata(file)?.permissions())?;
    std::fs::rename(&beside, file)
}
