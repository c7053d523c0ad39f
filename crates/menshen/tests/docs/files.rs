//! The list of files in ARCHITECTURE.md.

use std::fmt::Write;
use std::fs;

use crate::page::page;
use crate::support::root;
use crate::words::cell;

/// The first sentence of a file's own documentation.
fn first_sentence(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().map_while(|l| l.strip_prefix("//!")).map(str::trim).collect();
    let paragraph = lines.into_iter().skip_while(|l| l.is_empty()).take_while(|l| !l.is_empty());
    let paragraph = paragraph.collect::<Vec<_>>().join(" ");
    let end = paragraph.find(". ").map_or(paragraph.len(), |at| at + 1);
    paragraph.get(..end).filter(|s| !s.is_empty()).map(str::to_owned)
}

#[test]
fn the_list_of_files_is_up_to_date() {
    let mut text = String::new();
    for name in ["http1", "http2", "config", "proxy", "filters", "control"]
        .map(|n| format!("menshen-{n}"))
        .iter()
        .chain([&"menshen".to_owned()])
    {
        write!(text, "### {name}\n\n| file | what it is for |\n|---|---|\n").unwrap();
        let source = root().join("crates").join(name).join("src");
        let mut folders = vec![source.clone()];
        let mut rows = Vec::new();
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
                let file = path.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() {
                    folders.push(path);
                } else if let Some(job) = first_sentence(&fs::read_to_string(&path).unwrap()) {
                    rows.push(format!("| `{file}` | {} |", cell(&job)));
                }
            }
        }
        rows.sort();
        write!(text, "{}\n\n", rows.join("\n")).unwrap();
    }
    page("../ARCHITECTURE.md", "Architecture", &text);
}
