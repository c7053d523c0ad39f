//! `menshen check`.

use std::process::ExitCode;

use menshen_config::Severity;

use super::{Looked, Where, look};

pub(super) fn run(place: &Where) -> Result<ExitCode, String> {
    let Looked { document, problems, .. } = look(place)?;
    eprint!("{}", problems.with_excerpts());
    let errors = problems.iter().filter(|p| p.severity == Severity::Error).count();
    let warnings = problems.len() - errors;
    if errors > 0 {
        eprintln!("{}", count(errors, "error", warnings));
        return Ok(ExitCode::FAILURE);
    }
    println!(
        "{}: good ({} listeners, {} services, {} routes{})",
        place.config.display(),
        document.listeners.len(),
        document.services.len(),
        document.routes.len(),
        if warnings > 0 { format!(", {warnings} warnings") } else { String::new() }
    );
    Ok(ExitCode::SUCCESS)
}

fn count(errors: usize, noun: &str, warnings: usize) -> String {
    let plural = if errors == 1 { "" } else { "s" };
    match warnings {
        0 => format!("{errors} {noun}{plural}"),
        n => format!("{errors} {noun}{plural}, {n} warnings"),
    }
}
