//! How a path is matched, and what becomes of it on its way to the service.

use menshen_e2e::{Client, Origin, TestGateway};

/// Asserts what the service is asked for, behind a route written like this.
#[track_caller]
fn expect(route: &str, targets: &[(&str, &str)]) {
    let origin = Origin::echo();
    let document = format!(
        "
        services:
          plain: {{ endpoints: ['{{origin}}'] }}
          based: {{ endpoints: ['{{origin}}'], base: /base }}
        routes:
          r: {{ {route} }}
        "
    );
    let gateway = TestGateway::start(&document, &[&origin]);
    let mut client = Client::of(&gateway);
    for (sent, got) in targets {
        let response = client.get(sent);
        let text = response.text();
        let asked = text.strip_prefix("GET ").map_or(response.outcome(), |t| t.trim_end().to_owned());
        assert_eq!(asked, *got, "{route}: {sent}");
    }
    origin.expect_canonical();
}

#[test]
fn untouched_targets_pass_byte_for_byte() {
    expect(
        "match: /**, to: plain",
        &[
            ("/", "/"),
            ("/a/b?x=1&y=%20+&&z", "/a/b?x=1&y=%20+&&z"),
            ("/a%20b/caf%C3%A9?q=%2f%5C", "/a%20b/caf%C3%A9?q=%2f%5C"),
            ("/a?", "/a?"),
            ("/a;p=1/b;q?x", "/a;p=1/b;q?x"),
        ],
    );
}

#[test]
fn paths_are_brought_into_one_form_before_anybody_looks() {
    expect(
        "match: /a/**, to: plain",
        &[
            ("/%61/%7E", "/a/~"),
            ("/x/../a/./b", "/a/b"),
            ("//a///b", "/a/b"),
            ("/a/%2e%2e/b", "400 hidden-dot-segment"),
            ("/a/b%2Fc", "400 encoded-slash"),
            ("/a/b\\c", "400 backslash"),
            ("/a/../b", "404 no-route"),
        ],
    );
}

#[test]
fn a_slash_at_the_end_matches_and_is_kept() {
    expect("match: /a/b, to: plain", &[("/a/b", "/a/b"), ("/a/b/", "/a/b/")]);
    expect("match: /a/b/, to: plain", &[("/a/b", "/a/b"), ("/a/b/", "/a/b/")]);
    expect("match: '/a/{x}', to: plain", &[("/a/", "404 no-route"), ("/a/b/", "/a/b/")]);
}

#[test]
fn parameters_of_segments_do_not_hide_a_path() {
    expect(
        "match: /a/b, to: plain",
        &[
            ("/a;v=1/b", "/a;v=1/b"),
            ("/a/b;jsessionid=7?x", "/a/b;jsessionid=7?x"),
            ("/a/bb;x", "404 no-route"),
        ],
    );
}

#[test]
fn escapes_match_what_they_stand_for() {
    expect(
        "match: /caf\u{e9}/a%20b, to: plain",
        &[("/caf%C3%A9/a%20b", "/caf%C3%A9/a%20b"), ("/caf%c3%a9/a%20b", "/caf%c3%a9/a%20b")],
    );
}

#[test]
fn prefixes_are_stripped_and_put_in_front() {
    expect(
        "match: /users/**, strip: /users, to: plain",
        &[
            ("/users/7?x", "/7?x"),
            ("/users", "/"),
            ("/users/", "/"),
            ("/users;v=2/7", "/7"),
            ("/users//7/", "/7/"),
        ],
    );
    expect(
        "match: /a/b/**, strip: /a/b, prefix: /v2, to: plain",
        &[("/a/b/c", "/v2/c"), ("/a/b", "/v2"), ("/a/b/", "/v2/")],
    );
    expect("match: /a/**, prefix: /v2, to: plain", &[("/a/b%20c?x", "/v2/a/b%20c?x")]);
}

