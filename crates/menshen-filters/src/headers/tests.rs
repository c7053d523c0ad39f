use super::*;
use crate::testing::Try;

fn with_fields(yaml: &str, fields: &str) -> Try {
    Try::filter(yaml).request(&format!("GET /a?p=1 HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n")).pass()
}

fn reply_with(fields: &[(&str, &str)]) -> Reply {
    let mut reply = Reply::new(200);
    for (name, value) in fields {
        reply.head.fields.append_named(name.as_bytes(), value.as_bytes());
    }
    reply
}

/// All values of a field of the request.
fn sent(t: &mut Try, name: &str) -> Vec<String> {
    let fields = &t.exchange().request.fields;
    fields.all_named(name.as_bytes()).map(|v| String::from_utf8_lossy(v).into_owned()).collect()
}

#[test]
fn a_field_is_set_added_and_removed_whatever_its_case() {
    let mut t = with_fields(
        "headers: { request: { set: { X-A: 1 }, add: { x-b: [2, 3] }, remove: x-c } }",
        "x-a: old\r\nX-A: older\r\nX-B: 1\r\nX-C: 1\r\nx-c: 2\r\n",
    );
    assert_eq!(sent(&mut t, "x-a"), ["1"]);
    assert_eq!(sent(&mut t, "x-b"), ["1", "2", "3"]);
    assert_eq!(sent(&mut t, "x-c"), [""; 0]);
}

#[test]
fn a_value_is_filled_in_from_the_exchange() {
    let mut t = with_fields(
        "headers: { request: { set: { x-who: \"{client} {method} {path} {header:x-a}\", x-page: \"{query:p}\" } } }",
        "X-A: 1\r\n",
    );
    assert_eq!(t.sent("x-who").unwrap(), "192.0.2.1 GET /a 1");
    assert_eq!(t.sent("x-page").unwrap(), "1");
}

#[test]
fn a_value_that_comes_out_empty_removes_what_the_client_sent_under_that_name() {
    let yaml =
        "headers: { request: { set: { x-user: \"{header:x-verified}\" }, add: { x-add: \"{header:no}\" } } }";
    let mut t = with_fields(yaml, "X-User: forged\r\n");
    assert_eq!(t.sent("x-user"), None);
    assert_eq!(t.sent("x-add"), None);
    let mut t =
        with_fields("headers: { request: { set: { accept-encoding: \"\" } } }", "Accept-Encoding: br\r\n");
    assert_eq!(t.sent("accept-encoding").unwrap(), "");
}

#[test]
fn a_default_counts_only_where_the_field_is_absent() {
    let yaml = "headers: { request: { set-if-absent: { accept-language: en, x-tier: free } } }";
    let mut t = with_fields(yaml, "Accept-Language: de\r\n");
    assert_eq!(sent(&mut t, "accept-language"), ["de"]);
    assert_eq!(sent(&mut t, "x-tier"), ["free"]);
}

#[test]
fn a_renamed_field_keeps_all_its_values_and_displaces_those_of_the_new_name() {
    let yaml = "headers: { request: { rename: { x-old: X-New, x-none: x-kept } } }";
    let mut t = with_fields(yaml, "x-new: forged\r\nX-Old: 1\r\nx-old:\r\nx-old: 2\r\nx-kept: k\r\n");
    assert_eq!(sent(&mut t, "x-new"), ["1", "", "2"]);
    assert_eq!(sent(&mut t, "x-old"), [""; 0]);
    assert_eq!(sent(&mut t, "x-kept"), ["k"]);
}

#[test]
fn changes_are_made_in_the_documented_order() {
    let yaml =
        "headers: { request: { set-if-absent: { x-a: default }, rename: { x-b: x-a }, remove: [x-a] } }";
    let mut t = with_fields(yaml, "X-A: 1\r\nX-B: 2\r\n");
    assert_eq!(sent(&mut t, "x-a"), ["2"]);
}

#[test]
fn repeated_members_of_a_list_are_sent_once_and_other_fields_stay_as_they_are() {
    let yaml = "headers: { response: { dedupe: [vary, access-control-allow-origin, x-list] } }";
    let mut t = with_fields(yaml, "");
    let reply = reply_with(&[
        ("Vary", "Accept, Origin"),
        ("vary", "origin"),
        ("Access-Control-Allow-Origin", "https://a.example"),
        ("Access-Control-Allow-Origin", "https://a.example"),
        ("X-List", "a,  A"),
    ]);
    t.reply(reply);
    assert_eq!(t.field("vary").unwrap(), "Accept, Origin");
    assert_eq!(t.field("access-control-allow-origin").unwrap(), "https://a.example");
    assert_eq!(t.field("x-list").unwrap(), "a,  A");
}

#[test]
fn replies_are_changed_apart_from_requests() {
    let yaml = "headers: { request: { remove: x-a }, response: { set: { x-id: \"{header:x-b}\" }, remove: server } }";
    let mut t = with_fields(yaml, "X-A: 1\r\nX-B: 7\r\n");
    t.reply(reply_with(&[("Server", "tomcat"), ("X-A", "1")]));
    assert_eq!((t.field("server"), t.field("x-id")), (None, Some("7".into())));
    assert_eq!(t.field("x-a").unwrap(), "1");
}

#[test]
fn fields_that_the_gateway_writes_itself_are_refused_with_the_right_place_for_them() {
    for (field, hint) in [
        ("host", "write `host:` in the route"),
        ("Content-Length", "it follows from the content"),
        ("transfer-encoding", "it follows from the content"),
        ("connection", "it belongs to one connection"),
        ("upgrade", "it belongs to one connection"),
        ("te", "it belongs to one connection"),
        ("trailer", "it belongs to one connection"),
        ("x-forwarded-for", "write `forwarded:` in the route"),
    ] {
        for edit in
            ["set: { F: v }", "add: { F: v }", "remove: F", "rename: { x-a: F }", "rename: { F: x-a }"]
        {
            let yaml = format!("headers: {{ request: {{ {} }} }}", edit.replace('F', field));
            let problems = Try::problems(&yaml);
            assert!(problems.contains(hint), "{yaml}: {problems}");
        }
    }
    assert_eq!(Try::problems("headers: { response: { set: { host: a } } }"), "");
}

#[test]
fn wrong_names_and_values_are_refused() {
    for (edit, message) in [
        ("set: { \"x a\": 1 }", "`x a` is not the name of a header field"),
        ("set: { x-a: \"a\\r\\nx-b: 1\" }", "cannot hold line breaks"),
        ("set: { x-a: \"{client}\\n\" }", "cannot hold line breaks"),
        ("set: { x-a: \" a\" }", "cannot begin or end with a space"),
        ("set: { x-a: \"{client\" }", "a `{` has no `}`"),
        ("set: { x-a: 1, X-A: 2 }", "the same field twice"),
        ("dedupe: set-cookie", "`set-cookie` is not a list"),
        ("sett: { x-a: 1 }", "unknown key `sett`"),
    ] {
        let problems = Try::problems(&format!("headers: {{ response: {{ {edit} }} }}"));
        assert!(problems.contains(message), "{edit}: {problems}");
    }
    assert!(Try::problems("headers").contains("it changes nothing"));
}
