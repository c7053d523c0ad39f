use std::collections::BTreeMap;

use super::*;
use crate::{FileId, Spanned, yaml};

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Server {
    port: u16,
    #[serde(default)]
    secure: bool,
    #[serde(default)]
    level: Option<Level>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    limits: BTreeMap<String, u8>,
    #[serde(default)]
    next: Option<Box<Server>>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Level {
    Quiet,
    VeryLoud,
    Custom { gain: f64 },
    File(String),
}

fn read<T: DeserializeOwned>(text: &str) -> (Option<T>, String) {
    let mut problems = Problems::new();
    let node = yaml::parse(FileId(0), text, &mut problems).unwrap();
    let value = decode(&node, &Path::root(), &mut problems);
    (value, problems.to_string())
}

fn problems(text: &str) -> String {
    read::<Server>(text).1
}

#[test]
fn a_right_value_is_decoded() {
    let (server, problems) =
        read::<Server>("{ port: 80, level: { custom: { gain: 2 } }, names: [a, 1.10, true] }");
    assert_eq!(problems, "");
    let server = server.unwrap();
    assert_eq!(server.level, Some(Level::Custom { gain: 2.0 }));
    assert_eq!(server.names, ["a", "1.10", "true"]);
}

#[test]
fn all_problems_are_found_in_one_go() {
    assert_eq!(
        problems("port: 70000\nsecure: yes\nlevel: very-lout\nnames: 5\nlimits: { a: x, b: 300 }\nprot: 1\n"),
        "1:7: error: port: expected a whole number from 0 to 65535, found the number 70000\n\
         2:9: error: secure: expected `true` or `false`, found the text `yes`; write `true`\n\
         3:8: error: level: `very-lout` is not known here; did you mean `very-loud`?\n\
         4:8: error: names: expected a list, found the number 5\n\
         5:14: error: limits.a: expected a whole number, found the text `x`\n\
         5:20: error: limits.b: expected a whole number from 0 to 255, found the number 300\n\
         6:1: error: unknown key `prot`; did you mean `port`?\n"
    );
}

#[test]
fn a_missing_field_is_named_at_the_name_of_its_map() {
    assert_eq!(problems("port: 1\nnext:\n  secure: true\n"), "2:1: error: next: missing `port`\n");
    assert_eq!(problems("port: 1\nnext: {}\n"), "2:1: error: next: missing `port`\n");
    assert_eq!(problems("{}"), "1:1: error: missing `port`\n");
}

#[test]
fn a_refused_field_is_not_called_missing() {
    assert_eq!(problems("port: x\n"), "1:7: error: port: expected a whole number, found the text `x`\n");
}

#[test]
fn what_could_be_read_is_kept() {
    let (server, problems) = read::<Server>("{ port: 80, names: [a, [], b] }");
    assert_eq!(server.unwrap().names, ["a", "b"]);
    assert_eq!(problems, "1:24: error: names[1]: expected text, found a list\n");
}

#[test]
fn variants_are_checked() {
    assert_eq!(
        problems("{ port: 1, level: file }"),
        "1:19: error: level: `file` needs a value; write `file: …`\n"
    );
    assert_eq!(
        problems("{ port: 1, level: { quiet: 1 } }"),
        "1:19: error: level: `quiet` takes no value; write just `quiet`\n"
    );
    assert_eq!(
        problems("{ port: 1, level: { custom: { gian: 1 } } }"),
        "1:21: error: level.custom: missing `gain`\n1:31: error: level.custom: unknown key `gian`; did you mean `gain`?\n"
    );
    assert_eq!(
        problems("{ port: 1, level: [] }"),
        "1:19: error: level: expected a name, found a list; known values are `quiet`, `very-loud`, `custom` and `file`\n"
    );
}

#[test]
fn numbers_that_do_not_fit_are_said_to_be_too_large() {
    assert_eq!(
        problems("port: 99999999999999999999"),
        "1:7: error: port: 99999999999999999999 is too large\n"
    );
}

#[test]
fn nothing_written_is_nothing_set() {
    let (server, problems) = read::<Server>("port: 1\nlevel:\nnames:\nlimits:\nnext:\n");
    assert_eq!(problems, "");
    assert!(server.unwrap().names.is_empty());
}

#[test]
fn an_ignored_key_is_unknown_even_if_the_type_forgot_to_say_so() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code)]
    struct Forgetful {
        #[serde(flatten)]
        server: Server,
    }
    let (_, problems) = read::<Spanned<BTreeMap<String, Server>>>("a: { port: 1, x: 2 }");
    assert!(problems.contains("a: unknown key `x`"), "{problems}");
    // serde copies flattened values; at least nothing panics.
    read::<Forgetful>("{ port: 1, x: 2 }");
}

#[test]
fn the_number_of_problems_in_one_entry_is_bounded() {
    let text: String = (0..1000).map(|n| format!("k{n}: x\n")).collect();
    let (_, problems) = read::<BTreeMap<String, u8>>(&text);
    assert_eq!(problems.lines().count(), 50);
}

#[test]
fn nodes_pass_through_with_their_places() {
    let mut problems = Problems::new();
    let node = yaml::parse(FileId(3), "a: [1, '2', {b: ~}]\n", &mut problems).unwrap();
    let copy: Node = decode(&node, &Path::root(), &mut problems).unwrap();
    assert_eq!(copy, node);
    let place = |node: &Node| node.get("a").unwrap().as_list().unwrap()[2].get("b").unwrap().span;
    assert_eq!(place(&copy), place(&node));
}
