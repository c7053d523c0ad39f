//! What the pages show as configuration compiles.

use std::fmt::Write;
use std::fs;

use crate::support::{Folder, root};

#[test]
fn every_piece_of_configuration_on_the_pages_of_filters_compiles() {
    for filter in menshen_filters::ALL {
        let text = fs::read_to_string(root().join(format!("docs/filters/{}.md", filter.name))).unwrap();
        let pieces: Vec<&str> =
            text.split("```yaml\n").skip(1).filter_map(|p| p.split("```").next()).collect();
        assert!(!pieces.is_empty(), "docs/filters/{}.md shows no configuration", filter.name);
        for piece in pieces {
            let filters: String = piece.lines().fold(String::new(), |mut all, line| {
                writeln!(all, "      {line}").unwrap();
                all
            });
            let config = format!(
                "listeners: {{ web: {{ bind: 127.0.0.1:8001 }} }}\nservices: {{ spare: http://127.0.0.1:2 }}\n\
                 routes:\n  a:\n    match: \"/a/{{id}}\"\n    to: http://127.0.0.1:1\n    filters:\n{filters}"
            );
            let outcome = Folder::with_descriptors(&config).run(&["check"]);
            assert!(outcome.ok, "docs/filters/{}.md\n{config}\n{}", filter.name, outcome.err);
        }
    }
}

#[test]
fn every_whole_configuration_in_the_documents_compiles() {
    for path in [
        "README.md",
        "README.zh.md",
        "docs/config.md",
        "docs/grpc.md",
        "docs/operations.md",
        "docs/services/consul.md",
        "docs/services/eureka.md",
        "docs/limits.md",
        "docs/tls.md",
        "demo/README.md",
    ] {
        let text = fs::read_to_string(root().join(path)).unwrap();
        for piece in text.split("```yaml\n").skip(1).filter_map(|p| p.split("```").next()) {
            let piece = if piece.contains("listeners:") {
                piece.to_owned()
            } else {
                format!("listeners: {{ web: {{ bind: 127.0.0.1:8001 }} }}\n{piece}")
            };
            let outcome = Folder::with_certificates(&piece).run(&["check"]);
            assert!(outcome.ok, "{path}\n{piece}\n{}", outcome.err);
        }
    }
}
