//! Mirrors and the gateway around them: shares, bounds, metrics, the log, reloads, stopping.

use std::time::{Duration, Instant};

use menshen_e2e::{Admin, Client, Gate, Origin, PATIENCE, TestGateway, eventually};

/// A document with this mirror of a route `r` to the first origin.
fn document(mirror: &str) -> String {
    format!(
        "
        gateway:
          admin: 127.0.0.1:0
          access-log: {{ to: '{{log}}' }}
        services: {{ users: {{ endpoints: ['{{origin-1}}'] }}, next: {{ endpoints: ['{{origin-2}}'] }} }}
        routes: {{ r: {{ match: /**, to: users, mirror: {mirror} }} }}
        "
    )
}

fn mirrored(mirror: &str, main: &Origin, next: &Origin) -> TestGateway {
    TestGateway::start(&document(mirror), &[main, next])
}

fn metric(gateway: &TestGateway, name: &str) -> u64 {
    Admin::of(gateway).metric(&format!("menshen_mirror_{name}"))
}

/// A mirror that opens a gate when it is asked and never answers.
fn hanging() -> (Origin, Gate) {
    let asked = Gate::new();
    let opens = asked.clone();
    let origin = Origin::scripted(move |c| {
        while c.request().is_some() {
            opens.open();
            c.wait_for_close();
        }
    });
    (origin, asked)
}

#[test]
fn as_many_requests_are_copied_as_the_share_says() {
    const REQUESTS: usize = 400;
    for (share, copies) in [("0%", 0..=0), ("50%", 140..=260), ("100%", REQUESTS..=REQUESTS)] {
        let (main, next) = (Origin::echo(), Origin::echo());
        let gateway = mirrored(&format!("{{ to: next, share: {share} }}"), &main, &next);
        let mut client = Client::of(&gateway);
        for _ in 0..REQUESTS {
            assert_eq!(client.get("/").status, 200);
        }
        let sent = metric(&gateway, "sent_total{route=\"r\"}");
        eventually("all copies have come", || next.whole_requests() as u64 == sent);
        assert!(copies.contains(&next.whole_requests()), "{share}: {}", next.whole_requests());
    }
}

#[test]
fn no_more_copies_are_under_way_than_allowed_and_the_others_are_counted() {
    let (main, (next, asked)) = (Origin::echo(), hanging());
    let gateway = mirrored("{ to: next, at-most: 3, timeout: 60s }", &main, &next);
    let mut client = Client::of(&gateway);
    for _ in 0..10 {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(client.post("/", "content").status, 200);
    (0..3).for_each(|_| asked.pass());
    assert_eq!(next.requests().len(), 3);
    assert_eq!(metric(&gateway, "active{route=\"r\"}"), 3);
    assert_eq!(metric(&gateway, "dropped_total{route=\"r\",reason=\"busy\"}"), 8);
}

#[test]
fn a_copy_that_takes_too_long_is_given_up_and_its_place_is_free_again() {
    let (main, (next, asked)) = (Origin::echo(), hanging());
    let gateway = mirrored("{ to: next, at-most: 1, timeout: 50ms }", &main, &next);
    let mut client = Client::of(&gateway);
    for _ in 0..2 {
        assert_eq!(client.get("/").status, 200);
        asked.pass();
        eventually("it is given up", || metric(&gateway, "active{route=\"r\"}") == 0);
    }
    assert_eq!(metric(&gateway, "failed_total{route=\"r\",code=\"total-timeout\"}"), 2);
    eventually("its connection is closed", || next.open_connections() == 0);
}

#[test]
fn what_mirrors_do_is_counted_and_is_no_failure_of_the_request() {
    let (main, next) = (Origin::echo(), Origin::refusing());
    let gateway = mirrored("next", &main, &next);
    assert_eq!(Client::of(&gateway).get("/").status, 200);
    let failed = "failed_total{route=\"r\",code=\"connect-failed\"}";
    eventually("the failure is counted", || metric(&gateway, failed) == 1);
    let admin = Admin::of(&gateway);
    assert_eq!(admin.metric("menshen_failures_total{code=\"connect-failed\"}"), 0);
    assert_eq!(admin.metric("menshen_requests_total{route=\"r\",status=\"200\"}"), 1);
    assert_eq!(admin.metric("menshen_service_failures_total{service=\"users\"}"), 0);
}

#[test]
fn the_log_tells_which_requests_were_copied() {
    let (main, next) = (Origin::echo(), Origin::echo());
    let mut gateway = mirrored("{ to: next, body-limit: 4B }", &main, &next);
    let mut client = Client::of(&gateway);
    client.get("/copied");
    client.post("/copied", "1234");
    client.post("/large", "12345");
    drop(client);
    gateway.stop();
    let log = std::fs::read_to_string(gateway.log()).unwrap();
    let lines: Vec<_> =
        log.lines().map(|l| (l.contains("/copied"), l.contains("\"mirrored\":true"))).collect();
    assert_eq!(lines, [(true, true), (true, true), (false, false)], "{log}");
}

#[test]
fn a_client_that_leaves_does_not_take_its_copy_along() {
    let (main, asked, go_on) = Origin::gated();
    let (next, copied, answer) = Origin::gated();
    let gateway = mirrored("next", &main, &next);
    let mut client = Client::of(&gateway);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    asked.pass();
    copied.pass();
    client.reset();
    eventually("the request is over", || Admin::of(&gateway).metric("menshen_exchanges") == 0);
    answer.open();
    eventually("the copy is answered", || metric(&gateway, "active{route=\"r\"}") == 0);
    assert_eq!(metric(&gateway, "sent_total{route=\"r\"}"), 1);
    assert_eq!(metric(&gateway, "failed_total{route=\"r\",code=\"client-gone\"}"), 0);
    go_on.open();
}

#[test]
fn content_that_never_ends_is_no_copy() {
    let (main, next) = (Origin::echo(), Origin::echo());
    let gateway = mirrored("next", &main, &next);
    let mut client = Client::of(&gateway);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    eventually("the request is under way", || main.requests().len() == 1);
    client.reset();
    let dropped = "dropped_total{route=\"r\",reason=\"content-cut\"}";
    eventually("it is counted", || metric(&gateway, dropped) == 1);
    assert_eq!(next.requests().len(), 0);
}

#[test]
fn content_that_waits_to_be_whole_takes_no_more_memory_than_copies_may() {
    let (main, next) = (Origin::echo(), Origin::echo());
    let gateway = mirrored("{ to: next, at-most: 2, body-limit: 10B }", &main, &next);
    let mut clients: Vec<Client> = (0..4).map(|_| Client::of(&gateway)).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n012345678");
        eventually("it has come", || {
            main.bytes().iter().filter(|b| b.ends_with(b"012345678")).count() == i + 1
        });
    }
    let busy = "dropped_total{route=\"r\",reason=\"busy\"}";
    assert_eq!(metric(&gateway, busy), 2);
    for client in &mut clients {
        assert_eq!(client.send("9").response().text(), "POST /\n0123456789");
    }
    eventually("two copies come", || next.whole_requests() == 2);
    assert_eq!(clients[0].post("/", "0123456789").status, 200);
    eventually("there is memory again", || next.whole_requests() == 3);
}

#[test]
fn an_upgrade_is_not_copied() {
    let main = Origin::scripted(|c| {
        c.head();
        c.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n");
    });
    let next = Origin::echo();
    let gateway = mirrored("next", &main, &next);
    let mut client = Client::of(&gateway);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n");
    assert_eq!(client.response().status, 101);
    assert_eq!(metric(&gateway, "dropped_total{route=\"r\",reason=\"upgrade\"}"), 1);
    assert_eq!(next.requests().len(), 0);
}

#[test]
fn what_a_gateway_in_front_has_copied_is_not_copied_again() {
    let (main, next) = (Origin::echo(), Origin::echo());
    let listeners = "listeners: { http: { bind: '127.0.0.1:0', trusted-proxies: [127.0.0.1] } }";
    let document =
        document("next").replace("        services:", &format!("        {listeners}\n        services:"));
    let gateway = TestGateway::start(&document, &[&main, &next]);
    let response = Client::of(&gateway).ask("GET /", &["X-Menshen-Mirror: front"]);
    assert_eq!(response.status, 200);
    assert_eq!(metric(&gateway, "dropped_total{route=\"r\",reason=\"copy\"}"), 1);
    assert_eq!(main.only_request().fields.get("x-menshen-mirror"), Some("front"));
    assert_eq!(next.requests().len(), 0);
}

#[test]
fn copies_under_way_end_with_their_own_generation_and_others_follow_the_new_one() {
    let main = Origin::echo();
    let (next, asked, answer) = Origin::gated();
    let gateway = mirrored("{ to: next, timeout: 60s }", &main, &next);
    let mut client = Client::of(&gateway);
    client.get("/old");
    asked.pass();
    gateway.reload(&document("{ to: next, share: 0% }")).unwrap();
    eventually("the new one is served", || {
        client.get("/new");
        metric(&gateway, "active{route=\"r\"}") == 1
    });
    answer.open_for(1000);
    eventually("the copy is answered", || metric(&gateway, "active{route=\"r\"}") == 0);
    let sent = metric(&gateway, "sent_total{route=\"r\"}");
    client.get("/newer");
    assert_eq!(metric(&gateway, "sent_total{route=\"r\"}"), sent);
}

#[test]
fn a_gateway_that_stops_does_not_wait_for_copies() {
    let (main, (next, asked)) = (Origin::echo(), hanging());
    let mut gateway = mirrored("{ to: next, timeout: 600s }", &main, &next);
    let mut client = Client::of(&gateway);
    assert_eq!(client.get("/").status, 200);
    asked.pass();
    drop(client);
    let start = Instant::now();
    gateway.stop();
    assert!(start.elapsed() < PATIENCE.min(Duration::from_secs(4)), "{:?}", start.elapsed());
    eventually("the copy is cut", || next.open_connections() == 0);
}

#[test]
fn a_mirror_that_could_not_work_is_refused_and_told_why() {
    let (main, next) = (Origin::echo(), Origin::echo());
    let gateway = mirrored("next", &main, &next);
    for (mirror, why) in [
        ("nxt", "did you mean `next`?"),
        ("{ to: next, body-limit: 2MiB }", "the most is `1MiB`"),
        ("{ to: next, timeout: 0s }", "no copy could be sent"),
        ("{ to: next, at-most: 0 }", "no copy could be sent"),
        ("{ share: 10% }", "missing `to`"),
    ] {
        let refusal = gateway.reload(&document(mirror)).unwrap_err();
        assert!(refusal.contains(why), "{mirror}: {refusal}");
    }
    let answers = document("next").replace("to: users", "to: { respond: { status: 200 } }");
    assert!(gateway.reload(&answers).unwrap_err().contains("leads to no service"));
}
