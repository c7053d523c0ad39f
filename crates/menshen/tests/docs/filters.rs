//! The pages of the filters and their list.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use crate::page::page;
use crate::support::root;
use crate::types::Types;
use crate::words::{cell, sentence, title};

/// The examples in which a filter is used.
fn examples_with(filter: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join("examples"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "yaml"))
        .filter(|p| {
            let text = fs::read_to_string(p).unwrap();
            let starts = |l: &str| {
                [format!("- {filter}"), format!("- {filter}:")]
                    .iter()
                    .any(|s| l == s || l.starts_with(&format!("{s} ")))
            };
            text.lines().any(|l| starts(l.trim()))
        })
        .map(|p| p.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_pages_of_the_filters_are_up_to_date() {
    for filter in menshen_filters::ALL {
        let schema = (filter.schema)().to_value();
        let mut types = Types::of(&schema);
        let name = filter.name;
        let mut text = format!("{}\n\n", sentence(schema["description"].as_str().unwrap_or_default()));
        if let Some(short) = filter.short {
            write!(text, "Short form: `{name}: VALUE` is `{name}: {{ {short}: VALUE }}`.\n\n").unwrap();
        }
        text.push_str(&match Types::keys(&schema) {
            Some(_) => types.table(&schema),
            None => "It has no settings.\n".to_owned(),
        });
        let mut at = 0;
        while let Some(met) = types.met.get(at).cloned() {
            at += 1;
            let schema = &types.definitions[&met];
            let about = schema["description"].as_str().unwrap_or_default();
            let table = types.table(schema);
            write!(text, "\n## {}\n\n{}\n\n{table}", title(&met), sentence(about)).unwrap();
        }
        let examples = examples_with(name);
        assert!(!examples.is_empty(), "no example uses `{name}`");
        let links = examples.iter().map(|e| format!("[{e}](../../examples/{e}.yaml)"));
        write!(text, "\nUsed in {}.\n", links.collect::<Vec<_>>().join(", ")).unwrap();
        page(&format!("filters/{name}.md"), name, &text);
    }
}

#[test]
fn the_list_of_filters_is_up_to_date() {
    let mut text = "| filter | what it does |\n|---|---|\n".to_owned();
    for filter in menshen_filters::ALL {
        let schema = (filter.schema)().to_value();
        let about = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
        let first = about.split_inclusive(". ").next().unwrap_or_default();
        writeln!(text, "| [{0}]({0}.md) | {1} |", filter.name, cell(&sentence(first.trim()))).unwrap();
    }
    page("filters/README.md", "Filters", &text);
    let pages = fs::read_dir(root().join("docs/filters")).unwrap();
    let pages: BTreeSet<String> =
        pages.map(|e| e.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    for page in pages.iter().filter(|p| *p != "README") {
        assert!(menshen_filters::find(page).is_some(), "docs/filters/{page}.md is about no filter");
    }
}
