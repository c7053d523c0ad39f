use super::*;

const USERS: &str =
    "services:\n  users: http://127.0.0.1:9001\nroutes:\n  users: { match: /users/**, to: users }\n";

#[test]
fn files_are_one_document() {
    let more = Source::new("b.yaml", "services:\n  articles: http://127.0.0.1:9002\n");
    let (document, problems) = parse(&[Source::new("a.yaml", USERS), more]);
    assert_eq!(problems.to_string(), "");
    assert_eq!(document.services.names().collect::<Vec<_>>(), ["users", "articles"]);
}

#[test]
fn a_name_in_two_files_is_an_error_that_names_both() {
    let again = Source::new("b.yaml", "services:\n  users: http://127.0.0.1:9002\n");
    let (_, problems) = parse(&[Source::new("a.yaml", USERS), again]);
    assert_eq!(
        problems.to_string(),
        "b.yaml:2:3: error: services: `users` is given twice, first in a.yaml:2; keep one of them\n"
    );
}

#[test]
fn the_gateway_is_in_one_file() {
    let sources = ["a.yaml", "b.yaml"].map(|name| Source::new(name, "gateway:\n  workers: 2\n"));
    let (_, problems) = parse(&sources);
    assert_eq!(
        problems.to_string(),
        "b.yaml:2:3: error: `gateway` is given twice, first in a.yaml:2; keep it in one file\n"
    );
}

#[test]
fn broken_syntax_in_one_file_hides_nothing_in_another() {
    let sources = [Source::new("a.yaml", "routes: ["), Source::new("b.yaml", "rotes: {}")];
    let (_, problems) = parse(&sources);
    assert_eq!(problems.len(), 2);
    assert!(
        problems.to_string().contains("b.yaml:1:1: error: unknown key `rotes`; did you mean `routes`?"),
        "{problems}"
    );
}

#[test]
fn an_unchanged_file_is_not_read_again() {
    let mut reader = Reader::new();
    let (first, _) = reader.read(&[Source::new("a.yaml", USERS)]);
    let new = Source::new("0.yaml", "services:\n  articles: oops\n");
    let (second, problems) = reader.read(&[new, Source::new("a.yaml", USERS)]);
    let route = |document: &Document| Arc::clone(&document.routes.get("users").unwrap().value);
    assert!(Arc::ptr_eq(&route(&first), &route(&second)));
    assert!(problems.to_string().starts_with("0.yaml:2:13: error: services.articles: "), "{problems}");
}

#[test]
fn a_refused_entry_still_has_its_name() {
    let (document, _) = parse(&[Source::new("a.yaml", "services:\n  users: {}\n")]);
    assert!(document.services.get("users").is_none());
    assert!(document.services.declares("users"));
}

#[test]
fn entries_decoded_one_by_one_say_what_the_whole_tree_says() {
    for text in golden() {
        let mut problems = Problems::new();
        let one_by_one = Sections::read(FileId(0), &text, &mut problems);
        let (whole, whole_problems) = from_a_whole_tree(&text);
        assert_eq!(problems.to_string(), whole_problems.to_string(), "{text}");
        assert_eq!(format!("{one_by_one:?}"), format!("{whole:?}"), "{text}");
    }
}

/// All texts of the golden documents.
fn golden() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files =
        std::fs::read_dir(folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    files.flat_map(|file| file.split("---\n").map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn from_a_whole_tree(text: &str) -> (Sections, Problems) {
    let mut problems = Problems::new();
    let tree = crate::yaml::parse(FileId(0), text, &mut problems);
    let sections = tree.and_then(|tree| crate::decode(&tree, &Path::root(), &mut problems));
    (sections.unwrap_or_default(), problems)
}

#[test]
fn a_name_is_given_once_even_if_its_first_value_was_refused() {
    let (document, problems) = parse(&[Source::new(
        "a.yaml",
        "services:\n  users: { endpoints: 1 }\n  users: http://127.0.0.1:9001\n",
    )]);
    assert!(
        problems.to_string().contains("a.yaml:3:3: error: services: `users` is given twice, first in line 2"),
        "{problems}"
    );
    assert!(document.services.get("users").is_none());
}

#[test]
fn of_a_section_that_is_given_twice_only_the_first_is_read() {
    let (document, problems) = parse(&[Source::new(
        "a.yaml",
        "services:\n  users: http://127.0.0.1:9001\nservices:\n  articles: oops\n",
    )]);
    assert_eq!(
        problems.to_string(),
        "a.yaml:3:1: error: `services` is given twice, first in line 1; keep one of them\n"
    );
    assert_eq!(document.services.names().collect::<Vec<_>>(), ["users"]);
}

#[test]
fn of_a_text_with_broken_syntax_nothing_else_is_believed() {
    let (document, problems) = parse(&[Source::new(
        "a.yaml",
        "services:\n  users: oops\n  articles: http://127.0.0.1:9002\nroutes: [",
    )]);
    assert_eq!(problems.len(), 1, "{problems}");
    assert!(document.services.is_empty());
    assert!(!document.services.declares("users"));
}

#[test]
fn what_another_file_adds_goes_away_with_it() {
    let mut reader = Reader::new();
    let users = Source::new("a.yaml", USERS);
    let articles = Source::new("b.yaml", "services:\n  articles: http://127.0.0.1:9002\n");
    let (both, _) = reader.read(&[users.clone(), articles]);
    assert_eq!(both.services.len(), 2);
    let (one, _) = reader.read(&[users]);
    assert_eq!(one.services.names().collect::<Vec<_>>(), ["users"]);
}

proptest::proptest! {
    #[test]
    fn entries_decoded_one_by_one_never_differ_from_the_whole_tree(text in sections()) {
        let mut problems = Problems::new();
        let one_by_one = Sections::read(FileId(0), &text, &mut problems);
        let (whole, whole_problems) = from_a_whole_tree(&text);
        proptest::prop_assert_eq!(problems.to_string(), whole_problems.to_string());
        proptest::prop_assert_eq!(format!("{one_by_one:?}"), format!("{whole:?}"));
    }
}

/// Texts with sections, entries that are right or wrong, and names that are given again.
fn sections() -> impl proptest::strategy::Strategy<Value = String> {
    let lines = proptest::sample::select(vec![
        "routes:\n",
        "services:\n",
        "schemes: { x: [request-id], y: { } }\n",
        "gateway: { workers: 1 }\n",
        "rotes:\n",
        "routes: &all\n",
        "routes: { a: { match: /a, to: b }, a: 1 }\n",
        "? [routes]\n",
        "  a: { match: /a, to: b }\n",
        "  a: { match: /a, tu: b }\n",
        "  b: { match: [a, b], to: 1 }\n",
        "  c:\n",
        "  \"c\": http://127.0.0.1:1\n",
        "  d: *all\n",
        "  *all : 1\n",
        "  <<: { a: b }\n",
        "  : x\n",
        "  - a\n",
        "  e: [\n",
        "  # nothing\n",
        "    match: /x\n",
        "    to: x\n",
        "    filters: [cors, cors: 5]\n",
        "---\n",
        "routes\n",
    ]);
    proptest::strategy::Strategy::prop_map(proptest::collection::vec(lines, 0..14), |lines| lines.concat())
}
