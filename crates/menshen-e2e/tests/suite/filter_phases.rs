//! The order of filters, and what holds for every filter: `when`, `mode`, `on-error`, groups, schemes.

use menshen_e2e::{Client, Origin, TestGateway};

/// A filter that leaves its name on the request and on the reply.
fn mark(name: &str) -> String {
    format!(
        "headers: {{ request: {{ add: {{ x-pre: {name} }} }}, response: {{ add: {{ x-post: {name} }} }} }}"
    )
}

/// A gateway whose only route has these filters, each a line of YAML without its dash.
fn with(filters: &[&str], origin: &Origin) -> TestGateway {
    let filters: String = filters.iter().map(|f| format!("      - {{ {f} }}\n")).collect();
    let document = format!(
        "gateway:\n  trusted-proxies: [127.0.0.1]\nroutes:\n  r:\n    match: /**\n    to: 'http://{{origin}}'\n    filters:\n{filters}"
    );
    TestGateway::start(&document, &[origin])
}

#[test]
fn filters_see_requests_in_the_order_of_the_document_and_replies_in_reverse() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(
        &format!(
            "
            listeners:
              http: {{ bind: '127.0.0.1:0', filters: [{}, {}] }}
            schemes:
              first: [{}]
              second: [{}, {}]
            routes:
              r:
                match: /**
                to: 'http://{{origin}}'
                scheme: [second, first]
                filters: [{}, {}]
            ",
            mark("listener-1"),
            mark("listener-2"),
            mark("scheme-3"),
            mark("scheme-1"),
            mark("scheme-2"),
            mark("own-1"),
            mark("own-2"),
        ),
        &[&origin],
    );
    let response = Client::of(&gateway).get("/");
    let mut order = ["listener-1", "listener-2", "scheme-1", "scheme-2", "scheme-3", "own-1", "own-2"];
    assert_eq!(origin.only_request().fields.all("x-pre"), order);
    order.reverse();
    assert_eq!(response.fields.all("x-post"), order);
}

#[test]
fn an_answer_of_a_filter_passes_only_the_filters_before_it() {
    for (answer, status) in [("respond: { status: 202, body: x }", 202), ("fault: { abort: 503 }", 503)] {
        let origin = Origin::echo();
        let gateway = with(&[&mark("a"), &mark("b"), answer, &mark("c")], &origin);
        let response = Client::of(&gateway).get("/");
        assert_eq!(response.status, status);
        assert_eq!(response.fields.all("x-post"), ["b", "a"], "{answer}");
        assert!(origin.requests().is_empty(), "no service is called");
    }
}

#[test]
fn a_filter_whose_condition_does_not_hold_is_left_out_in_all_phases() {
    let origin = Origin::echo();
    let gateway = with(
        &[
            &format!("{}, when: {{ path: /a/**, method: GET }}", mark("path")),
            &format!("{}, when: {{ headers: {{ x-on: present }} }}", mark("header")),
            &format!("{}, when: GET /b", mark("short")),
            &format!("{}, when: {{ client: 10.0.0.0/8, query: {{ q: '1' }} }}", mark("client")),
            &format!("{}, when: {{ host: '*.test' }}", mark("host")),
        ],
        &origin,
    );
    let mut client = Client::of(&gateway);
    for (line, fields, marks) in [
        ("GET /a/x", vec![], vec!["path"]),
        ("POST /a/x", vec![], vec![]),
        ("GET /b", vec!["X-On: 1"], vec!["short", "header"]),
        ("GET /?q=1", vec!["X-Forwarded-For: 10.0.0.1", "Host: a.test"], vec!["host", "client"]),
        ("GET /?q=1", vec![], vec![]),
    ] {
        assert_eq!(client.ask(line, &fields).fields.all("x-post"), marks, "{line} {fields:?}");
    }
}

#[test]
fn a_condition_is_asked_once_even_if_an_earlier_filter_changes_what_it_looks_at() {
    let origin = Origin::echo();
    let later = format!("{}, when: {{ headers: {{ x-on: present }} }}", mark("later"));
    let gateway = with(&[&later, "headers: { request: { remove: x-on, set: { x-new: '1' } } }"], &origin);
    let response = Client::of(&gateway).ask("GET /", &["X-On: 1"]);
    assert_eq!(response.fields.all("x-post"), ["later"]);
    let request = origin.only_request();
    assert!(!request.fields.has("x-on") && request.fields.has("x-new"));
}

#[test]
fn shadow_decides_nothing_and_off_is_not_there() {
    let origin = Origin::echo();
    let gateway = with(
        &[
            "ip-deny: 127.0.0.0/8, mode: shadow",
            "rate-limit: 1/h, mode: shadow",
            "respond: { status: 500 }, mode: shadow",
            "ip-deny: 127.0.0.0/8, mode: 'off'",
        ],
        &origin,
    );
    let mut client = Client::of(&gateway);
    for _ in 0..3 {
        let response = client.get("/");
        assert_eq!((response.status, response.fields.has("ratelimit")), (200, false));
    }
}

#[test]
fn a_filter_that_fails_itself_may_be_passed_over_but_its_refusals_count() {
    let origin = Origin::echo();
    let gateway = with(&["fault: { abort: 500 }, on-error: continue", &mark("a")], &origin);
    let response = Client::of(&gateway).get("/");
    assert_eq!((response.status, response.fields.all("x-post")), (200, vec!["a"]));

    for (refusal, outcome) in [
        ("ip-deny: 127.0.0.0/8", "403 denied"),
        ("rate-limit: { limit: 1/h, cost: 1 }", "429 rate-limited"),
        ("body-limit: 1B", "413 body-too-large"),
    ] {
        let gateway = with(&[&format!("{refusal}, on-error: continue")], &origin);
        let mut client = Client::of(&gateway);
        let outcomes = [client.post("/", "12").outcome(), Client::of(&gateway).post("/", "12").outcome()];
        assert_eq!(outcomes[1], outcome, "{refusal}");
    }
}

#[test]
fn of_a_group_the_first_that_passes_is_enough_and_the_first_refusal_stands() {
    let origin = Origin::echo();
    let gateway = with(
        &[
            "any: [ip-allow: 10.0.0.0/8, respond: { status: 401, body: who }, ip-allow: 192.0.2.7], id: door",
            &mark("in"),
        ],
        &origin,
    );
    let mut client = Client::of(&gateway);
    for (address, status) in [("10.1.2.3", 200), ("192.0.2.7", 200), ("192.0.2.8", 403)] {
        let response = client.ask("GET /", &[&format!("X-Forwarded-For: {address}")]);
        assert_eq!(response.status, status, "{address}");
        assert_eq!(response.fields.has("x-post"), status == 200, "{address}");
    }
    assert_eq!(origin.whole_requests(), 2);
}

#[test]
fn a_group_is_shadowed_as_a_whole_or_not_at_all() {
    let origin = Origin::echo();
    let gateway = with(&["any: [ip-allow: 10.0.0.0/8, ip-allow: 192.0.2.7], mode: shadow"], &origin);
    assert_eq!(Client::of(&gateway).get("/").status, 200);
    for setting in ["mode: shadow", "on-error: continue"] {
        let route = "match: /, to: { respond: { body: x } }";
        let group = format!("{{ any: [ ip-allow: 10.0.0.0/8, {{ ip-allow: 192.0.2.7, {setting} }} ] }}");
        let why =
            gateway.reload(&format!("routes: {{ r: {{ {route}, filters: [ {group} ] }} }}")).unwrap_err();
        assert!(why.contains("belong to the group"), "{setting}: {why}");
    }
}

#[test]
fn a_scheme_is_the_same_filters_on_every_route_that_names_it() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(
        &format!(
            "
            schemes:
              door: [ip-deny: 127.0.0.0/8]
              marks: [{}]
            routes:
              open: {{ match: /open, to: 'http://{{origin}}', scheme: marks }}
              shut: {{ match: /shut, to: 'http://{{origin}}', scheme: [marks, door] }}
              first: {{ match: /first, to: 'http://{{origin}}', scheme: [door, marks] }}
            ",
            mark("m")
        ),
        &[&origin],
    );
    let mut client = Client::of(&gateway);
    let marked = |target: &str, client: &mut Client| {
        let response = client.get(target);
        (response.status, response.fields.has("x-post"))
    };
    assert_eq!(marked("/open", &mut client), (200, true));
    assert_eq!(marked("/shut", &mut client), (403, true));
    assert_eq!(marked("/first", &mut client), (403, false));
}
