//! Services that are discovered: what sources say is followed while requests come.

use std::path::Path;

use menshen_e2e::{Admin, Client, DnsRecord, DnsServer, Gate, Load, Origin, TestGateway, eventually, reply};
use serde_json::Value;

/// A gateway with one service that is discovered like this.
fn following(discover: &str, store: &Path, files: &[(&str, String)]) -> TestGateway {
    let document = format!(
        "
        gateway:
          admin: 127.0.0.1:0
          workers: 2
          store: {}
        services: {{ s: {{ discover: {discover} }} }}
        routes: {{ all: {{ match: /**, to: s }} }}
        ",
        store.display()
    );
    TestGateway::start_with(&document, &[], files)
}

fn list(origins: &[&Origin]) -> String {
    let lines: Vec<String> = origins.iter().map(|o| format!("- {}\n", o.address())).collect();
    lines.concat()
}

/// What the gateway shows of its service.
fn shown(gateway: &TestGateway) -> Value {
    serde_json::from_str(&Admin::of(gateway).get("/services/s").text()).expect("JSON")
}

fn endpoints(gateway: &TestGateway) -> Vec<String> {
    let all = shown(gateway)["endpoints"].as_array().cloned().unwrap_or_default();
    all.iter().map(|e| e["address"].as_str().unwrap_or_default().to_owned()).collect()
}

fn expect_endpoints(gateway: &TestGateway, origins: &[&Origin]) {
    let mut wanted: Vec<String> = origins.iter().map(|o| o.address().to_string()).collect();
    wanted.sort();
    eventually("the endpoints are as the source says", || {
        let mut now = endpoints(gateway);
        now.sort();
        now == wanted
    });
}

fn srv(origins: &[(u16, u16, &Origin)]) -> Vec<DnsRecord> {
    let record = |(priority, weight, o): &(u16, u16, &Origin)| {
        DnsRecord::Service(*priority, *weight, o.address().port(), "host.test".to_owned())
    };
    origins.iter().map(record).collect()
}

#[test]
fn no_request_fails_while_a_file_of_endpoints_changes_again_and_again() {
    let store = tempfile::tempdir().unwrap();
    let [a, b, c] = [Origin::echo(), Origin::echo(), Origin::echo()];
    let gateway = following("file:endpoints.yaml", store.path(), &[("endpoints.yaml", list(&[&a, &b]))]);
    expect_endpoints(&gateway, &[&a, &b]);
    let load = Load::of(&gateway, 4, "/");
    for _ in 0..5 {
        for set in [&[&b, &c][..], &[&c, &a], &[&a, &b]] {
            gateway.replace("endpoints.yaml", list(set));
            expect_endpoints(&gateway, set);
            let before = load.done();
            eventually("requests go on", || load.done() > before + 20);
        }
    }
    assert_eq!(load.failures(), Vec::<String>::new());
    assert!([&a, &b, &c].iter().all(|o| o.whole_requests() > 0));
}

#[test]
fn an_endpoint_that_left_gets_nothing_more_and_is_not_kept_connected() {
    let store = tempfile::tempdir().unwrap();
    let [stays, leaves] = [Origin::echo(), Origin::echo()];
    let files = [("endpoints.yaml", list(&[&stays, &leaves]))];
    let gateway = following("{ file: endpoints.yaml }", store.path(), &files);
    expect_endpoints(&gateway, &[&stays, &leaves]);
    let load = Load::of(&gateway, 4, "/");
    eventually("both are connected", || [&stays, &leaves].iter().all(|o| o.open_connections() > 0));
    gateway.replace("endpoints.yaml", list(&[&stays]));
    expect_endpoints(&gateway, &[&stays]);
    eventually("its connections are closed", || leaves.open_connections() == 0);
    let (before, done) = (leaves.whole_requests(), load.done());
    eventually("requests go on", || load.done() > done + 100);
    assert_eq!(leaves.whole_requests(), before);
    assert_eq!(load.failures(), Vec::<String>::new());
}

#[test]
fn what_is_under_way_at_an_endpoint_that_left_is_finished() {
    let store = tempfile::tempdir().unwrap();
    let gate = Gate::new();
    let pass = gate.clone();
    let slow = Origin::answering(move |_| {
        pass.pass();
        reply("late")
    });
    let other = Origin::echo();
    let gateway = following("file:endpoints.yaml", store.path(), &[("endpoints.yaml", list(&[&slow]))]);
    expect_endpoints(&gateway, &[&slow]);
    let mut client = Client::of(&gateway);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is under way", || slow.requests().len() == 1);
    gateway.replace("endpoints.yaml", list(&[&other]));
    expect_endpoints(&gateway, &[&other]);
    assert_eq!(Client::of(&gateway).get("/now").text(), "GET /now\n");
    gate.open();
    assert_eq!(client.response().text(), "late");
}

#[test]
fn a_broken_file_changes_nothing_and_says_where_it_is_broken() {
    let store = tempfile::tempdir().unwrap();
    let origin = Origin::echo();
    let gateway = following("file:endpoints.yaml", store.path(), &[("endpoints.yaml", list(&[&origin]))]);
    expect_endpoints(&gateway, &[&origin]);
    gateway.replace("endpoints.yaml", format!("{}- 127.0.0.1\n", list(&[&origin])));
    let error = || shown(&gateway)["error"].as_str().unwrap_or_default().to_owned();
    eventually("the place is told", || error().contains("endpoints.yaml:2:3"));
    assert_eq!(Client::of(&gateway).get("/").status, 200);
    assert_eq!(Admin::of(&gateway).metric("menshen_discovery_failing{service=\"s\"}"), 1);
    std::fs::remove_file(gateway.file("endpoints.yaml")).unwrap();
    eventually("it is told that the file is gone", || error().contains("there is no such file"));
    assert_eq!(Client::of(&gateway).get("/").status, 200);
    gateway.replace("endpoints.yaml", list(&[&origin]));
    eventually("all is well again", || shown(&gateway)["state"] == "good");
}

#[test]
fn places_in_dns_are_followed_by_their_ttl() {
    let store = tempfile::tempdir().unwrap();
    let (dns, [a, b, c]) = (DnsServer::new(), [Origin::echo(), Origin::echo(), Origin::echo()]);
    dns.set_addresses("host.test", 60, &["127.0.0.1"]);
    dns.set("_http._tcp.s.test", 1, srv(&[(1, 10, &a), (1, 30, &b)]));
    let gateway = TestGateway::start(&asking(&dns, store.path(), "srv:_http._tcp.s.test"), &[]);
    expect_endpoints(&gateway, &[&a, &b]);
    let weights: Vec<u64> = {
        let shown = shown(&gateway);
        let all = shown["endpoints"].as_array().unwrap();
        let weight = |o: &Origin| {
            let at = o.address().to_string();
            all.iter().find(|e| e["address"] == at.as_str()).unwrap()["weight"].as_u64().unwrap()
        };
        vec![weight(&a), weight(&b)]
    };
    assert_eq!(weights, [10, 30]);
    let load = Load::of(&gateway, 2, "/");
    dns.set("_http._tcp.s.test", 1, srv(&[(1, 10, &b), (1, 10, &c)]));
    expect_endpoints(&gateway, &[&b, &c]);
    assert_eq!(load.failures(), Vec::<String>::new());
}

#[test]
fn the_best_priority_in_dns_where_anybody_is_there_is_used() {
    let store = tempfile::tempdir().unwrap();
    let (dns, dead, alive, spare) = (DnsServer::new(), Origin::refusing(), Origin::echo(), Origin::echo());
    dns.set_addresses("host.test", 60, &["127.0.0.1"]);
    dns.set("_http._tcp.s.test", 1, srv(&[(1, 1, &dead), (2, 1, &alive), (3, 1, &spare)]));
    let gateway = TestGateway::start(&asking(&dns, store.path(), "srv:_http._tcp.s.test"), &[]);
    expect_endpoints(&gateway, &[&alive]);
    assert_eq!(Client::of(&gateway).get("/").status, 200);
    assert_eq!(spare.connections(), 0);
}

#[test]
fn a_name_in_dns_is_all_of_its_addresses() {
    let store = tempfile::tempdir().unwrap();
    let (dns, origin) = (DnsServer::new(), Origin::echo());
    let port = origin.address().port();
    dns.set_addresses("host.test", 1, &["127.0.0.1"]);
    let discover = format!("dns:host.test:{port}");
    let gateway = TestGateway::start(&asking(&dns, store.path(), &discover), &[]);
    expect_endpoints(&gateway, &[&origin]);
    dns.set_addresses("host.test", 1, &["127.0.0.1", "127.0.0.2", "::1"]);
    let wanted = ["127.0.0.1", "127.0.0.2", "[::1]"].map(|ip| format!("{ip}:{port}"));
    eventually("all addresses are there", || endpoints(&gateway) == wanted);
    let all = shown(&gateway)["endpoints"].as_array().cloned().unwrap();
    assert!(all.iter().all(|e| e["authority"] == format!("host.test:{port}").as_str()));
}

/// A document whose service is asked for in this DNS.
fn asking(dns: &DnsServer, store: &Path, discover: &str) -> String {
    format!(
        "
        gateway:
          admin: 127.0.0.1:0
          store: {}
        registries: {{ dns: {{ servers: ['{}'], timeout: 300ms, min-ttl: 200ms }} }}
        services: {{ s: {{ discover: '{discover}' }} }}
        routes: {{ all: {{ match: /**, to: s }} }}
        ",
        store.display(),
        dns.address()
    )
}