#[test]
fn services_and_urls_have_a_base() {
    expect("match: /a/**, to: based", &[("/a/b?x", "/base/a/b?x")]);
    expect("match: /a/**, strip: /a, to: based", &[("/a/b", "/base/b"), ("/a", "/base"), ("/a/", "/base/")]);
    expect("match: /a/**, strip: /a, prefix: /p, to: based", &[("/a/b", "/base/p/b")]);
    expect("match: /a/**, to: 'http://{origin}/deep/base/'", &[("/a/b?x", "/deep/base/a/b?x")]);
}

#[test]
fn patterns_rewrite_between_strip_and_prefix_and_never_make_a_path_that_is_not_canonical() {
    expect(
        r"match: /img/**, strip: /img, prefix: /p, rewrite: { pattern: '^/(\w+)-(\d+)\.png$', to: '/$2/${1}.png' }, to: based",
        &[("/img/cat-12.png?x", "/base/p/12/cat.png?x"), ("/img/cat.png", "/base/p/cat.png")],
    );
    expect(
        "match: /a/**, rewrite: { pattern: '^/a/(.*)$', to: '/$1' }, to: plain",
        &[("/a/b", "/b"), ("/a/%2541", "/%2541"), ("/a", "/a")],
    );
    expect(
        "match: /a/**, rewrite: { pattern: 'x', to: '.' }, to: plain",
        &[("/a/xx/b", "/a/.x/b"), ("/a/x/b", "500 bad-rewrite")],
    );
    expect(
        "match: /a/**, rewrite: { pattern: '^/a', to: '' }, to: plain",
        &[("/a", "500 bad-rewrite"), ("/a/b", "/b")],
    );
}

#[test]
fn an_escaped_slash_passes_where_the_route_allows_it_and_is_part_of_its_segment() {
    expect(
        "match: '/a/{x}/c', encoded-slashes: allow, to: plain",
        &[("/a/1%2F2/c", "/a/1%2F2/c"), ("/a/1%2f2/c", "/a/1%2f2/c"), ("/a/1/2/c", "404 no-route")],
    );
    expect(
        "match: /a/**, encoded-slashes: allow, strip: /a, to: plain",
        &[("/a/%2Fb/c", "/%2Fb/c"), ("/a%2Fb", "404 no-route")],
    );
}

#[test]
fn query_edits_of_a_route_leave_other_parameters_as_they_came() {
    expect(
        "match: '/{id}', to: plain, query: { remove: [debug], set: { v: '2' }, add: { tag: 'a&b', id: '{id}' } }",
        &[
            ("/7", "/7?v=2&tag=a%26b&id=7"),
            ("/7?x=%2a+y&debug&v=1&v=0&tag=c", "/7?x=%2a+y&tag=c&v=2&tag=a%26b&id=7"),
            ("/7?%64ebug=1&debugger=1", "/7?debugger=1&v=2&tag=a%26b&id=7"),
        ],
    );
}

#[test]
fn what_the_path_names_can_be_written_into_fields() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(
        "
        routes:
          r:
            match: '/u/{user}/*/{rest:**}'
            to: 'http://{origin}'
            filters:
              - headers:
                  request: { set: { x-user: '{user}', x-rest: '<{rest}>' } }
                  response: { set: { x-user: '{user}' } }
        ",
        &[&origin],
    );
    let mut client = Client::of(&gateway);
    for (target, user, rest) in [
        ("/u/7/x/a/b", "7", "<a/b>"),
        ("/u/a%20b/x", "a b", "<>"),
        ("/u/7;v=1/x;y/a;z/b", "7", "<a;z/b>"),
        ("/u/%22/x/", "\"", "<>"),
    ] {
        let response = client.get(target);
        assert_eq!(response.fields.get("x-user"), Some(user), "{target}");
        let request = origin.requests().pop().unwrap();
        assert_eq!(request.fields.get("x-user"), Some(user), "{target}");
        assert_eq!(request.fields.get("x-rest"), Some(rest), "{target}");
    }
    origin.expect_canonical();
}
