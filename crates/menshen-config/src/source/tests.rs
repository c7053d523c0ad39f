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
