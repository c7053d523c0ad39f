//! `menshen check`.

use std::process::ExitCode;

use menshen_config::Severity;

use super::{Good, Looked, Where, look, test};

pub(super) fn run(place: &Where) -> Result<ExitCode, String> {
    let Looked { document, compiled, ground, problems } = look(place)?;
    eprint!("{}", problems.with_excerpts());
    let errors = problems.iter().filter(|p| p.severity == Severity::Error).count();
    let warnings = match problems.len() - errors {
        0 => String::new(),
        n => format!(", {}", count(n, "warning")),
    };
    let Some(compiled) = compiled else {
        eprintln!("{}{warnings}", count(errors, "error"));
        return Ok(ExitCode::FAILURE);
    };
    let good = Good { document, compiled, ground };
    let tests = test::run_all(&good, None);
    let failed = tests.iter().filter(|t| !t.wrong.is_empty());
    failed.clone().for_each(|t| eprint!("{t}"));
    let failed = failed.count();
    if failed > 0 {
        eprintln!("{} failed{warnings}", count(failed, "test"));
        return Ok(ExitCode::FAILURE);
    }
    println!(
        "{}: good ({}, {}, {}, {}{warnings})",
        place.config.display(),
        count(good.document.listeners.len(), "listener"),
        count(good.document.services.len(), "service"),
        count(good.document.routes.len(), "route"),
        count(tests.len(), "test"),
    );
    Ok(ExitCode::SUCCESS)
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
