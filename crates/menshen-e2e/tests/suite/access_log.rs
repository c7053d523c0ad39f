//! The access log: one line of JSON for each exchange, whatever bytes and endings it has.

use menshen_e2e::{Client, Conversation, Gate, Origin, TestGateway, eventually, reply};
use serde_json::Value;

/// Stops the gateway and reads its log.
#[track_caller]
fn lines(mut gateway: TestGateway) -> Vec<Value> {
    gateway.stop();
    let text = std::fs::read(gateway.log()).expect("a log");
    assert!(text.iter().all(|b| *b == b'\n' || *b >= 0x20), "a control byte in the log");
    let text = String::from_utf8(text).expect("UTF-8");
    text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

fn text<'a>(line: &'a Value, member: &str) -> &'a str {
    line[member].as_str().unwrap_or_default()
}

#[test]
fn a_line_has_what_was_asked_and_what_became_of_it() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(
        "
        gateway:
          access-log: { to: '{log}', fields: { agent: '{header:user-agent}', tag: all }, omit: [received] }
        services: { s: { endpoints: ['{origin}'] } }
        routes:
          r:
            match: '/a/{id}'
            to: s
            filters: [ request-id, { access-log: { fields: { tag: 'own {id}', page: '{query:page}' } } } ]
        ",
        &[&origin],
    );
    let response = Client::of(&gateway).ask("GET /a/7?page=2", &["Host: a.test:80", "User-Agent: \"x\\"]);
    let lines = lines(gateway);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let id = response.fields.get("x-request-id").unwrap();
    for (member, value) in [
        ("client", "127.0.0.1"),
        ("id", id),
        ("method", "GET"),
        ("host", "a.test:80"),
        ("path", "/a/7"),
        ("query", "page=2"),
        ("route", "r"),
        ("service", "s"),
        ("agent", "\"x\\"),
        ("tag", "own 7"),
        ("page", "2"),
    ] {
        assert_eq!(text(line, member), value, "{member}");
    }
    assert_eq!(text(line, "endpoint"), origin.address().to_string());
    assert_eq!((line["status"].as_u64(), line["attempts"].as_u64()), (Some(200), Some(1)));
    assert_eq!(line["sent"].as_u64(), Some(response.body.len() as u64));
    assert!(line["micros"].as_u64() >= line["service-micros"].as_u64());
    let time = text(line, "time");
    assert!(time.starts_with("20") && time.ends_with('Z') && time.contains('T'), "{time}");
    assert!(line.get("received").is_none() && line.get("code").is_none() && line.get("filters").is_none());
}

