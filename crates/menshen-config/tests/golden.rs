//! Documents and the exact problems they have. A file of `tests/golden` is one or more sources, the line
//! `---expected---`, and the lines of the problems; further sources start with `---file name---`. To add a test, add
//! a file; `BLESS=1 cargo test --test golden` writes down what comes out.

use std::path::Path;

use menshen_config::{Source, parse};

const EXPECTED: &str = "---expected---\n";

#[test]
fn every_golden_document_has_exactly_its_problems() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let golden = std::fs::read_to_string(&file).unwrap();
        let (sources, expected) = golden.split_once(EXPECTED).unwrap_or((&golden, ""));
        let (_, problems) = parse(&split(sources));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, format!("{sources}{EXPECTED}{problems}")).unwrap();
        } else {
            assert_eq!(problems.to_string(), expected, "{}", file.display());
        }
    }
}

fn split(text: &str) -> Vec<Source> {
    let mut sources = vec![Source::new("menshen.yaml", "")];
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("---file ").and_then(|line| line.strip_suffix("---\n")) {
            Some(name) => sources.push(Source::new(name, "")),
            None => sources.last_mut().unwrap().text.push_str(line),
        }
    }
    sources
}
