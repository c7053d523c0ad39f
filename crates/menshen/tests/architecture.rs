//! The rules between the crates (ARCHITECTURE.md, "The crates"), checked on the manifests and the sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The longest source file, in lines.
const LONGEST: usize = 500;

/// Files that may be longer, each with the reason. One that is short again has to be taken off.
const LONGER: &[(&str, &str)] = &[];

/// What each crate of ours may depend on: of our crates exactly these, of others none of the second list.
const RULES: &[(&str, &[&str], &[&str])] = &[
    ("menshen-http1", &[], &["tokio", "serde", "bytes"]),
    ("menshen-http2", &[], &["tokio", "serde"]),
    ("menshen-config", &[], &["tokio", "axum", "hyper", "reqwest", "httparse", "socket2"]),
    (
        "menshen-proxy",
        &["menshen-http1", "menshen-http2"],
        &["serde", "serde_json", "schemars", "saphyr-parser", "axum"],
    ),
    ("menshen-filters", &["menshen-config", "menshen-proxy"], &["axum", "saphyr-parser", "socket2"]),
    (
        "menshen-control",
        &["menshen-config", "menshen-filters", "menshen-proxy"],
        &["saphyr-parser", "httparse"],
    ),
    (
        "menshen",
        &["menshen-config", "menshen-control", "menshen-filters", "menshen-proxy"],
        &["saphyr-parser", "httparse"],
    ),
    ("menshen-e2e", &["menshen"], &[]),
    ("menshen-demo", &[], &[]),
    ("bench-origin", &[], &[]),
];