#[test]
fn hostile_bytes_stay_within_their_member() {
    let gateway = TestGateway::start(
        "
        gateway:
          access-log: { to: '{log}', fields: { agent: '{header:user-agent}' } }
        routes: { r: { match: /**, to: { respond: { body: x } } } }
        ",
        &[],
    );
    let agents: [(&[u8], &str); 6] = [
        (b"\"},{\"status\":200}", "\"},{\"status\":200}"),
        (b"back\\slash\\", "back\\slash\\"),
        (b"tab\there", "tab\there"),
        (b"\xff\xfe caf\xc3\xa9 \xc3", "\u{fffd}\u{fffd} caf\u{e9} \u{fffd}"),
        (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"\xe2\x80\xa8", "\u{2028}"),
    ];
    let mut client = Client::of(&gateway);
    for (agent, _) in agents {
        client.send([b"GET /?q=%22' HTTP/1.1\r\nHost: a\r\nUser-Agent: ", agent, b"\r\n\r\n"].concat());
        client.response();
    }
    assert_eq!(Client::of(&gateway).ask("GET /a%1bb", &["User-Agent: \u{1b}[31m"]).status, 400);
    assert_eq!(
        Client::of(&gateway).send(b"GET /\xff\"\\ HTTP/1.1\r\nHost: a\r\n\r\n").response().status,
        400
    );
    let lines = lines(gateway);
    let seen: Vec<&str> = lines.iter().map(|l| text(l, "agent")).collect();
    let expected: Vec<&str> = agents.iter().map(|(_, seen)| *seen).chain(["", ""]).collect();
    assert_eq!(seen, expected);
    assert_eq!(lines.last().unwrap()["status"], 400);
}

#[test]
fn requests_that_were_refused_have_a_line_with_nothing_of_an_earlier_request() {
    let gateway = TestGateway::start(
        "
        gateway:
          access-log: '{log}'
        listeners:
          http: { bind: '127.0.0.1:0', filters: [ error-page: { pages: { 4xx: { body: 'sorry {path}' } } } ] }
        routes: { r: { match: /secret/**, to: { respond: { body: x } } } }
        ",
        &[],
    );
    let ask = |bytes: &[u8]| Client::of(&gateway).send(bytes).response();
    for refused in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut client = Client::of(&gateway);
        assert_eq!(client.get("/secret/token?key=1").status, 200);
        let again = client.send(refused).response();
        assert_eq!(again.status, 400);
        assert!(!again.text().contains("secret"), "{}", again.text());
        assert!(!ask(refused.as_bytes()).text().contains("secret"));
    }
    let lines = lines(gateway);
    assert_eq!(lines.len(), 9);
    let refused: Vec<_> = lines.iter().filter(|l| l["status"] == 400).collect();
    let seen: Vec<_> = refused.iter().map(|l| (text(l, "code"), text(l, "path"), text(l, "route"))).collect();
    let expected = [
        ("host-missing", "", "(http)"),
        ("bad-escape", "/a%zz", "(http)"),
        ("bad-target-form", "nowhere", "(http)"),
    ];
    assert_eq!(seen, expected.map(|e| [e, e]).concat());
    assert!(refused.iter().all(|l| l.get("query").is_none() && l.get("service").is_none()), "{refused:?}");
}

#[test]
fn a_forwarded_request_is_logged_as_it_was_asked() {
    let gateway = TestGateway::start(
        "
        gateway:
          access-log: '{log}'
        routes:
          outer: { match: '/old/{id}', to: 'forward:/new/{id}' }
          inner: { match: /new/**, to: { respond: { body: x } } }
        ",
        &[],
    );
    Client::of(&gateway).get("/old/7?q=1");
    let lines = lines(gateway);
    assert_eq!(
        (text(&lines[0], "path"), text(&lines[0], "query"), text(&lines[0], "route")),
        ("/old/7", "q=1", "outer")
    );
}

#[test]
fn a_client_that_leaves_is_logged_once_with_499() {
    let gate = Gate::new();
    let passed = gate.clone();
    let origin = Origin::scripted(move |c: &mut Conversation| {
        while let Some(request) = c.request() {
            if request.target == "/begun" {
                c.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
            }
            if request.target != "/whole" {
                return c.wait_for_close();
            }
            passed.pass();
            c.send(reply("ok"));
        }
    });
    let gateway = TestGateway::start(
        "gateway:\n  access-log: '{log}'\nroutes: { r: { match: /**, to: 'http://{origin}' } }",
        &[&origin],
    );
    for target in ["/silent", "/begun"] {
        let mut client = Client::of(&gateway);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        if target == "/begun" {
            client.head().unwrap();
            assert_eq!(client.wire().take(5).unwrap(), b"hello");
        }
        eventually("the origin has it", || origin.requests().iter().any(|r| r.target == target));
        client.reset();
        eventually("the service is let go", || origin.open_connections() == 0);
    }
    gate.open();
    Client::of(&gateway).get("/whole");
    let lines = lines(gateway);
    let seen: Vec<_> =
        lines.iter().map(|l| (text(l, "path"), l["status"].as_u64().unwrap(), text(l, "code"))).collect();
    assert_eq!(seen, [("/silent", 499, "client-gone"), ("/begun", 499, "client-gone"), ("/whole", 200, "")]);
    assert_eq!(lines[1]["sent"], 5);
}

#[test]
fn routes_choose_which_requests_have_a_line_and_filters_that_did_something_are_named() {
    let gateway = TestGateway::start(
        "
        gateway:
          access-log: '{log}'
        routes:
          off: { match: /off, to: { respond: { body: x } }, filters: [ access-log: 'off' ] }
          failed: { match: /failed, to: { respond: { body: x } }, filters: [ access-log: failed, { ip-deny: 127.0.0.1, when: { query: { q: present } }, id: door } ] }
          shadow: { match: /shadow, to: { respond: { body: x } }, filters: [ { ip-deny: 127.0.0.1, mode: shadow }, secure-headers ] }
          nothing: { match: /nothing, to: { respond: { status: 404 } }, filters: [ access-log: failed ] }
        ",
        &[],
    );
    let mut client = Client::of(&gateway);
    for target in ["/off", "/failed", "/failed?q", "/shadow", "/nothing"] {
        client.get(target);
    }
    let lines = lines(gateway);
    let seen: Vec<_> = lines.iter().map(|l| (text(l, "path"), l["filters"].to_string())).collect();
    let expected = [
        ("/failed", r#"{"door":"failed"}"#),
        ("/shadow", r#"{"shadow.ip-deny":"shadow"}"#),
        ("/nothing", "null"),
    ];
    assert_eq!(seen, expected.map(|(path, filters)| (path, filters.to_owned())));
}
