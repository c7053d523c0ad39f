//! Limits are exact: over all connections, over all workers, over reloads.

use std::thread;

use menshen_e2e::{Client, Origin, TestGateway};

const LIMITED: &str = "
    gateway:
      workers: 2
      trusted-proxies: [127.0.0.1]
    routes:
      ip: { match: /ip/**, to: { respond: { body: x } }, filters: [ rate-limit: 40/h per ip ] }
      key: { match: /key, to: { respond: { body: x } }, filters: [ rate-limit: 3/h per header:x-key ] }
      burst: { match: /burst, to: { respond: { body: x } }, filters: [ rate-limit: { limit: 1000/h, burst: 5, cost: 2 } ] }
      fast: { match: /fast, to: { respond: { body: x } }, filters: [ rate-limit: 1/s burst 1 ] }
      hidden: { match: /hidden, to: { respond: { body: x } }, filters: [ rate-limit: { limit: 1/h, headers: hidden } ] }
      origin: { match: /origin, to: 'http://{origin}', filters: [ rate-limit: 2/h ] }
";

/// How many of so many requests of each of so many concurrent connections are let through.
fn admitted(gateway: &TestGateway, target: &str, connections: usize, each: usize) -> usize {
    let address = gateway.address();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(address);
                    let statuses: Vec<u16> = (0..each).map(|_| client.get(target).status).collect();
                    assert!(statuses.iter().all(|s| matches!(s, 200 | 429)), "{statuses:?}");
                    statuses.iter().filter(|s| **s == 200).count()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    })
}

#[test]
fn exactly_as_many_are_let_through_however_many_come_at_once() {
    let gateway = TestGateway::start(LIMITED, &[&Origin::refusing()]);
    assert_eq!(admitted(&gateway, "/ip/a", 24, 10), 40);
    assert_eq!(admitted(&gateway, "/ip/b", 4, 4), 0, "the limit belongs to the route");
    assert_eq!(admitted(&gateway, "/burst", 8, 4), 2, "each counts for two of five");
}

#[test]
fn a_refusal_says_when_to_come_back_and_no_service_is_called() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(LIMITED, &[&origin]);
    let mut client = Client::of(&gateway);
    for left in [1, 0] {
        let response = client.get("/origin");
        assert_eq!(response.status, 200);
        let limit = response.fields.get("ratelimit").unwrap();
        assert!(limit.starts_with(&format!("\"2/h per route\";r={left};t=")), "{limit}");
        assert_eq!(response.fields.get("ratelimit-policy"), Some("\"2/h per route\";q=2;w=3600"));
    }
    let refused = client.get("/origin");
    assert_eq!(refused.outcome(), "429 rate-limited");
    let seconds: u64 = refused.fields.get("retry-after").unwrap().parse().unwrap();
    assert!((1_790..=1_800).contains(&seconds), "{seconds}");
    assert!(refused.fields.get("ratelimit").unwrap().contains(";r=0;"));
    assert_eq!(origin.whole_requests(), 2);
    for status in [200, 429] {
        let hidden = client.get("/hidden");
        assert_eq!((hidden.status, hidden.fields.has("ratelimit")), (status, false));
        assert_eq!(hidden.fields.has("retry-after"), status == 429);
    }
}

#[test]
fn callers_are_told_apart_by_what_the_limit_says() {
    let gateway = TestGateway::start(LIMITED, &[&Origin::refusing()]);
    let mut client = Client::of(&gateway);
    let mut passes = |target: &str, fields: &[&str], times: usize| {
        (0..times).filter(|_| client.ask(&format!("GET {target}"), fields).status == 200).count()
    };
    assert_eq!(passes("/key", &["X-Key: a"], 5), 3);
    assert_eq!(passes("/key", &["X-Key: b"], 2), 2);
    assert_eq!(
        passes("/key", &[], 2)
            + passes("/key", &["X-Key:"], 2)
            + passes("/key", &["X-Key: a", "X-Key: z"], 2),
        3
    );
    assert_eq!(passes("/ip/x", &["X-Forwarded-For: 192.0.2.1"], 41), 40);
    assert_eq!(passes("/ip/x", &["X-Forwarded-For: 192.0.2.2"], 1), 1);
    assert_eq!(
        passes("/ip/x", &["X-Forwarded-For: 2001:db8::1"], 20)
            + passes("/ip/x", &["X-Forwarded-For: 2001:db8::ffff"], 21),
        40
    );
}

#[test]
fn what_was_used_comes_back_with_time() {
    let gateway = TestGateway::start(LIMITED, &[&Origin::refusing()]);
    let mut client = Client::of(&gateway);
    assert_eq!(admitted(&gateway, "/fast", 4, 1), 1);
    menshen_e2e::eventually("one passes again", || client.get("/fast").status == 200);
}

/// The route with the limit, with this in front of and behind it.
fn edited(limit: &str, before: &str, after: &str) -> String {
    format!(
        "routes: {{ r: {{ match: /**, to: {{ respond: {{ body: x }} }}, filters: [ {before} rate-limit: {limit} {after} ] }} }}"
    )
}

#[test]
fn a_reload_gives_nobody_a_new_allowance() {
    let gateway = TestGateway::start(&edited("5/h", "", ""), &[]);
    assert_eq!(admitted(&gateway, "/", 1, 3), 3);
    for (before, after) in
        [("", ""), ("", ", request-id"), ("secure-headers,", ""), ("request-id, secure-headers,", "")]
    {
        gateway.reload(&edited("5/h", before, after)).unwrap();
    }
    assert_eq!(admitted(&gateway, "/", 4, 2), 2, "three of five were used");
    gateway.reload(&edited("7/h", "", "")).unwrap();
    assert!(admitted(&gateway, "/", 1, 8) <= 3, "an edited limit gives what is new at most");
}
