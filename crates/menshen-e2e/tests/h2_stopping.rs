//! How an HTTP/2 connection ends when the gateway stops, its listener goes, or nothing happens (figure L4).

use menshen_e2e::frames::{END, H2, Outcome, code, kind};
use menshen_e2e::{Admin, Broken, Client, Origin, TestGateway, eventually};

/// Reads the goodbye and answers the PING behind it, as every client does.
fn hear_goodbye(client: &mut H2) {
    let goaway = client.until("goodbye", |f| f.kind == kind::GOAWAY);
    assert_eq!((goaway.code(), &goaway.payload[..4]), (code::NONE, &[0x7f, 255, 255, 255][..]));
    let ping = client.until("PING", |f| f.kind == kind::PING && f.flags & END == 0);
    client.frame(kind::PING, END, 0, ping.payload);
}

#[test]
fn what_is_under_way_finishes_when_the_gateway_stops() {
    let (origin, asked, go_on) = Origin::gated();
    let mut gateway = TestGateway::in_front_of(&origin);
    let mut client = H2::of(&gateway);
    client.get(1, "/").get(3, "/");
    asked.pass();
    asked.pass();
    let stopped = gateway.stop_beside();
    hear_goodbye(&mut client);
    client.get(5, "/too-late");
    let last = client.until("last goodbye", |f| f.kind == kind::GOAWAY);
    assert_eq!((last.code(), &last.payload[..4]), (code::NONE, &[0, 0, 0, 3][..]));
    go_on.open_for(2);
    let mut ended = 0;
    while ended < 2 {
        let frame = client.until("answers", |f| f.kind == kind::DATA);
        ended += u32::from(frame.flags & END);
    }
    assert!(matches!(client.read(), Err(Broken::Truncated(rest)) if rest.is_empty()));
    stopped.join().unwrap();
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn an_idle_connection_ends_at_once() {
    let origin = Origin::echo();
    let mut gateway = TestGateway::start(
        "gateway:\n  drain: 30s\nroutes: { all: { match: /**, to: 'http://{origin}' } }",
        &[&origin],
    );
    let mut client = H2::of(&gateway);
    assert_eq!(client.get(1, "/").outcome(1), Outcome::Answer(200, "GET /\n".to_owned()));
    let stopped = gateway.stop_beside();
    hear_goodbye(&mut client);
    assert_eq!(client.goaway(), code::NONE);
    stopped.join().unwrap();
}

#[test]
fn a_client_that_does_not_answer_the_goodbye_holds_nobody_up() {
    let origin = Origin::echo();
    let mut gateway = TestGateway::start(
        "gateway:\n  drain: 30s\nroutes: { all: { match: /**, to: 'http://{origin}' } }",
        &[&origin],
    );
    let mut client = H2::of(&gateway);
    client.expect_alive();
    let stopped = gateway.stop_beside();
    assert_eq!(client.goaway(), code::NONE);
    stopped.join().unwrap();
}

#[test]
fn a_request_that_takes_longer_than_the_drain_is_cut() {
    let (origin, asked, _go_on) = Origin::gated();
    let mut gateway = TestGateway::start(
        "gateway:\n  drain: 100ms\nroutes: { all: { match: /**, to: 'http://{origin}' } }",
        &[&origin],
    );
    let mut client = H2::of(&gateway);
    client.get(1, "/");
    asked.pass();
    gateway.stop();
    hear_goodbye(&mut client);
    while let Ok(frame) = client.read() {
        assert!(frame.kind != kind::DATA, "{frame:?}");
    }
}

#[test]
fn a_listener_that_goes_takes_its_idle_connections_with_it() {
    let origin = Origin::echo();
    let both = "
        listeners: { a: { bind: '127.0.0.1:0' }, b: { bind: '127.0.0.2:0' } }
        routes: { all: { match: /**, to: 'http://{origin}' } }
    ";
    let gateway = TestGateway::start(both, &[&origin]);
    let mut client = H2::connect(gateway.listener("b"), &[]);
    client.expect_alive();
    gateway.reload(&both.replace(", b: { bind: '127.0.0.2:0' }", "")).unwrap();
    hear_goodbye(&mut client);
    assert_eq!(client.goaway(), code::NONE);
    gateway.expect_canary();
}

#[test]
fn a_connection_on_which_nothing_happens_ends_with_a_goodbye() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(
        "
        listeners: { http: { bind: '127.0.0.1:0', timeouts: { idle: 50ms } } }
        routes: { all: { match: /**, to: 'http://{origin}' } }
        gateway:
          admin: 127.0.0.1:0
        ",
        &[&origin],
    );
    let mut client = H2::of(&gateway);
    assert_eq!(client.get(1, "/").outcome(1), Outcome::Answer(200, "GET /\n".to_owned()));
    hear_goodbye(&mut client);
    assert_eq!(client.goaway(), code::NONE);
    let admin = Admin::of(&gateway);
    eventually("it is gone", || admin.metric("menshen_connections") == 0);
    assert_eq!(admin.metric("menshen_connections_calmed_total"), 0);
}

#[test]
fn an_open_stream_is_not_idle() {
    let (origin, asked, go_on) = Origin::gated();
    let gateway = TestGateway::start(
        "
        listeners: { http: { bind: '127.0.0.1:0', timeouts: { idle: 20ms } } }
        routes:
          all: { match: /**, to: 'http://{origin}' }
          slow: { match: /slow, to: { respond: { status: 204 } }, filters: [{ fault: { delay: 100ms } }] }
        ",
        &[&origin],
    );
    let mut client = H2::of(&gateway);
    client.get(1, "/");
    asked.pass();
    // Another exchange takes five times as long as a connection may be idle.
    assert_eq!(Client::of(&gateway).get("/slow").status, 204);
    go_on.open();
    assert_eq!(client.outcome(1), Outcome::Answer(200, "finished".to_owned()));
}

#[test]
fn a_stream_that_was_taken_back_leaves_a_connection_that_has_just_become_idle() {
    let (origin, asked, _go_on) = Origin::gated();
    let gateway = TestGateway::start(
        "
        listeners: { http: { bind: '127.0.0.1:0', timeouts: { idle: 300ms } } }
        routes:
          all: { match: /**, to: 'http://{origin}' }
          slow: { match: /slow, to: { respond: { status: 204 } }, filters: [{ fault: { delay: 400ms } }] }
          here: { match: /here, to: { respond: { body: here } } }
        ",
        &[&origin],
    );
    let mut client = H2::of(&gateway);
    client.get(1, "/");
    asked.pass();
    // Another exchange takes longer than a connection may be idle.
    assert_eq!(Client::of(&gateway).get("/slow").status, 204);
    client.reset(1).expect_alive();
    assert_eq!(client.get(3, "/here").outcome(3), Outcome::Answer(200, "here".to_owned()));
    hear_goodbye(&mut client);
}
