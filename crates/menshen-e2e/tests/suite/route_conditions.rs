//! What a request must look like to take a route: method, host, fields, query, cookies, client, time, chance.

use menshen_e2e::{Client, TestGateway};

/// Asserts that requests take the route that has this condition, or the one that has none.
#[track_caller]
fn expect(condition: &str, hits: &[(&str, &[&str])], misses: &[(&str, &[&str])]) {
    let gateway = TestGateway::start(
        &format!(
            "
            gateway:
              trusted-proxies: [127.0.0.1]
            routes:
              hit: {{ match: {{ path: /**, {condition} }}, to: {{ respond: {{ body: hit }} }} }}
              miss: {{ match: /**, to: {{ respond: {{ body: miss }} }} }}
            "
        ),
        &[],
    );
    let mut client = Client::of(&gateway);
    for (expected, requests) in [("hit", hits), ("miss", misses)] {
        for (line, fields) in requests {
            assert_eq!(client.ask(line, fields).text(), expected, "{condition}: {line} {fields:?}");
        }
    }
}

#[test]
fn methods_are_compared_exactly() {
    expect(
        "method: [GET, PURGE]",
        &[("GET /", &[]), ("PURGE /", &[])],
        &[("POST /", &[]), ("PURGED /", &[])],
    );
}

#[test]
fn header_fields_are_tested_by_name_in_any_case() {
    expect("headers: { x-a: present }", &[("GET /", &["X-A: "]), ("GET /", &["x-a: 1"])], &[("GET /", &[])]);
    expect("headers: { x-a: absent }", &[("GET /", &[])], &[("GET /", &["X-A: 1"])]);
    expect(
        "headers: { x-a: one }",
        &[("GET /", &["X-A: one"]), ("GET /", &["X-A: two", "X-A: one"])],
        &[("GET /", &["X-A: One"]), ("GET /", &["X-A: one, two"]), ("GET /", &[])],
    );
    expect("headers: { x-a: { prefix: on } }", &[("GET /", &["X-A: one"])], &[("GET /", &["X-A: no"])]);
    expect(
        "headers: { x-a: { regex: 'v[0-9]+' } }",
        &[("GET /", &["X-A: v12"])],
        &[("GET /", &["X-A: v12x"]), ("GET /", &["X-A: xv12"]), ("GET /", &["X-A: v"])],
    );
}

#[test]
fn query_parameters_are_tested_however_often_they_come() {
    expect(
        "query: { q: one }",
        &[("GET /?q=one", &[]), ("GET /?p=x&q=two&q=one", &[])],
        &[("GET /?q=two", &[]), ("GET /?Q=one", &[]), ("GET /?xq=one", &[]), ("GET /", &[])],
    );
    expect(
        "query: { q: present }",
        &[("GET /?q", &[]), ("GET /?q=", &[])],
        &[("GET /?qq=1", &[]), ("GET /", &[])],
    );
    expect("query: { q: absent }", &[("GET /", &[]), ("GET /?p=q", &[])], &[("GET /?q", &[])]);
}

#[test]
fn cookies_are_tested_one_by_one() {
    expect(
        "cookies: { beta: 'yes' }",
        &[("GET /", &["Cookie: beta=yes"]), ("GET /", &["Cookie: a=b; beta=yes; c=d"])],
        &[
            ("GET /", &["Cookie: beta=no"]),
            ("GET /", &["Cookie: xbeta=yes"]),
            ("GET /", &["X-Cookie: beta=yes"]),
        ],
    );
}

#[test]
fn the_client_is_who_trusted_proxies_say_it_is() {
    expect(
        "client: [10.0.0.0/8, '2001:db8::/32']",
        &[
            ("GET /", &["X-Forwarded-For: 10.1.2.3"]),
            ("GET /", &["X-Forwarded-For: 10.9.9.9, 127.0.0.1"]),
            ("GET /", &["X-Forwarded-For: 2001:db8::7"]),
        ],
        &[
            ("GET /", &[]),
            ("GET /", &["X-Forwarded-For: 11.1.2.3"]),
            ("GET /", &["X-Forwarded-For: 10.1.2.3, 192.0.2.1"]),
        ],
    );
}

#[test]
fn a_smaller_network_comes_before_a_larger_one() {
    let gateway = TestGateway::start(
        "
        routes:
          wide: { match: { path: /, client: 127.0.0.0/8 }, to: { respond: { body: wide } } }
          narrow: { match: { path: /, client: 127.0.0.1 }, to: { respond: { body: narrow } } }
        ",
        &[],
    );
    assert_eq!(Client::of(&gateway).get("/").text(), "narrow");
}

#[test]
fn moments_bound_a_route() {
    let now: [(&str, &[&str]); 1] = [("GET /", &[])];
    expect("time: { after: '2001-01-01T00:00:00Z' }", &now, &[]);
    expect("time: { before: '2001-01-01T00:00:00Z' }", &[], &now);
    expect("time: { after: '2001-01-01T00:00:00Z', before: '9000-01-01T00:00:00+01:00' }", &now, &[]);
    expect("time: { daily: 00:00-24:00, days: [mon, tue, wed, thu, fri, sat, sun] }", &now, &[]);
}

#[test]
fn requests_are_spread_by_weight() {
    let gateway = TestGateway::start(
        "
        routes:
          stable: { match: { path: /**, weight: { group: g, share: 3 } }, to: { respond: { body: s } } }
          canary: { match: { path: /**, weight: { group: g, share: 1 } }, to: { respond: { body: c } } }
          silent: { match: { path: /**, weight: { group: g, share: 0 } }, to: { respond: { body: x } } }
          testers: { match: { path: /**, headers: { x-t: present } }, to: { respond: { body: t } } }
        ",
        &[],
    );
    let mut client = Client::of(&gateway);
    let answers: Vec<String> = (0..2_000).map(|_| client.get("/").text()).collect();
    let count = |name: &str| answers.iter().filter(|a| *a == name).count();
    // Six standard deviations of a binomial distribution are 116.
    assert!((384..=616).contains(&count("c")), "{} of 2000", count("c"));
    assert_eq!((count("s") + count("c"), count("x")), (2_000, 0));
    assert!((0..20).all(|_| client.ask("GET /", &["X-T: 1"]).text() == "t"));
}

#[test]
fn what_no_route_matches_is_not_found_and_a_wrong_method_is_told_the_right_ones() {
    let gateway = TestGateway::start(
        "
        listeners: { http: { bind: '127.0.0.1:0', filters: [request-id] } }
        routes:
          read: { match: GET|HEAD /a, to: { respond: { body: read } } }
          write: { match: PUT /a, to: { respond: { body: write } } }
          host: { match: { path: /a, method: DELETE, host: b.test }, to: { respond: { body: host } } }
          wide: { match: 'POST /{x}', to: { respond: { body: wide } } }
          header: { match: { path: /h, method: GET, headers: { x-a: present } }, to: { respond: { body: h } } }
        ",
        &[],
    );
    let mut client = Client::of(&gateway);
    let refused = client.ask("DELETE /a", &[]);
    assert_eq!(refused.outcome(), "405 method-not-allowed");
    assert_eq!(refused.fields.get("allow"), Some("GET, HEAD, POST, PUT"));
    assert!(refused.fields.has("x-request-id"), "the listener's filters ran");
    assert_eq!(client.ask("DELETE /a", &["Host: b.test"]).text(), "host");
    assert_eq!(client.ask("POST /a", &[]).text(), "wide", "a less specific route with the method");

    let missing = client.get("/b/c");
    assert_eq!(missing.outcome(), "404 no-route");
    assert!(missing.fields.has("x-request-id") && !missing.fields.has("allow"));
    assert_eq!(missing.fields.get("content-type"), Some("application/problem+json"));
    let unmet = client.ask("PUT /h", &[]);
    assert_eq!(
        (unmet.status, unmet.fields.get("allow")),
        (405, Some("POST")),
        "an unmet condition allows nothing"
    );
}
