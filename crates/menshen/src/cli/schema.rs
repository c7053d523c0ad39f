//! `menshen schema`.

use std::process::ExitCode;

use menshen_config::schema::{FilterSchema, document};

pub(super) fn run() -> Result<ExitCode, String> {
    let filters: Vec<FilterSchema> = menshen_filters::ALL
        .iter()
        .map(|s| FilterSchema { name: s.name, schema: (s.schema)(), short: s.short })
        .collect();
    let text = serde_json::to_string_pretty(&document(&filters)).map_err(|e| e.to_string())?;
    println!("{text}");
    Ok(ExitCode::SUCCESS)
}
