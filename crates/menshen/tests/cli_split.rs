//! What the command line says about routes that are split.

mod support;

use support::{Folder, Outcome};

const START: &str = "\
listeners: { web: { bind: 127.0.0.1:0 } }
services: { old: { endpoints: [127.0.0.1:9001] }, new: http://127.0.0.1:9002/base }
routes:
  shop:
    match: /shop/**
    to: old
    split:
";

fn run(split: &str, args: &[&str]) -> Outcome {
    let split: String = split.lines().map(|line| format!("      {line}\n")).collect();
    Folder::with(format!("{START}{split}")).run(args)
}

#[track_caller]
fn refused(split: &str, expected: &str) {
    let outcome = run(split, &["check"]);
    assert!(!outcome.ok && outcome.err.contains(expected), "missing: {expected}\nin: {outcome:?}");
}

#[test]
fn shares_of_more_than_everything_are_refused_where_it_becomes_too_much() {
    refused(
        "groups:\n  a: { to: new, share: 60% }\n  b: { to: new, share: from 1% to 41% over 1h }",
        "menshen.yaml:10:30: error: routes.shop.split.groups.b.share: up to here the shares sum up to 101%; all groups \
         together can have `100%`; a share that grows counts with its end",
    );
    let outcome = run("groups:\n  a: { to: new, share: 60% }\n  b: { to: new, share: 40% }", &["check"]);
    assert!(outcome.ok, "{outcome:?}");
}

#[test]
fn groups_that_make_no_sense_are_refused() {
    refused("groups: {}", "routes.shop.split.groups: a split has 1 to 64 groups, not 0");
    refused(
        "groups: { a: { to: new } }",
        "8:20: error: routes.shop.split.groups.a: nobody says who is in this group",
    );
    refused("groups: { a: { to: nwe, share: 1% } }", "no service named `nwe`; did you mean `new`?");
    refused(
        "groups: { a: { to: { redirect: /x }, share: 1% } }",
        "8:26: error: routes.shop.split.groups.a.to: a group leads to a service or a URL",
    );
    refused("groups: { 'a b': { to: new, share: 1% } }", "`a b` cannot be the name of a group");
    refused("by: 'header:a b'\ngroups: { a: { to: new, share: 1% } }", "`a b` is not the name of a field");
    refused(
        "groups: { a: { to: new, when: { weight: { group: x, share: 1 } } } }",
        "`weight` belongs to the `match` of a route",
    );
}

#[test]
fn what_is_wrong_with_a_share_is_told_once() {
    let outcome = run("groups: { a: { to: new, share: 5 } }", &["check"]);
    assert!(outcome.err.contains("a share needs a `%`; write `5%`"), "{outcome:?}");
    assert!(!outcome.err.contains("nobody says"), "{outcome:?}");
}

const GROUPS: &str = "\
by: cookie:visitor
groups:
  beta: { to: new, when: { headers: { x-beta: 'yes' } } }
  canary: { to: new, share: 99.9% }";

#[test]
fn explain_says_which_group_a_request_is_in_and_why() {
    for (fields, expected) in [
        (
            "X-Beta: yes",
            "group      beta: its `when` matches\nleads to   service new\nsent as    /base/shop/1\n",
        ),
        (
            "Cookie: visitor=7",
            "group      canary: by its cookie visitor\nleads to   service new\nsent as    /base/shop/1\n",
        ),
        ("X-None: 1", "group      none: a newcomer is drawn once and gets the cookie visitor"),
    ] {
        let outcome = run(GROUPS, &["explain", "GET", "/shop/1", "-H", fields]);
        assert!(outcome.ok && outcome.out.contains(expected), "missing: {expected}\nin: {}", outcome.out);
        let groups = "  beta                     who matches              service new/base\n  \
                      canary                   99.9%                    service new/base\n";
        assert!(outcome.out.contains(groups), "{}", outcome.out);
    }
}

#[test]
fn routes_shows_the_groups() {
    let outcome = run(GROUPS, &["routes"]);
    assert!(outcome.out.contains("old; beta: to new; canary: 99.9% to new"), "{outcome:?}");
}

#[test]
fn a_test_of_a_route_can_hold_a_request_to_its_group() {
    let with = |group: &str| {
        let split: String = GROUPS.lines().map(|line| format!("      {line}\n")).collect();
        let tests = format!(
            "    tests: [{{ request: GET /shop/1, headers: {{ x-beta: 'yes' }}, expect: {{ group: {group} }} }}]\n"
        );
        Folder::with(format!("{START}{split}{tests}")).run(&["test"])
    };
    assert!(with("beta").ok);
    assert!(with("canary").out.contains("expected group canary, got beta"));
}
