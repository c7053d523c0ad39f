//! Endpoints that are not well: who is asked, what clients see, and that it survives reloads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};

use menshen_e2e::{Admin, Authority, Client, Keeper, Origin, TestGateway, eventually, reply, reply_with};

/// Answers `/health` with this status, everything else with its name.
fn with_health(name: &'static str, status: &Arc<AtomicU16>) -> Origin {
    let status = status.clone();
    Origin::answering(move |r| match r.target.as_str() {
        "/health" => reply_with(&format!("{} Health", status.load(Ordering::SeqCst)), "", ""),
        _ => reply(name),
    })
}

fn well() -> Arc<AtomicU16> {
    Arc::new(AtomicU16::new(200))
}

const TWO: &str = "
    gateway:
      admin: 127.0.0.1:0
    services:
      s:
        endpoints: ['{origin-1}', '{origin-2}']
        health: { get: /health, every: 100ms, rise: 1, fall: 2 }
    routes: { all: { match: /**, to: s } }
";

fn answers(gateway: &TestGateway) -> Vec<String> {
    let mut client = Client::of(gateway);
    (0..8).map(|_| client.get("/").text()).collect()
}

fn unhealthy(gateway: &TestGateway) -> u64 {
    Admin::of(gateway).metric("menshen_service_endpoints{service=\"s\",state=\"unhealthy\"}")
}

#[test]
fn an_endpoint_whose_checks_fail_gets_nothing_until_they_pass_again_and_reloads_know_it() {
    let (a, b) = (well(), well());
    let origins = [with_health("a", &a), with_health("b", &b)];
    let gateway = TestGateway::start(TWO, &origins.each_ref());
    assert!(["a", "b"].iter().all(|n| answers(&gateway).contains(&(*n).to_owned())));
    b.store(500, Ordering::SeqCst);
    eventually("b gets nothing", || unhealthy(&gateway) == 1);
    assert_eq!(answers(&gateway), ["a"; 8]);
    gateway.reload(&TWO.replace("fall: 2", "fall: 3")).unwrap();
    assert_eq!(answers(&gateway), ["a"; 8], "a reload forgets nothing");
    b.store(204, Ordering::SeqCst);
    eventually("b is back", || answers(&gateway).contains(&"b".to_owned()));
}

#[test]
fn the_admin_api_says_of_every_endpoint_how_it_is_and_why() {
    let (a, b) = (well(), well());
    let origins = [with_health("a", &a), with_health("b", &b)];
    let document = TWO.replace("fall: 2 }", "fall: 2 }\n        breaker: {}");
    let gateway = TestGateway::start(&document, &origins.each_ref());
    b.store(500, Ordering::SeqCst);
    eventually("b gets nothing", || unhealthy(&gateway) == 1);
    answers(&gateway);
    let shown: serde_json::Value =
        serde_json::from_str(&Admin::of(&gateway).get("/services/s").text()).expect("JSON");
    let [a, b] = [&shown["endpoints"][0], &shown["endpoints"][1]];
    assert_eq!((&a["health"], &b["health"]), (&"healthy".into(), &"unhealthy".into()), "{shown}");
    assert_eq!((&a["reason"], &b["reason"]), (&serde_json::Value::Null, &"check".into()), "{shown}");
    assert!(b["health-age"].is_u64() && a["latency-ms"].as_f64().is_some_and(|ms| ms > 0.0), "{shown}");
    assert!(a["attempts"].as_u64().is_some_and(|n| n >= 8) && a["failures"] == 0, "{shown}");
    assert_eq!(shown["circuit"], "closed", "{shown}");
}

#[test]
fn without_checks_nobody_stays_out() {
    let (a, b) = (well(), Arc::new(AtomicU16::new(500)));
    let origins = [with_health("a", &a), with_health("b", &b)];
    let gateway = TestGateway::start(TWO, &origins.each_ref());
    eventually("b gets nothing", || unhealthy(&gateway) == 1);
    gateway.reload(&TWO.replace("health: {", "pool: {} #")).unwrap();
    eventually("b is asked again", || answers(&gateway).contains(&"b".to_owned()));
}

#[test]
fn when_all_are_down_the_answer_is_a_quick_503_and_recovery_is_quick_too() {
    let (a, b) = (well(), well());
    let origins = [with_health("a", &a), with_health("b", &b)];
    let document = TWO.replace("health:", "panic: 0%\n        health:");
    let gateway = TestGateway::start(&document, &origins.each_ref());
    a.store(503, Ordering::SeqCst);
    b.store(503, Ordering::SeqCst);
    eventually("both are out", || unhealthy(&gateway) == 2);
    let mut client = Client::of(&gateway);
    let mut times: Vec<Duration> = (0..51)
        .map(|_| {
            let started = Instant::now();
            let response = client.get("/");
            assert_eq!(response.outcome(), "503 no-healthy-endpoint");
            assert_eq!(response.fields.get("retry-after"), Some("1"));
            started.elapsed()
        })
        .collect();
    times.sort();
    assert!(times[25] < Duration::from_millis(20), "median {:?}", times[25]);
    let (started, connections) = (Instant::now(), origins[0].connections());
    a.store(200, Ordering::SeqCst);
    eventually("a is back", || client.get("/").status == 200);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(origins[0].connections() - connections <= 10, "no herd");
}

#[test]
fn one_who_starts_unhealthy_gets_nothing_before_its_first_check() {
    let (a, b) = (well(), Arc::new(AtomicU16::new(404)));
    let origins = [with_health("a", &a), with_health("b", &b)];
    let document = TWO.replace("rise: 1", "start: unhealthy, expect: [200, 204]");
    let gateway =
        TestGateway::start(&document.replace("health:", "panic: 0%\n        health:"), &origins.each_ref());
    eventually("a passes", || answers(&gateway).iter().all(|text| text == "a"));
    assert!(origins[1].requests().iter().all(|r| r.target == "/health"));
}

#[test]
fn what_refuses_connections_is_ejected_and_comes_back_by_itself() {
    let dead = Origin::refusing();
    let alive = Origin::answering(|_| reply("alive"));
    let gateway = TestGateway::start(
        "
        gateway:
          admin: 127.0.0.1:0
        services: { s: { endpoints: ['{origin-1}', '{origin-2}'] } }
        routes: { all: { match: /**, to: s } }
        ",
        &[&dead, &alive],
    );
    let mut client = Client::of(&gateway);
    assert!((0..20).all(|_| client.get("/").text() == "alive"));
    let metric = "menshen_service_endpoints{service=\"s\",state=\"ejected\"}";
    assert_eq!(Admin::of(&gateway).metric(metric), 1);
    let failures = "menshen_service_failures_total{service=\"s\"}";
    assert_eq!(Admin::of(&gateway).metric(failures), 5, "after five failures nobody tries");
}

#[test]
fn errors_eject_where_the_document_says_so_and_a_trial_brings_back() {
    let broken = Arc::new(AtomicBool::new(true));
    let flag = broken.clone();
    let origins = [
        Origin::answering(move |_| match flag.load(Ordering::SeqCst) {
            true => reply_with("500 Broken", "", "broken"),
            false => reply("mended"),
        }),
        Origin::answering(|_| reply("fine")),
    ];
    let gateway = TestGateway::start(
        "
        services:
          s: { endpoints: ['{origin-1}', '{origin-2}'], eject: { failures: 3, for: 500ms } }
        routes: { all: { match: /**, to: s } }
        ",
        &origins.each_ref(),
    );
    let mut client = Client::of(&gateway);
    let broken_answers = (0..20).filter(|_| client.get("/").status == 500).count();
    assert_eq!(broken_answers, 3);
    broken.store(false, Ordering::SeqCst);
    eventually("it is tried and back", || client.get("/").text() == "mended");
    eventually("it has its share", || (0..4).filter(|_| client.get("/").text() == "mended").count() == 2);
}

#[test]
fn answers_that_break_off_eject_although_each_began_well() {
    let cutting = Origin::scripted(|c| {
        if c.request().is_some() {
            c.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        }
    });
    let fine = Origin::answering(|_| reply("fine"));
    let gateway = TestGateway::start(
        "
        services: { s: { endpoints: ['{origin-1}', '{origin-2}'], eject: { failures: 3, for: 1h, up-to: 1h } } }
        routes: { all: { match: /**, to: s } }
        ",
        &[&cutting, &fine],
    );
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let broken = (0..20).filter(|_| Client::of(&gateway).send(get).try_response().is_err()).count();
    assert_eq!(broken, 3);
}

#[test]
fn a_client_stays_by_its_cookie_and_a_key_by_its_hash() {
    let names = ["a", "b", "c"];
    let origins = names.map(|name| Origin::answering(move |_| reply(name)));
    let gateway = TestGateway::start(
        "
        services:
          sticky: { endpoints: ['{origin-1}', '{origin-2}', '{origin-3}'], sticky: { cookie: where, ttl: 1h } }
          hashed:
            endpoints: ['{origin-1}', '{origin-2}', '{origin-3}']
            balance: { method: maglev, by: header:x-user }
        routes: { sticky: { match: /sticky, to: sticky }, hashed: { match: /hashed, to: hashed } }
        ",
        &origins.each_ref(),
    );
    let mut client = Client::of(&gateway);
    let first = client.get("/sticky");
    let cookie = first.fields.get("set-cookie").expect("a cookie").to_owned();
    assert!(
        cookie.starts_with("where=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600")
    );
    let cookie = cookie.split(';').next().unwrap();
    for _ in 0..9 {
        client.send(format!("GET /sticky HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n"));
        let next = client.response();
        assert_eq!((next.text(), next.fields.has("set-cookie")), (first.text(), false));
    }
    let mut seen = std::collections::BTreeSet::new();
    for user in 0..30 {
        let mut ask = || {
            client.send(format!("GET /hashed HTTP/1.1\r\nHost: a\r\nX-User: {user}\r\n\r\n"));
            client.response().text()
        };
        let at = ask();
        assert_eq!(at, ask());
        seen.insert(at);
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn checks_reach_services_as_requests_do() {
    let sock = tempfile::tempdir().unwrap();
    let path = sock.path().join("app.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let asked = Arc::new(AtomicBool::new(false));
    let flag = asked.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            use std::io::{Read, Write};
            let mut text = [0; 1024];
            let n = stream.read(&mut text).unwrap_or(0);
            let head = String::from_utf8_lossy(&text[..n]).into_owned();
            let is_right = head.starts_with("GET /ok?deep=1 HTTP/1.1\r\nHost: app.internal\r\n");
            flag.fetch_or(is_right, Ordering::SeqCst);
            let _ = stream.write_all(reply("ok").as_bytes());
        }
    });
    let document = format!(
        "
        services:
          s:
            endpoints: ['unix:{}']
            health: {{ get: '/ok?deep=1', host: app.internal, every: 100ms }}
        routes: {{ all: {{ match: /**, to: s }} }}
        ",
        path.display()
    );
    let _gateway = TestGateway::start(&document, &[]);
    eventually("the socket is asked", || asked.load(Ordering::SeqCst));
}

/// A service that gets nothing before its checks have passed.
fn only_checked(settings: &str) -> String {
    format!(
        "
        services:
          s: {{ endpoints: ['{{origin}}'], panic: 0%, health: {{ get: /health, every: 100ms, start: unhealthy }}, {settings} }}
        routes: {{ all: {{ match: /**, to: s }} }}
        "
    )
}

#[test]
fn checks_speak_tls_with_the_settings_of_the_service() {
    let authority = Authority::new("services");
    let keeper = Keeper::of(&authority.server(&["127.0.0.1"]));
    let origin = Origin::answering_over_tls(&keeper, |_| reply("safe"));
    let files = [("ca.pem", authority.pem()), ("other.pem", Authority::new("others").pem())];
    let gateway = TestGateway::start_with(&only_checked("tls: { ca: ca.pem }"), &[&origin], &files);
    eventually("its checks pass", || Client::of(&gateway).get("/").text() == "safe");
    let gateway = TestGateway::start_with(&only_checked("tls: { ca: other.pem }"), &[&origin], &files);
    eventually("it is asked", || !origin.failed_handshakes().is_empty());
    assert_eq!(Client::of(&gateway).get("/").outcome(), "503 no-healthy-endpoint");
}

#[test]
fn checks_speak_http2_where_the_service_does() {
    // Another gateway is a service that speaks HTTP/2 with prior knowledge.
    let inner = TestGateway::start("routes: { all: { match: /**, to: { respond: { body: inner } } } }", &[]);
    let document = only_checked("protocol: h2c").replace("{origin}", &inner.address().to_string());
    let gateway = TestGateway::start(&document, &[]);
    eventually("its checks pass", || Client::of(&gateway).get("/").text() == "inner");
}
