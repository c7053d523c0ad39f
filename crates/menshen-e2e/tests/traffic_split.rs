//! Routes that are split: who is in which group, that they stay there, that services and the log see it, and that a rollout grows
//! and stops.

use menshen_e2e::{Admin, Client, Origin, Request, Response, TestGateway, eventually, reply, reply_with};

/// Answers with its own name and the group that it is told.
fn named(name: &'static str) -> Origin {
    Origin::answering(move |r: &Request| {
        reply(&format!("{name} {}", r.fields.get("x-menshen-group").unwrap_or("-")))
    })
}

/// Always fails.
fn broken() -> Origin {
    Origin::answering(|_: &Request| reply_with("503 Service Unavailable", "", "broken"))
}

fn ask(gateway: &TestGateway, fields: &str) -> Response {
    Client::connect(gateway.address()).send(format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n")).response()
}

fn ask_as(gateway: &TestGateway, user: usize) -> String {
    ask(gateway, &format!("X-User: user-{user}\r\n")).text()
}

/// The numbers of those of so many users who are answered like this.
fn users(gateway: &TestGateway, how_many: usize, answer: &str) -> Vec<usize> {
    (0..how_many).filter(|user| ask_as(gateway, *user) == answer).collect()
}

const HALF: &str = "
    routes:
      shop:
        match: /**
        to: http://{origin-1}
        split:
          by: header:x-user
          groups:
            beta: { to: 'http://{origin-2}', when: { headers: { x-beta: 'yes' } } }
            canary: { to: 'http://{origin-2}', share: 50% }
";

#[test]
fn users_stay_in_their_group_over_many_requests_and_a_reload() {
    let origins = [named("old"), named("new")];
    let gateway = TestGateway::start(HALF, &origins.each_ref());
    let canary = users(&gateway, 60, "new canary");
    assert!((10..50).contains(&canary.len()), "{canary:?}");
    assert_eq!(users(&gateway, 60, "new canary"), canary);
    gateway.reload(&HALF.replace("50%", "80%")).unwrap();
    let more = users(&gateway, 60, "new canary");
    assert!(
        more.len() > canary.len() && canary.iter().all(|user| more.contains(user)),
        "{canary:?} {more:?}"
    );
    assert_eq!(users(&gateway, 60, "old -").len(), 60 - more.len());
}

#[test]
fn who_matches_is_in_the_group_and_nobody_else_can_say_so() {
    let origins = [named("old"), named("new")];
    let gateway = TestGateway::start(HALF, &origins.each_ref());
    assert_eq!(ask(&gateway, "X-Beta: yes\r\n").text(), "new beta");
    assert_eq!(ask(&gateway, "").text(), "old -", "who has no key is in no share");
    assert_eq!(ask(&gateway, "X-Menshen-Group: canary\r\n").text(), "old -");
    assert_eq!(ask(&gateway, "X-Beta: yes\r\nX-Menshen-Group: canary\r\n").text(), "new beta");
}

#[test]
fn a_forged_group_reaches_no_service_even_through_a_trusted_proxy() {
    let split =
        HALF.replace("\n    routes:", "\n    gateway:\n      trusted-proxies: [127.0.0.0/8]\n    routes:");
    let origins = [named("old"), named("new")];
    let gateway = TestGateway::start(&split, &origins.each_ref());
    assert_eq!(ask(&gateway, "X-Menshen-Group: canary\r\n").text(), "old -");
    let plain = named("plain");
    let gateway = TestGateway::in_front_of(&plain);
    assert_eq!(ask(&gateway, "X-Menshen-Group: canary\r\n").text(), "plain -", "on a route without groups");
}

#[test]
fn a_newcomer_gets_a_cookie_and_stays_by_it() {
    let document = HALF.replace("header:x-user", "cookie:visitor");
    let origins = [named("old"), named("new")];
    let gateway = TestGateway::start(&document, &origins.each_ref());
    let mut met = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let first = ask(&gateway, "");
        let cookie = first.fields.get("set-cookie").expect("a cookie").to_owned();
        let (pair, attributes) = cookie.split_once(';').unwrap();
        assert_eq!(attributes, " Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000");
        let again = ask(&gateway, &format!("Cookie: a=b; {pair}\r\n"));
        assert_eq!(again.text(), first.text());
        assert!(!again.fields.has("set-cookie"), "it has one already");
        met.insert(first.text());
    }
    assert_eq!(met.len(), 2, "some are in the group and some are not");
    assert!(!ask(&gateway, "X-Beta: yes\r\n").fields.has("set-cookie"), "nothing was drawn");
}

#[test]
fn a_newcomer_whose_request_fails_is_not_drawn_again() {
    let document = HALF.replace("header:x-user", "cookie:visitor").replace("50%", "100%");
    let origins = [named("old"), Origin::refusing()];
    let gateway = TestGateway::start(&document, &origins.each_ref());
    let reply = ask(&gateway, "");
    assert_eq!(reply.status, 502);
    assert!(reply.fields.get("set-cookie").unwrap().starts_with("visitor="));
}

#[test]
fn the_log_and_the_metrics_name_the_group() {
    let document = HALF.replace(
        "\n    routes:",
        "\n    gateway:\n      admin: 127.0.0.1:0\n      access-log: '{log}'\n    routes:",
    );
    let origins = [named("old"), broken()];
    let mut gateway = TestGateway::start(&document, &origins.each_ref());
    let admin = Admin::of(&gateway);
    ask(&gateway, "X-Beta: yes\r\n");
    ask(&gateway, "");
    let labels = "{route=\"shop\",group=\"beta\"}";
    eventually("the request is counted", || {
        admin.metric(&format!("menshen_group_requests_total{labels}")) == 1
    });
    assert_eq!(admin.metric(&format!("menshen_group_bad_replies_total{labels}")), 1);
    let text = admin.get("/splits").text();
    assert!(text.contains(r#""group":"beta","requests":1,"bad-replies":1"#), "{text}");
    gateway.stop();
    let log = std::fs::read_to_string(gateway.log()).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((&lines[0]["group"], lines[0]["route"].as_str()), (&"beta".into(), Some("shop")));
    assert!(lines[1].get("group").is_none() && lines[1]["service"].is_string(), "{log}");
    assert_ne!(lines[0]["service"], lines[1]["service"]);
}

/// Everybody is to be in the group, in the end or at once.
fn rollout(share: &str) -> String {
    format!(
        "
        gateway:
          admin: 127.0.0.1:0
        routes:
          shop:
            match: /**
            to: http://{{origin-1}}
            split:
              by: header:x-user
              groups:
                next:
                  to: http://{{origin-2}}
                  share: {share}
        "
    )
}

#[test]
fn a_rollout_grows_and_nobody_leaves_it_on_the_way() {
    let document = rollout("from 0% to 100% over 2s");
    let origins = [named("old"), named("new")];
    let gateway = TestGateway::start(&document, &origins.each_ref());
    let mut inside: Vec<usize> = Vec::new();
    let mut steps = 0;
    eventually("everybody is in the group", || {
        let now = users(&gateway, 30, "new next");
        assert!(inside.iter().all(|user| now.contains(user)), "{inside:?} {now:?}");
        steps += usize::from(now.len() > inside.len());
        inside = now;
        inside.len() == 30
    });
    assert!(steps > 1, "not at once");
    gateway.reload(&format!("# changed\n{}", menshen_document(&document))).unwrap();
    assert_eq!(users(&gateway, 30, "new next").len(), 30, "a reload does not begin it anew");
    gateway.reload(&document.replace("over 2s", "over 1d")).unwrap();
    assert_eq!(users(&gateway, 30, "new next").len(), 0, "another share does");
}

/// The document as it is: a comment in front of it must not count for its indentation.
fn menshen_document(document: &str) -> String {
    document.trim_start_matches('\n').lines().map(|l| format!("{}\n", l.get(8..).unwrap_or(""))).collect()
}

#[test]
fn bad_replies_stop_a_rollout_until_it_is_resumed_also_over_a_restart() {
    let document = rollout("100%, stop if 5xx > 1%");
    let origins = [named("old"), broken()];
    let mut gateway = TestGateway::start(&document, &origins.each_ref());
    let admin = Admin::of(&gateway);
    assert_eq!(users(&gateway, 25, "broken").len(), 25);
    eventually("nobody is in the group", || ask_as(&gateway, 1) == "old -");
    let labels = "{route=\"shop\",group=\"next\"}";
    assert_eq!(admin.metric(&format!("menshen_group_stopped{labels}")), 1);
    let text = admin.get("/splits").text();
    assert!(
        text.contains(r#""stage":"stopped""#) && text.contains("replies of the last 5 minutes"),
        "{text}"
    );
    gateway.reload_files().unwrap();
    assert_eq!(ask_as(&gateway, 1), "old -", "a reload changes nothing");

    gateway.stop();
    let file = gateway.file("menshen.yaml");
    let again = menshen::Gateway::start(menshen::Origin::Path(file)).expect("it starts again");
    let address = again.listeners()[0].1.tcp().unwrap();
    let ask =
        || Client::connect(address).send("GET / HTTP/1.1\r\nHost: h\r\nX-User: 1\r\n\r\n").response().text();
    assert_eq!(ask(), "old -", "the store remembers");
    let post = "POST /splits/shop/next/resume HTTP/1.1\r\nHost: localhost\r\nX-Menshen-Admin: 1\r\n\
                Content-Length: 0\r\n\r\n";
    assert_eq!(Client::plain(again.admin().unwrap()).send(post).response().status, 200);
    assert_eq!(ask(), "broken");
    again.stop();
}

#[test]
fn bad_replies_count_whatever_the_client_gets_to_see() {
    let origins = [
        named("old"),
        broken(),
        Origin::refusing(),
        Origin::scripted(|c| {
            if c.request().is_some() {
                c.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
            }
        }),
        Origin::answering(|_: &Request| {
            reply_with("200 OK", "Content-Type: application/grpc\r\nGrpc-Status: 14\r\n", "")
        }),
        Origin::answering(|_: &Request| reply_with("404 Not Found", "", "")),
    ];
    let gateway = TestGateway::start(
        "
        gateway:
          admin: 127.0.0.1:0
        routes:
          shop:
            match: /**
            to: http://{origin-1}
            filters: [fallback: { on: 5xx, respond: { body: sorry, status: 200 } }]
            split:
              groups:
                failing: { to: 'http://{origin-2}', when: { headers: { x-to: failing } } }
                away: { to: 'http://{origin-3}', when: { headers: { x-to: away } } }
                cut: { to: 'http://{origin-4}', when: { headers: { x-to: cut } } }
                call: { to: 'http://{origin-5}', when: { headers: { x-to: call } } }
                missing: { to: 'http://{origin-6}', when: { headers: { x-to: missing } } }
        ",
        &origins.each_ref(),
    );
    let admin = Admin::of(&gateway);
    let bad_of = |group: &str, fields: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: h\r\nX-To: {group}\r\n{fields}\r\n");
        let reply = Client::connect(gateway.address()).send(request).try_response();
        let labels = format!("{{route=\"shop\",group=\"{group}\"}}");
        eventually("it is counted", || admin.metric(&format!("menshen_group_requests_total{labels}")) == 1);
        let status = reply.map_or(0, |reply| reply.status);
        (status, admin.metric(&format!("menshen_group_bad_replies_total{labels}")))
    };
    assert_eq!(bad_of("away", ""), (200, 1), "no reply, though the client got one");
    assert_eq!(bad_of("cut", ""), (0, 1), "a reply that broke off");
    assert_eq!(bad_of("failing", ""), (503, 1));
    assert_eq!(
        bad_of("call", "Content-Type: application/grpc\r\nTE: trailers\r\n"),
        (200, 1),
        "a call that failed"
    );
    assert_eq!(bad_of("missing", ""), (404, 0), "what a client did wrong");
}
