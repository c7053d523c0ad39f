//! The table of metrics.

use std::fmt::Write;
use std::sync::Arc;

use menshen_control::publish::Shared;

use crate::page::page;
use crate::words::cell;

#[test]
fn the_table_of_metrics_is_up_to_date() {
    let ground = menshen_control::Ground::new(1);
    let shared = Shared {
        ground: Arc::new(ground),
        status: Default::default(),
        log: Default::default(),
        services: Default::default(),
    };
    let text = menshen_control::metrics::text(&Arc::new(shared));
    let mut table = "| metric | kind | meaning |\n|---|---|---|\n".to_owned();
    for line in text.lines() {
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|l| l.split_once(' ')) else {
            continue;
        };
        let kind = text.lines().find_map(|l| l.strip_prefix(&format!("# TYPE {name} "))).unwrap();
        let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        writeln!(table, "| `{name}` | {kind} | {} |", cell(help.trim_end_matches('.'))).unwrap();
    }
    page("metrics.md", "Metrics", &table);
}
