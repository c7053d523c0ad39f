use proptest::prelude::*;

use super::*;

fn of(template: &str, path: &str) -> Option<Vec<String>> {
    let template = PathTemplate::parse(template).unwrap();
    let values = template.matches(path.as_bytes())?;
    Some(values.into_iter().map(Cow::into_owned).collect())
}

#[test]
fn paths_match_segment_by_segment_and_variables_get_their_values() {
    for (template, path, values) in [
        ("/v1/books", "/v1/books", Some(vec![])),
        ("/v1/books", "/v1/books/", Some(vec![])),
        ("/v1/books", "/v1/book", None),
        ("/v1/books", "/v1/books/1", None),
        ("/v1/{id}", "/v1/7", Some(vec!["7"])),
        ("/v1/{id}", "/v1/", None),
        ("/v1/{id}", "/v1", None),
        ("/v1/*/{id}", "/v1/any/7", Some(vec!["7"])),
        ("/v1/{name=shelves/*/books/*}", "/v1/shelves/1/books/2", Some(vec!["shelves/1/books/2"])),
        ("/v1/{name=shelves/*}/books", "/v1/shelves/1/books", Some(vec!["shelves/1"])),
        ("/v1/{name=shelves/*}/books", "/v1/shelf/1/books", None),
        ("/v1/{a.b.c}/{d}", "/v1/1/2", Some(vec!["1", "2"])),
        ("/v1/{path=**}", "/v1/a/b/c", Some(vec!["a/b/c"])),
        ("/v1/{path=**}", "/v1", Some(vec![""])),
        ("/v1/{path=files/**}", "/v1/files/a", Some(vec!["files/a"])),
        ("/v1/{path=files/**}", "/v1/other/a", None),
        ("/**", "/", Some(vec![])),
    ] {
        let values = values.map(|v: Vec<&str>| v.into_iter().map(str::to_owned).collect());
        assert_eq!(of(template, path), values, "{template} {path}");
    }
}

#[test]
fn verbs_stand_behind_the_last_colon() {
    assert_eq!(of("/v1/{id}:cancel", "/v1/7:cancel"), Some(vec!["7".into()]));
    assert_eq!(of("/v1/{id}:cancel", "/v1/7"), None);
    assert_eq!(of("/v1/{id}:cancel", "/v1/:cancel"), None);
    assert_eq!(of("/v1/{id}:cancel", "/v1/a:b:cancel"), Some(vec!["a:b".into()]));
    assert_eq!(of("/v1/{id=**}:cancel", "/v1/a/b:cancel"), Some(vec!["a/b".into()]));
    assert_eq!(of("/v1/{id}", "/v1/7:cancel"), Some(vec!["7:cancel".into()]));
}

#[test]
fn escapes_are_undone_but_a_slash_stays_escaped_in_a_value_of_several_segments() {
    assert_eq!(of("/v1/{id}", "/v1/a%2Fb%20c"), Some(vec!["a/b c".into()]));
    assert_eq!(of("/v1/{id=**}", "/v1/a%2fb/c%20d"), Some(vec!["a%2fb/c d".into()]));
    assert_eq!(of("/v1/{id=a/*}", "/v1/a/b%2Fc"), Some(vec!["a/b%2Fc".into()]));
    assert_eq!(of("/a@b/{id}", "/a%40b/1"), Some(vec!["1".into()]));
    assert_eq!(of("/v1/{id}", "/v1/%ff"), None, "not UTF-8");
}

#[test]
fn wrong_templates_are_told() {
    for (template, why) in [
        ("", "does not start with `/`"),
        ("v1", "does not start with `/`"),
        ("/", "a segment is empty"),
        ("/v1/", "a segment is empty"),
        ("/v1//a", "a segment is empty"),
        ("/v1/{id", "has no `}`"),
        ("/v1/{id=a", "has no `}`"),
        ("/v1/{1d}", "`1d` is not the name of a field"),
        ("/v1/{}", "`` is not the name of a field"),
        ("/v1/{a..b}", "is not the name of a field"),
        ("/v1/{a={b}}", "a variable stands in a variable"),
        ("/v1/**/a", "`**` is not the last segment"),
        ("/v1/{a=**}/b", "`**` is not the last segment"),
        ("/v1/a?b", "`?` is not expected"),
        ("/v1/a*", "`*` is not expected"),
        ("/v1/{a}/{a}", "`a` stands in it twice"),
        ("/v1:", "a segment is empty"),
    ] {
        let error = PathTemplate::parse(template).unwrap_err();
        assert!(error.contains(why), "{template}: {error}");
    }
}

#[test]
fn what_says_more_goes_first() {
    let mut templates = ["/**", "/v1/*", "/v1/a", "/v1", "/v1/**", "/v1/a/*", "/v1/*:do", "/v1/*/b"];
    templates.sort_by(|a, b| PathTemplate::parse(a).unwrap().precedence(&PathTemplate::parse(b).unwrap()));
    assert_eq!(templates, ["/v1/*:do", "/v1/a/*", "/v1/a", "/v1/*/b", "/v1/*", "/v1", "/v1/**", "/**"]);
}

/// A segment of a template, a segment that matches it, and whether it may only be the last.
fn segment() -> impl Strategy<Value = (String, String)> {
    let name = "[a-z]{1,4}";
    prop_oneof![
        name.prop_map(|text| (text.clone(), text)),
        "[a-zA-Z0-9._~-]{1,6}".prop_map(|text| ("*".to_owned(), text)),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[/a{}=*.:%?-]{0,24}", path in "/[a/%2F:.]{0,24}") {
        if let Ok(template) = PathTemplate::parse(&text) {
            let fields = template.fields().count();
            if let Some(values) = template.matches(path.as_bytes()) {
                prop_assert_eq!(values.len(), fields);
            }
        }
    }

    #[test]
    fn a_template_matches_what_is_made_by_it(
        segments in prop::collection::vec(segment(), 1..6),
        variable in prop::option::of((0usize..6, 0usize..6)),
        verb in prop::option::of("[a-z]{1,5}"),
    ) {
        let mut parts: Vec<String> = segments.iter().map(|(pattern, _)| pattern.clone()).collect();
        let (mut expected, len) = (vec![], parts.len());
        if let Some((a, b)) = variable {
            let (from, to) = (a.min(b).min(len - 1), a.max(b).min(len - 1));
            parts[from] = format!("{{f.g={}", parts[from]);
            parts[to].push('}');
            expected.push(segments[from..=to].iter().map(|(_, s)| s.as_str()).collect::<Vec<_>>().join("/"));
        }
        let verb = verb.map_or(String::new(), |v| format!(":{v}"));
        let template = format!("/{}{verb}", parts.join("/"));
        let path = format!("/{}{verb}", segments.iter().map(|(_, s)| s.as_str()).collect::<Vec<_>>().join("/"));
        prop_assert_eq!(of(&template, &path), Some(expected), "{} {}", template, path);
        let longer = format!("{path}/more");
        prop_assert_eq!(of(&template, &longer), None);
    }
}
