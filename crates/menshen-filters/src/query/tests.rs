use crate::testing::Try;

fn edited(yaml: &str, target: &str) -> String {
    let mut t = Try::filter(yaml).get(target).pass();
    String::from_utf8_lossy(t.exchange().target.as_bytes()).into_owned()
}

#[test]
fn parameters_are_set_added_and_removed_and_the_others_stay_byte_for_byte() {
    for (edit, before, after) in [
        ("set: { page: 1 }", "/a", "/a?page=1"),
        ("set: { page: 1 }", "/a?page=7&x=%zz&&y&page", "/a?x=%zz&&y&page=1"),
        ("add: { tag: [a, b] }", "/a?tag=z", "/a?tag=z&tag=a&tag=b"),
        ("remove: [a, c]", "/a?a=1&b=%20+&c&a=2", "/a?b=%20+"),
        ("remove: [a]", "/a?a=1", "/a"),
        ("remove: [a]", "/a?", "/a?"),
        ("rename: { q: query }", "/a?query=old&x=1&q=a%2Fb&q", "/a?x=1&query=a%2Fb&query"),
        ("rename: { q: query }", "/a?query=old", "/a?query=old"),
        ("rename: { a: b, b: a }", "/a?a=1&b=2", "/a?b=1&a=2"),
        ("rename: { a: b }, set: { b: 9 }", "/a?a=1", "/a?b=9"),
        ("remove: a, rename: { a: b }", "/a?a=1&b=2", "/a?b=2"),
    ] {
        assert_eq!(edited(&format!("query: {{ {edit} }}"), before), after, "{edit} {before}");
    }
}

#[test]
fn a_name_is_found_however_it_is_escaped() {
    assert_eq!(edited("query: { remove: [admin, \"a b\"] }", "/a?%61dmin=1&a+b&a%20b=2&x"), "/a?x");
    assert_eq!(edited("query: { remove: [admin] }", "/a?%6=1&%zz&adminx&admi"), "/a?%6=1&%zz&adminx&admi");
}

#[test]
fn values_are_escaped_once() {
    assert_eq!(edited("query: { set: { \"a&b\": \"1 & é=%\" } }", "/"), "/?a%26b=1%20%26%20%C3%A9%3D%25");
    let yaml = "query: { set: { again: \"{query:x}\", to: \"{path}\", h: \"{host}&\" } }";
    assert_eq!(edited(yaml, "/a/b?x=1%202+3"), "/a/b?x=1%202+3&again=1%202+3&to=%2Fa%2Fb&h=a.example%26");
}

#[test]
fn a_value_that_comes_out_empty_is_no_value() {
    assert_eq!(edited("query: { set: { user: \"{header:x-user}\" } }", "/?user=forged"), "/");
    assert_eq!(edited("query: { set: { user: \"\" } }", "/?user=a"), "/?user=");
}

#[test]
fn wrong_edits_are_refused() {
    assert!(Try::problems("query").contains("it changes nothing"));
    assert!(Try::problems("query: { set: { \"\": 1 } }").contains("a query parameter needs a name"));
    assert!(Try::problems("query: { rename: { a: \"\" } }").contains("a query parameter needs a name"));
    assert!(Try::problems("query: { add: { a: \"{x\" } }").contains("a `{` has no `}`"));
    assert!(Try::problems("query: { drop: a }").contains("unknown key `drop`"));
}

proptest::proptest! {
    #[test]
    fn a_query_without_the_named_parameters_is_not_touched(query in "[b-y0-57-9=&+%;/?]{0,40}") {
        let target = format!("/p?{query}");
        let yaml = "query: { remove: [a1], rename: { a2: x2 }, set: { a3: \"{header:none}\" } }";
        proptest::prop_assert_eq!(edited(yaml, &target), target);
    }
}
