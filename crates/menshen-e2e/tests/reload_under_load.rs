//! Reloads that nobody notices but by the answers: each is wholly old or wholly new, and none fails.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use menshen_e2e::{Admin, Client, Conversation, Gate, Origin, TestGateway, eventually};

const RELOADS: usize = 50;

/// A document whose every part says its version.
fn version(n: usize) -> String {
    let origin = if n.is_multiple_of(2) { "{origin-1}" } else { "{origin-2}" };
    format!(
        "
        gateway:
          admin: 127.0.0.1:0
          workers: 2
        listeners:
          http: {{ bind: '127.0.0.1:0', filters: [ headers: {{ response: {{ set: {{ x-listener: 'v{n}' }} }} }} ] }}
        services: {{ s: {{ endpoints: ['{origin}'], base: /v{n} }} }}
        routes:
          fixed: {{ match: /fixed, to: {{ respond: {{ body: 'GET /v{n}/fixed' }} }}, filters: [ headers: {{ response: {{ set: {{ x-route: 'v{n}' }} }} }} ] }}
          called: {{ match: /called, to: s, filters: [ headers: {{ response: {{ set: {{ x-route: 'v{n}' }} }} }} ] }}
        "
    )
}

/// The version that an answer comes from.
#[track_caller]
fn version_of(client: &mut Client, target: &str) -> usize {
    let response = client.get(target);
    assert_eq!(response.status, 200, "{}", response.text());
    let version = response.fields.get("x-listener").unwrap().to_owned();
    assert_eq!(response.fields.get("x-route"), Some(version.as_str()));
    assert_eq!(response.text().trim_end(), format!("GET /{version}{target}"));
    version[1..].parse().unwrap()
}

#[test]
fn every_answer_is_of_one_version_and_none_fails() {
    let (even, odd) = (Origin::echo(), Origin::echo());
    let gateway = TestGateway::start(&version(0), &[&even, &odd]);
    let (address, done, asked) = (gateway.address(), AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let (done, asked) = (&done, &asked);
        for target in ["/fixed", "/called", "/fixed", "/called"] {
            scope.spawn(move || {
                let mut client = Client::connect(address);
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let version = version_of(&mut client, target);
                    assert!(version >= last, "back from {last} to {version}");
                    last = version;
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for n in 1..=RELOADS {
            let before = asked.load(Ordering::Relaxed);
            let reloaded = gateway.reload(&version(n));
            if let Err(why) = &reloaded {
                done.store(true, Ordering::Relaxed);
                panic!("{why}");
            }
            let mut client = Client::connect(address);
            assert_eq!(version_of(&mut client, "/called"), n, "a reload that is done is served");
            eventually("requests go on", || asked.load(Ordering::Relaxed) > before + 4);
        }
        done.store(true, Ordering::Relaxed);
    });
    let admin = Admin::of(&gateway);
    let reloads = admin.metric("menshen_config_reloads_total");
    assert!(reloads >= RELOADS as u64, "{reloads}; the gateway may have seen a change of the file by itself");
    assert_eq!(
        (admin.metric("menshen_config_version"), admin.metric("menshen_config_refusals_total")),
        (reloads + 1, 0)
    );
    let requests = || {
        let of = |route| admin.metric(&format!("menshen_requests_total{{route=\"{route}\",status=\"200\"}}"));
        of("fixed") + of("called")
    };
    let all = (asked.load(Ordering::Relaxed) + RELOADS) as u64;
    eventually("each is counted, over all reloads", || requests() == all);
}

#[test]
fn a_stream_outlives_its_configuration() {
    let gate = Gate::new();
    let passed = gate.clone();
    let origin = Origin::scripted(move |c: &mut Conversation| {
        c.request();
        c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        for n in 0..4 {
            c.send(format!("2\r\n{n}\n\r\n"));
            passed.pass();
        }
        c.send("0\r\n\r\n");
    });
    let streaming = "
        listeners:
          http: { bind: '127.0.0.1:0', filters: [ access-log: all ] }
        routes:
          events: { match: /events, to: 'http://{origin}', timeouts: { total: 60s } }
    ";
    let without = "routes: { other: { match: /other, to: { respond: { body: x } } } }";
    let gateway = TestGateway::start(streaming, &[&origin]);
    let mut client = Client::of(&gateway);
    client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.head().unwrap().status, 200);
    let mut next = |expected: &str| {
        assert_eq!(client.wire().line().unwrap(), "2");
        assert_eq!(client.wire().take(4).unwrap(), format!("{expected}\n\r\n").as_bytes());
    };
    next("0");
    gateway.reload(without).unwrap();
    assert_eq!(Client::of(&gateway).get("/events").status, 404);
    gate.open();
    next("1");
    // Its listener goes as well.
    let elsewhere = "listeners: { elsewhere: { bind: '127.0.0.2:0' } }\nroutes: { other: { match: /other, to: { respond: { body: x } } } }";
    gateway.reload(elsewhere).unwrap();
    gate.open();
    next("2");
    gateway.reload(without).unwrap();
    gate.open();
    next("3");
    gate.open();
    assert_eq!(client.wire().chunks().unwrap().0, b"");
    client.expect_end();
}
