//! Sources that fail, lie or say nothing: the last good set serves (figures D1 and D2 in small).

use std::path::Path;

use menshen_e2e::{Admin, Client, DnsRecord, DnsServer, Load, Origin, TestGateway, eventually};
use serde_json::Value;

const NAME: &str = "_http._tcp.s.test";

/// A gateway whose service is asked for in this DNS, by SRV.
fn asking(dns: &DnsServer, store: &Path, more: &str) -> TestGateway {
    TestGateway::start(
        &format!(
            "
            gateway:
              admin: 127.0.0.1:0
              store: {}
            registries: {{ dns: {{ servers: ['{}'], timeout: 300ms, min-ttl: 200ms }} }}
            services: {{ s: {{ discover: {{ srv: {NAME}{more} }} }} }}
            routes: {{ all: {{ match: /**, to: s }} }}
            ",
            store.display(),
            dns.address()
        ),
        &[],
    )
}

fn know(dns: &DnsServer, origins: &[&Origin]) {
    dns.set_addresses("host.test", 1, &["127.0.0.1"]);
    let record = |o: &&Origin| DnsRecord::Service(1, 1, o.address().port(), "host.test".to_owned());
    dns.set(NAME, 1, origins.iter().map(record).collect());
}

fn shown(gateway: &TestGateway) -> Value {
    serde_json::from_str(&Admin::of(gateway).get("/services/s").text()).expect("JSON")
}

fn expect_state(gateway: &TestGateway, state: &str) {
    eventually(&format!("the service is {state}"), || shown(gateway)["state"] == state);
}

fn expect_endpoints(gateway: &TestGateway, count: usize) {
    eventually(&format!("there are {count} endpoints"), || shown(gateway)["endpoint-count"] == count);
}

#[test]
fn no_request_fails_whatever_dns_does() {
    let store = tempfile::tempdir().unwrap();
    let (dns, [a, b]) = (DnsServer::new(), [Origin::echo(), Origin::echo()]);
    know(&dns, &[&a, &b]);
    let gateway = asking(&dns, store.path(), "");
    expect_endpoints(&gateway, 2);
    let load = Load::of(&gateway, 4, "/");
    let failures: [(&str, &dyn Fn()); 6] = [
        ("silent", &|| dns.be_silent()),
        ("failing", &|| dns.fail()),
        ("garbage", &|| dns.say(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")),
        ("cut off", &|| dns.say(b"\x81\x80\x00\x01\x00\x09")),
        ("pointing at itself", &|| {
            dns.say(b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\xc0\x0c\x00\x21\x00\x01")
        }),
        ("nothing", &|| dns.say(b"")),
    ];
    for (what, fail) in failures {
        fail();
        expect_state(&gateway, "failing");
        let before = load.done();
        eventually("requests go on", || load.done() > before + 50);
        assert_eq!(shown(&gateway)["endpoint-count"], 2, "{what}");
        dns.be_honest();
        expect_state(&gateway, "good");
    }
    assert_eq!(load.failures(), Vec::<String>::new());
}

#[test]
fn an_empty_answer_is_held_while_somebody_is_there_and_believed_when_nobody_is() {
    let store = tempfile::tempdir().unwrap();
    let (dns, [a, b]) = (DnsServer::new(), [Origin::echo(), Origin::echo()]);
    know(&dns, &[&a, &b]);
    let gateway = asking(&dns, store.path(), "");
    expect_endpoints(&gateway, 2);
    let load = Load::of(&gateway, 2, "/");
    dns.set(NAME, 1, Vec::new());
    expect_state(&gateway, "held");
    eventually("it was said several times", || shown(&gateway)["held"]["agreed"].as_u64() > Some(3));
    assert_eq!(load.failures(), Vec::<String>::new());
    assert_eq!(Admin::of(&gateway).metric("menshen_discovery_held{service=\"s\"}"), 1);
    drop((a, b));
    expect_endpoints(&gateway, 0);
    let none = Client::of(&gateway).get("/");
    assert_eq!(none.outcome(), "503 no-endpoint");
    assert_eq!(shown(&gateway)["state"], "good");
}

#[test]
fn a_sudden_drop_is_believed_when_it_was_said_often_and_long_enough() {
    let store = tempfile::tempdir().unwrap();
    let (dns, origins) = (DnsServer::new(), [(); 4].map(|()| Origin::echo()));
    let [a, b, c, d] = &origins;
    know(&dns, &[a, b, c, d]);
    let gateway = asking(&dns, store.path(), ", hold: { share: 50%, polls: 3, for: 1s }");
    expect_endpoints(&gateway, 4);
    know(&dns, &[a]);
    expect_state(&gateway, "held");
    assert_eq!(shown(&gateway)["endpoint-count"], 4);
    assert_eq!((&shown(&gateway)["held"]["left"], &shown(&gateway)["held"]["of"]), (&1.into(), &4.into()));
    expect_endpoints(&gateway, 1);
    assert_eq!(shown(&gateway)["state"], "good");
}

#[test]
fn what_is_new_in_an_answer_that_is_held_serves_at_once() {
    let store = tempfile::tempdir().unwrap();
    let (dns, origins) = (DnsServer::new(), [(); 4].map(|()| Origin::echo()));
    let [a, b, c, new] = &origins;
    know(&dns, &[a, b, c]);
    let gateway = asking(&dns, store.path(), "");
    expect_endpoints(&gateway, 3);
    know(&dns, &[new]);
    expect_state(&gateway, "held");
    expect_endpoints(&gateway, 4);
    let mut client = Client::of(&gateway);
    eventually("the new one is asked", || client.get("/").status == 200 && new.whole_requests() > 0);
}

#[test]
fn half_of_the_endpoints_may_go_at_once() {
    let store = tempfile::tempdir().unwrap();
    let (dns, [a, b]) = (DnsServer::new(), [Origin::echo(), Origin::echo()]);
    know(&dns, &[&a, &b]);
    let gateway = asking(&dns, store.path(), "");
    expect_endpoints(&gateway, 2);
    know(&dns, &[&b]);
    expect_endpoints(&gateway, 1);
    assert_eq!(shown(&gateway)["state"], "good");
}

#[test]
fn a_cold_start_without_the_registry_serves_what_was_known_last_time() {
    let store = tempfile::tempdir().unwrap();
    let (dns, origin) = (DnsServer::new(), Origin::echo());
    know(&dns, &[&origin]);
    let mut gateway = asking(&dns, store.path(), "");
    expect_endpoints(&gateway, 1);
    eventually("it is kept", || store.path().join("discovered/s.json").exists());
    gateway.stop();
    dns.be_silent();
    let gateway = asking(&dns, store.path(), "");
    assert_eq!(Admin::of(&gateway).get("/readyz").status, 200);
    assert_eq!(Client::of(&gateway).get("/").status, 200);
    eventually("it is told that nobody answers", || shown(&gateway)["state"] == "failing");
    assert!(shown(&gateway)["age"].as_f64().is_some());
    dns.be_honest();
    expect_state(&gateway, "good");
}

#[test]
fn the_gateway_is_not_ready_until_it_knows_where_its_services_are_or_has_waited_for_it() {
    let store = tempfile::tempdir().unwrap();
    let (dns, origin) = (DnsServer::new(), Origin::echo());
    dns.be_silent();
    let gateway = asking(&dns, store.path(), "");
    let admin = Admin::of(&gateway);
    let ready = admin.get("/readyz");
    assert_eq!((ready.status, ready.text()), (503, "waiting for the endpoints of s\n".to_owned()));
    assert_eq!(Client::of(&gateway).get("/").outcome(), "503 no-endpoint");
    eventually("it has waited long enough", || admin.get("/readyz").status == 200);
    know(&dns, &[&origin]);
    dns.be_honest();
    eventually("the service is there", || Client::of(&gateway).get("/").status == 200);
}

#[test]
fn endpoints_beside_a_source_serve_until_it_answers() {
    let store = tempfile::tempdir().unwrap();
    let (dns, [fixed, found]) = (DnsServer::new(), [Origin::echo(), Origin::echo()]);
    dns.be_silent();
    let document = format!(
        "
        gateway:
          admin: 127.0.0.1:0
          store: {}
        registries: {{ dns: {{ servers: ['{}'], timeout: 300ms, min-ttl: 200ms }} }}
        services: {{ s: {{ endpoints: ['{{origin}}'], discover: 'srv:{NAME}' }} }}
        routes: {{ all: {{ match: /**, to: s }} }}
        ",
        store.path().display(),
        dns.address()
    );
    let gateway = TestGateway::start(&document, &[&fixed]);
    assert_eq!(Client::of(&gateway).get("/").status, 200);
    assert_eq!(fixed.whole_requests(), 1);
    know(&dns, &[&found]);
    dns.be_honest();
    eventually("what was found serves", || {
        Client::of(&gateway).get("/").status == 200 && found.whole_requests() > 0
    });
}
