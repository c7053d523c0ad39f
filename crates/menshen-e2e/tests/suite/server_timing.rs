//! `Server-Timing` tells callers that may know it where the time went.

use menshen_e2e::{Client, Origin, TestGateway};

const DOCUMENT: &str = "
    gateway:
      trusted-proxies: [127.0.0.1]
      server-timing: [10.0.0.0/8]
    routes:
      r:
        match: /**
        to: 'http://{origin}'
        filters: [ { headers: { response: { set: { x-a: b } } }, id: 'my id' }, { ip-deny: 10.9.9.9, mode: shadow } ]
";

#[test]
fn only_callers_that_may_see_it_get_it() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(DOCUMENT, &[&origin]);
    let mut client = Client::of(&gateway);
    for (address, is_told) in
        [("10.0.0.1", true), ("10.9.9.9", true), ("11.0.0.1", false), ("127.0.0.1", false)]
    {
        let response = client.ask("GET /", &[&format!("X-Forwarded-For: {address}")]);
        assert_eq!(response.fields.has("server-timing"), is_told, "{address}");
    }
}

#[test]
fn it_names_the_service_and_each_filter_with_its_verdict() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(DOCUMENT, &[&origin]);
    let response = Client::of(&gateway).ask("GET /", &["X-Forwarded-For: 10.9.9.9"]);
    let timing = response.fields.get("server-timing").unwrap();
    let entries: Vec<(&str, &str)> =
        timing.split(", ").map(|e| e.split_once(";dur=").expect("a duration")).collect();
    let names: Vec<&str> = entries.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["total", "service", "r.ip-deny;desc=\"pre shadow\"", "my-id;desc=\"post pass\""]);
    for (name, millis) in entries {
        assert!(millis.parse::<f64>().is_ok_and(|m| (0.0..5_000.0).contains(&m)), "{name}: {millis}");
    }
}

#[test]
fn nobody_gets_it_by_default_also_when_something_fails() {
    let gateway = TestGateway::start("routes: { r: { match: /a, to: { respond: { body: x } } } }", &[]);
    let mut client = Client::of(&gateway);
    assert!(!client.get("/a").fields.has("server-timing") && !client.get("/b").fields.has("server-timing"));
}
