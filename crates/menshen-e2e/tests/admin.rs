//! The admin listener: health, readiness, switches, reloads, and who is kept out.

use menshen_e2e::{Admin, Client, Conversation, Gate, Origin, TestGateway, eventually, reply};
use serde_json::{Value, json};

const DOCUMENT: &str = "
    gateway:
      admin: 127.0.0.1:0
      workers: 2
    listeners:
      http: { bind: '127.0.0.1:0', filters: [ request-id ] }
    schemes:
      door: [ ip-deny: 127.0.0.0/8 ]
    routes:
      a: { match: /a, to: { respond: { body: a } }, scheme: door }
      b: { match: /b, to: { respond: { body: b } }, scheme: door, filters: [ { rate-limit: 1/h, id: 'my limit' } ] }
";

#[test]
fn it_is_healthy_and_ready_once_it_serves() {
    let gateway = TestGateway::start(DOCUMENT, &[]);
    let admin = Admin::of(&gateway);
    assert_eq!(
        (admin.get("/healthz").text(), admin.get("/readyz").text()),
        ("ok\n".into(), "ready\n".into())
    );
    let status: Value = serde_json::from_str(&admin.get("/status").text()).unwrap();
    assert_eq!(
        (&status["version"], &status["ready"], &status["refusal"]),
        (&1.into(), &true.into(), &Value::Null)
    );
    assert_eq!((admin.get("/nothing").status, admin.get("/reload").status), (404, 405));
}

#[test]
fn readiness_goes_before_the_listeners_and_health_stays() {
    let gate = Gate::new();
    let passed = gate.clone();
    let origin = Origin::scripted(move |c: &mut Conversation| {
        while c.request().is_some() {
            passed.pass();
            c.send(reply("done"));
        }
    });
    let mut gateway = TestGateway::start(
        "gateway:\n  admin: 127.0.0.1:0\nroutes: { r: { match: /**, to: 'http://{origin}' } }",
        &[&origin],
    );
    let admin = Admin::of(&gateway);
    let mut client = Client::of(&gateway);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the service has it", || origin.requests().len() == 1);
    let stopping = gateway.stop_beside();
    eventually("it is not ready", || admin.get("/readyz").status == 503);
    assert_eq!((admin.get("/readyz").text(), admin.get("/healthz").status), ("stopping\n".into(), 200));
    gate.open();
    assert_eq!(client.response().text(), "done");
    stopping.join().unwrap();
}

#[test]
fn names_that_are_not_ours_and_requests_that_a_page_could_send_are_refused() {
    let gateway = TestGateway::start(DOCUMENT, &[]);
    let admin = Admin::of(&gateway);
    let get = |host: &str| admin.ask(format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n")).outcome();
    for host in ["localhost", "localhost:9180", "127.0.0.1", "127.0.0.1:9180", "[::1]:9180", "192.0.2.7:1"] {
        assert_eq!(get(host), "200 ", "{host}");
    }
    for host in [
        "evil.test",
        "evil.test:9180",
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "evil.test:localhost",
        "xlocalhost",
    ] {
        assert_eq!(get(host), "421 foreign-host", "{host}");
    }
    let post = |target: &str, fields: &str| {
        admin
            .ask(format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{fields}\r\n"))
            .outcome()
    };
    for target in ["/reload", "/filters/door.ip-deny/off", "/nothing"] {
        assert_eq!(post(target, "Content-Type: text/plain\r\n"), "403 admin-field-missing", "{target}");
    }
    assert_eq!(post("/reload", "X-Menshen-Admin: 1\r\n"), "200 ");
    let foreign =
        "POST /reload HTTP/1.1\r\nHost: evil.test\r\nX-Menshen-Admin: 1\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(admin.ask(foreign).outcome(), "421 foreign-host");
    assert_eq!(Client::of(&gateway).get("/a").status, 403, "nothing was switched");
}

#[test]
fn a_filter_is_switched_off_and_on_wherever_it_is_used_and_stays_so_over_reloads() {
    let gateway = TestGateway::start(DOCUMENT, &[]);
    let admin = Admin::of(&gateway);
    let states = || serde_json::from_str::<Value>(&admin.get("/filters").text()).unwrap();
    let state = |id: &str, state: &str| json!({ "id": id, "state": state });
    let door = |off_or_on: &str| {
        let list =
            [state("door.ip-deny", off_or_on), state("http.request-id", "on"), state("my limit", "on")];
        json!({ "filters": list })
    };
    assert_eq!(states(), door("on"));
    let statuses = || ["/a", "/b"].map(|t| Client::of(&gateway).get(t).status);
    assert_eq!(statuses(), [403, 403]);
    assert_eq!(admin.post("/filters/door.ip-deny/off").status, 200);
    assert_eq!((states(), statuses()), (door("off"), [200, 200]));
    gateway.reload(DOCUMENT).unwrap();
    assert_eq!(statuses(), [200, 429]);
    assert_eq!(admin.post("/filters/my%20limit/off").status, 200);
    assert_eq!(statuses(), [200, 200]);
    for id in ["my%20limit", "door.ip-deny"] {
        assert_eq!(admin.post(&format!("/filters/{id}/on")).status, 200);
    }
    assert_eq!((states(), statuses()), (door("on"), [403, 403]));
    assert_eq!(admin.post("/filters/nobody/off").outcome(), "404 no-such-filter");
    assert_eq!(admin.post("/filters/door.ip-deny/maybe").outcome(), "404 no-such-state");
}

#[test]
fn filters_that_are_configured_no_more_are_not_listed() {
    let gateway = TestGateway::start(DOCUMENT, &[]);
    let admin = Admin::of(&gateway);
    gateway
        .reload("gateway:\n  admin: 127.0.0.1:0\nroutes: { a: { match: /a, to: { respond: { body: a } } } }")
        .unwrap();
    eventually("they are forgotten", || admin.get("/filters").text() == "{\"filters\":[]}");
}

#[test]
fn what_was_turned_off_is_still_off_when_it_comes_back() {
    let gateway = TestGateway::start(DOCUMENT, &[]);
    let admin = Admin::of(&gateway);
    admin.post("/filters/door.ip-deny/off");
    gateway
        .reload("gateway:\n  admin: 127.0.0.1:0\nroutes: { a: { match: /a, to: { respond: { body: a } } } }")
        .unwrap();
    eventually("the others are forgotten", || !admin.get("/filters").text().contains("limit"));
    gateway.reload(DOCUMENT).unwrap();
    assert_eq!(Client::of(&gateway).get("/a").status, 200);
}

#[test]
fn a_reload_that_is_asked_for_is_answered_with_its_outcome() {
    let gateway = TestGateway::start(DOCUMENT, &[]);
    let admin = Admin::of(&gateway);
    let file = gateway.log().with_file_name("menshen.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(admin.post("/reload").text(), "{\"version\":2,\"warnings\":[]}");
    let bad = text.replace("127.0.0.0/8", "127.0.0.0/99");
    std::fs::write(&file, bad).unwrap();
    let refused = admin.post("/reload");
    assert_eq!(refused.outcome(), "422 configuration-refused");
    assert_eq!(refused.fields.get("content-type"), Some("application/problem+json"));
    let detail: Value = serde_json::from_str(&refused.text()).unwrap();
    assert!(detail["detail"].as_str().unwrap().contains("127.0.0.0/99"), "{detail}");
    assert_eq!(Client::of(&gateway).get("/a").status, 403);
    std::fs::write(&file, text).unwrap();
    assert_eq!(admin.post("/reload").status, 200);
}
