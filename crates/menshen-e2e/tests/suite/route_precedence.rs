//! Which of several routes a request takes: the most specific one, wherever it stands in the document.

use menshen_e2e::{Client, TestGateway};

/// A document with these routes, each of which answers with its name.
fn document<'a>(routes: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> String {
    let route = |(name, matches): &(&str, &str)| {
        format!("  {name}: {{ match: {matches}, to: {{ respond: {{ body: '{name}' }} }} }}\n")
    };
    "routes:\n".to_owned() + &routes.into_iter().map(route).collect::<String>()
}

/// Asserts for several orders of the routes in the document that each request takes its route; `-` is none.
#[track_caller]
fn expect(routes: &[(&str, &str)], requests: &[(&str, &[&str], &str)]) {
    let mut order: Vec<usize> = (0..routes.len()).collect();
    let mut seed = 7u64;
    for round in 0..5 {
        match round {
            0 => {}
            1 => order.reverse(),
            _ => {
                for i in (1..order.len()).rev() {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    order.swap(i, usize::try_from(seed >> 33).unwrap() % (i + 1));
                }
            }
        }
        let gateway = TestGateway::start(&document(order.iter().map(|i| &routes[*i])), &[]);
        let mut client = Client::of(&gateway);
        for (line, fields, route) in requests {
            let response = client.ask(line, fields);
            let taken = if response.status == 404 { "-".to_owned() } else { response.text() };
            assert_eq!(taken, *route, "{line} {fields:?}, order {order:?}");
        }
    }
}

#[test]
fn text_comes_before_globs_before_variables_before_the_rest() {
    let routes = [
        ("everything", "/**"),
        ("rest", "/a/**"),
        ("variable", "'/a/{x}'"),
        ("glob", "/a/b*"),
        ("longer-glob", "/a/bc*"),
        ("text", "/a/b"),
        ("variable-first", "'/a/{x}/c'"),
        ("text-first", "'/a/b/{x}'"),
        ("root", "/"),
    ];
    let requests: [(&str, &[&str], &str); 13] = [
        ("GET /a/b", &[], "text"),
        ("GET /a/bx", &[], "glob"),
        ("GET /a/bcx", &[], "longer-glob"),
        ("GET /a/x", &[], "variable"),
        ("GET /a/x/y", &[], "rest"),
        ("GET /a", &[], "rest"),
        ("GET /a/", &[], "rest"),
        ("GET /a/x/c", &[], "variable-first"),
        ("GET /a/b/c", &[], "text-first"),
        ("GET /a/b/c/d", &[], "rest"),
        ("GET /", &[], "root"),
        ("GET /b", &[], "everything"),
        ("GET /A/b", &[], "everything"),
    ];
    expect(&routes, &requests);
}

#[test]
fn exact_hosts_come_before_longer_wildcards_before_shorter_ones_before_any_host() {
    let routes = [
        ("any", "/x/y"),
        ("wide", "{ host: '*.example.org', path: /x/** }"),
        ("narrow", "{ host: '*.eu.example.org', path: /x/** }"),
        ("exact", "{ host: a.eu.example.org, path: /x/z }"),
        ("several", "{ host: [one.test, two.test], path: /** }"),
    ];
    let requests: [(&str, &[&str], &str); 12] = [
        ("GET /x/z", &["Host: a.eu.example.org"], "exact"),
        ("GET /x/z", &["Host: A.EU.Example.ORG:8080"], "exact"),
        ("GET /x/z", &["Host: a.eu.example.org."], "exact"),
        ("GET /x/q", &["Host: a.eu.example.org"], "narrow"),
        ("GET /x/y", &["Host: b.a.eu.example.org"], "narrow"),
        ("GET /x/y", &["Host: b.example.org"], "wide"),
        ("GET /x/y", &["Host: eu.example.org"], "wide"),
        ("GET /x/y", &["Host: example.org"], "any"),
        ("GET /x/y", &["Host: example.org.evil.test"], "any"),
        ("GET /x/y", &["Host: xexample.org"], "any"),
        ("GET /else", &["Host: two.test"], "several"),
        ("GET /else", &["Host: three.test"], "-"),
    ];
    expect(&routes, &requests);
}

#[test]
fn more_conditions_come_before_fewer_and_exact_values_before_others() {
    let routes = [
        ("plain", "/c"),
        ("few-methods", "GET /c"),
        ("more-methods", "GET|POST /c"),
        ("header", "{ path: /c, method: GET, headers: { x-a: present } }"),
        ("exact-header", "{ path: /c, method: GET, headers: { x-a: one } }"),
        ("header-and-query", "{ path: /c, method: GET, headers: { x-a: present }, query: { q: present } }"),
    ];
    let requests: [(&str, &[&str], &str); 7] = [
        ("GET /c", &[], "few-methods"),
        ("POST /c", &[], "more-methods"),
        ("PUT /c", &[], "plain"),
        ("GET /c", &["X-A: two"], "header"),
        ("GET /c", &["X-A: one"], "exact-header"),
        ("GET /c?q=1", &["X-A: one"], "header-and-query"),
        ("POST /c?q=1", &["X-A: one"], "more-methods"),
    ];
    expect(&routes, &requests);
}

#[test]
fn the_path_comes_before_other_conditions() {
    let routes = [("path", "/a/b"), ("conditions", "{ path: /a/**, method: GET, headers: { x-a: one } }")];
    expect(&routes, &[("GET /a/b", &["X-A: one"], "path"), ("GET /a/c", &["X-A: one"], "conditions")]);
}

#[test]
fn a_route_whose_conditions_fail_leaves_the_request_to_a_less_specific_one() {
    let routes = [
        ("text", "{ path: /a/b, headers: { x-a: present } }"),
        ("variable", "{ path: '/a/{x}', query: { q: present } }"),
        ("rest", "{ path: /a/**, host: only.test }"),
        ("everything", "/**"),
    ];
    let requests: [(&str, &[&str], &str); 4] = [
        ("GET /a/b?q", &["X-A: 1"], "text"),
        ("GET /a/b?q", &[], "variable"),
        ("GET /a/b", &[], "everything"),
        ("GET /a/b", &["Host: only.test"], "rest"),
    ];
    expect(&routes, &requests);
}

#[test]
fn routes_that_cannot_be_told_apart_are_refused_whatever_their_order() {
    let gateway = TestGateway::start(&document(&[("one", "/a")]), &[]);
    for (first, second) in [
        ("/a", "/a/"),
        ("'/a/{x}'", "'/a/{y}'"),
        ("GET|POST /a", "POST|PUT /a"),
        ("{ path: /a, headers: { x-a: present } }", "{ path: /a, query: { q: present } }"),
    ] {
        for routes in [[("first", first), ("second", second)], [("first", second), ("second", first)]] {
            let why = gateway.reload(&document(&routes)).expect_err(first);
            assert!(why.contains("matches the same requests as route"), "{routes:?}: {why}");
        }
    }
    assert_eq!(Client::of(&gateway).get("/a").text(), "one");
}
