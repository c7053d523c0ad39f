//! The example that is in the repository, and files that change.

use std::path::Path;

use super::{Desk, protos};

/// The descriptors of a .proto file in this folder.
fn compiled(folder: &Path, name: &str) -> Vec<u8> {
    let mut compiler = protox::Compiler::new([folder, protos()]).unwrap();
    compiler.include_imports(true).open_file(name).unwrap();
    compiler.encode_file_descriptor_set()
}

/// `BLESS=1` writes it anew.
#[test]
fn the_descriptors_of_the_example_are_those_of_its_proto_file() {
    let examples = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"));
    let (compiled, file) = (compiled(examples, "greeter.proto"), examples.join("greeter.pb"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &compiled).unwrap();
    }
    assert!(std::fs::read(file).is_ok_and(|written| written == compiled), "run it with BLESS=1");
}

#[test]
fn descriptors_that_change_are_read_again_and_broken_ones_change_nothing() {
    let desk = Desk::open();
    assert_eq!(desk.ask("GET", "/v2/books/1", "").status, 404);
    let file = desk.files.path().join("library.pb");
    std::fs::write(&file, "broken").unwrap();
    let refusal = desk.gateway.reload_files().unwrap_err();
    assert!(refusal.contains("library.pb: "), "{refusal}");
    assert_eq!(desk.ask("GET", "/v1/books/1", "").status, 200);
    let text =
        std::fs::read_to_string(protos().join("library.proto")).unwrap().replace("/v1/books", "/v2/books");
    std::fs::write(desk.files.path().join("library.proto"), text).unwrap();
    std::fs::write(&file, compiled(desk.files.path(), "library.proto")).unwrap();
    desk.gateway.reload_files().unwrap();
    assert_eq!(desk.ask("GET", "/v2/books/1", "").status, 200);
    assert_eq!(desk.ask("GET", "/v1/books/1", "").status, 404);
}