/// All that the codecs may use.
const CODECS: &[(&str, &[&str])] = &[
    ("menshen-http1", &["httparse", "itoa", "memchr"]),
    ("menshen-http2", &["bytes", "memchr", "rustc-hash"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// What `cargo metadata` knows of our own crates.
fn crates() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

/// What a crate depends on when it is built; what its tests use is its own affair.
fn dependencies(package: &Value) -> Vec<&str> {
    let all = package["dependencies"].as_array().unwrap();
    all.iter().filter(|d| d["kind"] != "dev").map(|d| d["name"].as_str().unwrap()).collect()
}

fn is_ours(dependency: &str) -> bool {
    dependency == "menshen" || dependency.starts_with("menshen-")
}

/// All Rust files below these folders, as paths from the root.
fn sources(folders: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|f| root().join(f)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The folders with what is shipped.
fn shipped() -> Vec<String> {
    let folders = crates();
    let folders: Vec<String> = folders
        .iter()
        .map(|p| Path::new(p["manifest_path"].as_str().unwrap()).parent().unwrap().join("src"))
        .map(|p| p.strip_prefix(root()).unwrap().to_str().unwrap().to_owned())
        .collect();
    sources(&folders.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The lines of a file that are code: comments and what stands behind `#[cfg(test)]` at its end left out.
fn code(path: &str) -> Vec<(usize, String)> {
    let text = read(path);
    let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text.lines().map(|l| l.split("//").next().unwrap().to_owned());
    lines.enumerate().map(|(i, l)| (i + 1, l)).collect()
}

fn is_test(path: &str) -> bool {
    ["/tests.rs", "/testing.rs"].iter().any(|t| path.ends_with(t)) || path.contains("/tests/")
}

/// Asserts that nobody uses one of these words, and says where and why not otherwise.
fn nobody_uses(words: &[&str], folders: &[&str], reason: &str) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for path in sources(folders).iter().filter(|p| !is_test(p)) {
        for (number, line) in code(path) {
            if line.split(|c| !is_word(c)).any(|w| words.contains(&w)) {
                found.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{reason}:\n{}", found.join("\n"));
}

#[test]
fn every_crate_keeps_to_its_dependencies() {
    let packages = crates();
    for package in &packages {
        let name = name(package);
        let Some((_, ours, never)) = RULES.iter().find(|(n, ..)| *n == name) else {
            panic!("`{name}` is new: say in RULES what it may depend on");
        };
        for dependency in dependencies(package) {
            let allowed =
                if is_ours(dependency) { ours.contains(&dependency) } else { !never.contains(&dependency) };
            assert!(allowed, "`{name}` must not depend on `{dependency}`");
            let codec = CODECS.iter().find(|(n, _)| *n == name);
            assert!(
                codec.is_none_or(|(_, all)| all.contains(&dependency)),
                "the codec `{name}` must not depend on `{dependency}`"
            );
        }
    }
}

#[test]
fn the_data_plane_has_no_locks() {
    let locks = ["Mutex", "RwLock", "Condvar", "Barrier"];
    let folders = ["crates/menshen-proxy/src", "crates/menshen-http1/src", "crates/menshen-http2/src"];
    nobody_uses(&locks, &folders, "a worker never waits for another");
}

#[test]
fn the_data_plane_does_not_block() {
    let blocking =
        ["block_on", "block_in_place", "spawn_blocking", "recv_timeout", "ToSocketAddrs", "lookup_host"];
    let folders = [
        "crates/menshen-proxy/src/h1",
        "crates/menshen-filters/src",
        "crates/menshen-http1/src",
        "crates/menshen-http2/src",
    ];
    nobody_uses(&blocking, &folders, "a worker never waits for another thread, a file or a resolver");
}

#[test]
fn queues_are_bounded() {
    nobody_uses(&["unbounded_channel"], &["crates"], "what does not fit is dropped and counted");
}

#[test]
fn the_codecs_and_the_configuration_touch_neither_network_nor_files_nor_clocks() {
    let io = ["fs", "TcpStream", "TcpListener", "UdpSocket", "Instant", "SystemTime", "sleep", "spawn"];
    let folders = ["crates/menshen-http1/src", "crates/menshen-http2/src", "crates/menshen-config/src"];
    nobody_uses(&io, &folders, "callers own sockets, files and clocks");
}

#[test]
fn a_filter_knows_no_other_filter() {
    let files = sources(&["crates/menshen-filters/src"]);
    let list = read("crates/menshen-filters/src/lib.rs");
    let module = |path: &str| {
        path.trim_start_matches("crates/menshen-filters/src/").split(['/', '.']).next().unwrap().to_owned()
    };
    let is_filter = |m: &str| list.contains(&format!("Spec::of::<{m}::"));
    for path in files.iter().filter(|f| is_filter(&module(f))) {
        for (number, line) in code(path) {
            let used =
                line.trim().strip_prefix("use crate::").and_then(|u| u.split([':', ';', '{', ' ']).next());
            let Some(used) = used else { continue };
            let foreign = is_filter(used) && used != module(path);
            assert!(!foreign, "{path}:{number}: a filter uses the filter `{used}`");
        }
    }
}

#[test]
fn unsafe_code_is_forbidden_everywhere() {
    assert!(read("Cargo.toml").contains("unsafe_code = \"forbid\""));
    for package in crates() {
        let manifest = fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "`{}` does not take the lints of the workspace",
            name(&package)
        );
    }
}

#[test]
fn no_source_file_is_long() {
    for path in shipped() {
        let lines = read(&path).lines().count();
        match LONGER.iter().find(|(p, _)| *p == path) {
            None => assert!(lines <= LONGEST, "{path} has {lines} lines; split it, or say in LONGER why not"),
            Some(_) => assert!(lines > LONGEST, "{path} is short again: take it off LONGER"),
        }
    }
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = read("Cargo.toml");
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for line in section.lines().filter(|l| l.contains('=') && !l.contains("path = ")) {
        assert!(line.contains('#'), "no reason is given for: {line}");
    }
}

#[test]
fn all_versions_stand_in_the_root_manifest() {
    for package in crates() {
        let manifest = fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        let mut in_dependencies = false;
        for line in manifest.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            match line.strip_prefix('[') {
                Some(section) => in_dependencies = section.contains("dependencies"),
                None => {
                    let taken_over = line.contains(".workspace = true") || line.contains("workspace = true");
                    assert!(
                        !in_dependencies || taken_over,
                        "`{}`: give the version in the root: {line}",
                        name(&package)
                    );
                }
            }
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents: Vec<PathBuf> = Vec::new();
    for folder in ["", "docs", "docs/filters", "examples", "demo", "bench", "fuzz"] {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        documents
            .extend(entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "md")));
    }
    let mut broken = Vec::new();
    for document in &documents {
        let text = fs::read_to_string(document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap();
            let is_elsewhere = file.is_empty() || file.contains("://") || file.starts_with("mailto:");
            if !is_elsewhere && !document.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {link}", document.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "links to nowhere:\n{}", broken.join("\n"));
}
