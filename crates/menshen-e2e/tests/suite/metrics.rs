//! The metrics: what was sent is what is counted, and labels are names that the document gives.

use std::collections::{BTreeMap, BTreeSet};

use menshen_e2e::{Admin, Client, Origin, TestGateway, eventually};

const DOCUMENT: &str = r#"
    gateway:
      admin: 127.0.0.1:0
      workers: 2
    services: { s: { endpoints: ['{origin-1}'] } }
    routes:
      called: { match: '/called/**', to: s }
      dead: { match: /dead, to: 'http://{origin-2}' }
      limited: { match: /limited, to: { respond: { body: x } }, filters: [ { rate-limit: 2/h, id: limit }, { ip-deny: 127.0.0.1, mode: shadow, id: shadow }, { respond: { body: y }, id: answer } ] }
      'we"ird\name': { match: /weird, to: { respond: { body: x } } }
"#;

/// Checks the form of OpenMetrics text and returns its samples by series.
#[track_caller]
fn samples(text: &str) -> BTreeMap<String, f64> {
    let body = text.strip_suffix("# EOF\n").expect("an end");
    let (mut family, mut kind, mut seen, mut samples) = ("", "", BTreeSet::new(), BTreeMap::new());
    for line in body.lines() {
        if let Some(meta) = line.strip_prefix("# ") {
            let (word, rest) = meta.split_once(' ').expect("a name");
            let (name, rest) = rest.split_once(' ').expect("a text");
            match word {
                "HELP" => assert!(seen.insert(name), "{name} comes twice"),
                "TYPE" => (family, kind) = (name, rest),
                _ => panic!("{line}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let name = series.split('{').next().unwrap();
        let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line} below {family}"));
        let allowed: &[&str] = match kind {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            other => panic!("a family of kind {other}"),
        };
        assert!(allowed.contains(&suffix), "{line} in a {kind}");
        let value: f64 = value.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
        assert!(samples.insert(series.to_owned(), value).is_none(), "{series} comes twice");
    }
    samples
}

#[test]
fn what_was_sent_is_counted_once_each() {
    let (origin, refusing) = (Origin::echo(), Origin::refusing());
    let gateway = TestGateway::start(DOCUMENT, &[&origin, &refusing]);
    let mut client = Client::of(&gateway);
    let mut sent = 0;
    for n in 0..5 {
        sent += client.post(&format!("/called/{n}"), "12345").body.len();
    }
    for target in ["/dead", "/limited", "/limited", "/limited", "/limited", "/weird", "/secret-by-a-client"] {
        client.get(target);
    }
    Client::of(&gateway).send("GET / HTTP/1.1\r\n\r\n").response();
    client.reset();

    let admin = Admin::of(&gateway);
    eventually("all connections have ended", || admin.metric("menshen_connections") == 0);
    let response = admin.get("/metrics");
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(response.fields.get("content-type"), Some(content_type));
    let text = response.text();
    let samples = samples(&text);
    for (series, value) in [
        ("menshen_connections_accepted_total", 2),
        ("menshen_exchanges", 0),
        ("menshen_requests_total{route=\"called\",status=\"200\"}", 5),
        ("menshen_requests_total{route=\"dead\",status=\"502\"}", 1),
        ("menshen_requests_total{route=\"limited\",status=\"200\"}", 2),
        ("menshen_requests_total{route=\"limited\",status=\"429\"}", 2),
        ("menshen_requests_total{route=\"we\\\"ird\\\\name\",status=\"200\"}", 1),
        ("menshen_requests_total{route=\"(http)\",status=\"404\"}", 1),
        ("menshen_requests_total{route=\"(http)\",status=\"400\"}", 1),
        ("menshen_received_bytes_total{route=\"called\"}", 25),
        ("menshen_sent_bytes_total{route=\"called\"}", sent),
        ("menshen_request_seconds_count{route=\"called\"}", 5),
        ("menshen_request_seconds_bucket{le=\"+Inf\",route=\"called\"}", 5),
        ("menshen_service_attempts_total{service=\"s\"}", 5),
        ("menshen_service_connects_total{service=\"s\"}", 1),
        ("menshen_service_reuses_total{service=\"s\"}", 4),
        ("menshen_service_failures_total{service=\"s\"}", 0),
        ("menshen_service_active{service=\"s\"}", 0),
        ("menshen_service_seconds_count{service=\"s\"}", 5),
        ("menshen_failures_total{code=\"rate-limited\"}", 2),
        ("menshen_failures_total{code=\"connect-failed\"}", 1),
        ("menshen_failures_total{code=\"no-route\"}", 1),
        ("menshen_failures_total{code=\"host-missing\"}", 1),
        ("menshen_filter_runs_total{filter=\"limit\",verdict=\"failed\"}", 2),
        ("menshen_filter_runs_total{filter=\"shadow\",verdict=\"shadow\"}", 2),
        ("menshen_filter_runs_total{filter=\"shadow\",verdict=\"pass\"}", 0),
        ("menshen_filter_runs_total{filter=\"answer\",verdict=\"answered\"}", 2),
        ("menshen_config_version", 1),
        ("menshen_panics_total", 0),
    ] {
        assert_eq!(samples.get(series).copied(), Some(value as f64), "{series}\n{text}");
    }
    let refusing = format!("menshen_service_failures_total{{service=\"http://{}\"}}", refusing.address());
    assert!(samples[&refusing] >= 1.0);
    assert!(!text.contains("secret") && !text.contains("/called"), "{text}");
}

#[test]
fn buckets_count_up_to_the_number_of_requests() {
    let (origin, refusing) = (Origin::echo(), Origin::refusing());
    let gateway = TestGateway::start(DOCUMENT, &[&origin, &refusing]);
    let mut client = Client::of(&gateway);
    (0..20).for_each(|_| drop(client.get("/called/x")));
    let admin = Admin::of(&gateway);
    let series = "menshen_request_seconds_count{route=\"called\"}";
    eventually("the last one is counted", || admin.metric(series) == 20);
    let text = admin.get("/metrics").text();
    samples(&text);
    let buckets = text.lines().filter_map(|l| {
        let (labels, value) = l.strip_prefix("menshen_request_seconds_bucket{")?.split_once("} ")?;
        labels.contains("route=\"called\"").then(|| value.parse::<u64>().unwrap())
    });
    let buckets: Vec<u64> = buckets.collect();
    assert!(buckets.is_sorted() && buckets.len() > 5 && buckets.last() == Some(&20), "{buckets:?}");
}

#[test]
fn callers_that_a_limit_forgot_for_want_of_room_are_counted() {
    let gateway = TestGateway::start(
        "
        gateway:
          admin: 127.0.0.1:0
        routes:
          r:
            match: /r
            to: { respond: {} }
            filters: [ rate-limit: { limit: 1/d, per: 'header:x-caller', keys: 8 } ]
        ",
        &[],
    );
    let (admin, mut client) = (Admin::of(&gateway), Client::of(&gateway));
    let series = "menshen_filter_evictions_total{filter=\"r.rate-limit\"}";
    for caller in 0..8 {
        client.ask("GET /r", &[&format!("X-Caller: {caller}")]);
    }
    assert_eq!(admin.metric(series), 0);
    for caller in 8..50 {
        client.ask("GET /r", &[&format!("X-Caller: {caller}")]);
    }
    assert_eq!(admin.metric(series), 42);
}
