use super::*;

fn read(text: &str) -> (Option<Node>, String) {
    let mut problems = Problems::new();
    let node = parse(FileId(0), text, &mut problems);
    (node, problems.to_string())
}

fn kinds(text: &str) -> Vec<Kind> {
    let (node, problems) = read(text);
    assert_eq!(problems, "");
    node.unwrap().as_list().unwrap().iter().map(|item| item.as_scalar().unwrap().kind).collect()
}

#[test]
fn norway_stays_a_country() {
    assert_eq!(kinds("[no, on, yes, off, y, NO]"), [Kind::String; 6]);
}

#[test]
fn scalars_follow_the_core_schema() {
    assert_eq!(
        kinds("[true, ~, null, '', 'true', 1.2.3]"),
        [Kind::Bool(true), Kind::Null, Kind::Null, Kind::String, Kind::String, Kind::String]
    );
    assert_eq!(
        kinds("[1, -7, 0x1f, 0o17, 007, 1.5, 1e3, .5, -.inf]"),
        [
            Kind::Int(1),
            Kind::Int(-7),
            Kind::Int(31),
            Kind::Int(15),
            Kind::Int(7),
            Kind::Float(1.5),
            Kind::Float(1e3),
            Kind::Float(0.5),
            Kind::Float(f64::NEG_INFINITY)
        ]
    );
    assert_eq!(kinds("[10s, 127.0.0.1, '-', 2026-01-01, ., e3]"), [Kind::String; 6]);
}

#[test]
fn values_know_their_place() {
    let (node, _) = read("routes:\n  users:\n    to: héros\n");
    let to = node.unwrap().get("routes").unwrap().get("users").unwrap().get("to").unwrap().span;
    assert_eq!((to.line, to.column, to.end_line, to.end_column), (3, 9, 3, 14));
}

#[test]
fn an_empty_text_is_an_empty_map() {
    let (node, problems) = read("# nothing yet\n");
    assert_eq!(node.unwrap().as_map().unwrap().len(), 0);
    assert_eq!(problems, "");
}

#[test]
fn a_key_given_twice_names_both_places() {
    let (_, problems) = read("services:\n  a: 1\n  a: 2\n");
    assert_eq!(problems, "3:3: error: services: `a` is given twice, first in line 2; keep one of them\n");
}

#[test]
fn duplicates_are_found_in_large_maps() {
    let text: String = (0..100).chain([57]).map(|i| format!("k{i}: {i}\n")).collect();
    assert_eq!(read(&text).1, "101:1: error: `k57` is given twice, first in line 58; keep one of them\n");
}

#[test]
fn what_yaml_hides_is_refused() {
    let (_, problems) = read("a: &x 1\nb: *x\nc: !!str 1\nd: { <<: 1 }\n");
    assert_eq!(
        problems,
        "1:4: error: a: anchors (`&name`) are not allowed; write the value out, or quote text that starts with `&`\n\
         2:4: error: b: aliases (`*name`) are not allowed; write the value out, or quote text that starts with `*`\n\
         3:4: error: c: tags (`!name`) are not allowed; remove it, or quote text that starts with `!`\n\
         4:6: error: d: merge keys (`<<`) are not allowed; write the entries out\n"
    );
}

#[test]
fn a_second_document_is_refused() {
    assert_eq!(
        read("a: 1\n---\nb: 2\n").1,
        "2:1: error: a second YAML document starts here; put it into its own file or remove the `---`\n"
    );
}

#[test]
fn deep_nesting_is_refused() {
    let (node, problems) = read(&format!("{}1{}", "[".repeat(65), "]".repeat(65)));
    assert!(node.is_none());
    let path = "[0]".repeat(64);
    assert_eq!(
        problems,
        format!("1:65: error: {path}: nested deeper than 64 levels; no configuration needs that\n")
    );
    assert!(read(&format!("{}1{}", "[".repeat(64), "]".repeat(64))).0.is_some());
}

#[test]
fn very_deep_nesting_is_refused_at_once() {
    let (node, problems) = read(&"[".repeat(100_000));
    assert!(node.is_none());
    assert_eq!(problems, "1:256: error: nested far too deep; no configuration needs that\n");
}

#[test]
fn tabs_are_named() {
    assert_eq!(read("a:\n\tb: 1\n").1, "2:2: error: a tab is used for indentation; indent with spaces\n");
}

#[test]
fn a_star_host_is_explained() {
    assert_eq!(
        read("host: *.example.org\n").1,
        "1:7: error: `*` starts an alias, and aliases are not allowed; quote text that starts with `*`\n"
    );
}
