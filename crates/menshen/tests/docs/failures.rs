//! The table of failures.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use menshen_proxy::{Blame, Failure, Retry};

use crate::page::page;
use crate::support::root;
use crate::words::cell;

#[test]
fn the_table_of_failures_is_up_to_date() {
    let mut text = String::new();
    for (blame, heading) in [
        (Blame::Client, "The client is to blame"),
        (Blame::Gateway, "The gateway is to blame"),
        (Blame::Service, "The service is to blame"),
    ] {
        let mut rows: Vec<(u16, &str, String)> = Vec::new();
        for failure in Failure::all().filter(|f| f.blame() == blame) {
            let status = match failure {
                Failure::FaultInjected { .. } => "as configured".to_owned(),
                _ => failure.status().to_string(),
            };
            let again = match failure.retry() {
                Retry::Never => "no",
                Retry::IfIdempotent => "where harmless",
                Retry::Always => "yes",
            };
            rows.push((
                failure.status(),
                failure.code(),
                format!("| {status} | `{}` | {} | {again} |", failure.code(), cell(failure.text())),
            ));
        }
        rows.sort();
        write!(text, "## {heading}\n\n| status | code | text | tried again |\n|---|---|---|---|\n").unwrap();
        rows.iter().for_each(|(_, _, row)| writeln!(text, "{row}").unwrap());
        text.push('\n');
    }
    page("failures.md", "Failures", &text);
}

#[test]
fn no_code_is_missing_in_the_table_of_failures() {
    let listed: BTreeSet<&str> = Failure::all().map(Failure::code).collect();
    for file in ["menshen-proxy/src/failure.rs", "menshen-proxy/src/target.rs", "menshen-http1/src/error.rs"]
    {
        let text = fs::read_to_string(root().join("crates").join(file)).unwrap();
        let code = text.split("fn code(self)").nth(1).unwrap().split("\n    }\n").next().unwrap();
        for code in code.split("=> \"").skip(1).filter_map(|c| c.split('"').next()) {
            assert!(listed.contains(code), "`{code}` of {file} is not in `Failure::all`");
        }
    }
}
