//! Every example is good, in canonical form, and does what its own tests say.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{Folder, root};

fn examples() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("examples")).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == "yaml")).collect();
    files.push(root().join("demo/menshen.yaml"));
    files.sort();
    files
}

/// The example with the certificates that it may name.
fn folder(example: &Path) -> Folder {
    Folder::with_certificates(fs::read(example).unwrap())
}

#[test]
fn every_example_compiles_without_a_warning() {
    for file in examples() {
        let outcome = folder(&file).run(&["check"]);
        assert!(outcome.ok && outcome.err.is_empty(), "{outcome:?}");
    }
}

#[test]
fn every_example_does_what_its_tests_say() {
    for file in examples().iter().filter(|f| !f.ends_with("demo/menshen.yaml")) {
        let outcome = folder(file).run(&["test"]);
        assert!(outcome.ok, "{}\n{}{}", file.display(), outcome.out, outcome.err);
        assert!(!outcome.out.contains("0 passed"), "{} has no tests", file.display());
    }
}

#[test]
fn every_example_is_in_canonical_form() {
    for file in examples() {
        let outcome = Folder::new().run(&["fmt", "--check", file.to_str().unwrap()]);
        assert!(outcome.ok, "run `menshen fmt {}`\n{}", file.display(), outcome.err);
    }
}

#[test]
fn every_example_means_the_same_in_the_long_form() {
    for file in examples() {
        let folder = folder(&file);
        let long = folder.run(&["fmt", "--long", "menshen.yaml"]);
        assert!(long.ok, "{}: {long:?}", file.display());
        let outcome = folder.run(&["test"]);
        assert!(
            outcome.ok,
            "{} in the long form:\n{}\n{}{}",
            file.display(),
            folder.read("menshen.yaml"),
            outcome.out,
            outcome.err
        );
    }
}

#[test]
fn every_example_stands_in_the_list() {
    let list = fs::read_to_string(root().join("examples/README.md")).unwrap();
    for file in examples().iter().filter(|f| !f.ends_with("demo/menshen.yaml")) {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(list.contains(&format!("({name})")), "examples/README.md does not mention {name}");
    }
}
