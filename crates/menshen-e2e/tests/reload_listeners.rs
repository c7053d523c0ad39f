//! Listeners come, go and move without a restart.

use std::net::{SocketAddr, TcpListener, TcpStream};

use menshen_e2e::{Client, Conversation, Gate, Origin, TestGateway, eventually, reply};

/// An address on which nobody listens now.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A document with these listeners, on each of which `/` answers with the listener's name.
fn document(listeners: &[(&str, SocketAddr)]) -> String {
    let mut text = "listeners:\n".to_owned();
    for (name, address) in listeners {
        text += &format!("  {name}: {{ bind: '{address}' }}\n");
    }
    text += "routes:\n  slow: { match: /slow, to: 'http://{origin}' }\n";
    for (name, _) in listeners {
        text += &format!("  at-{name}: {{ match: /, on: {name}, to: {{ respond: {{ body: {name} }} }} }}\n");
    }
    text
}

fn name_at(address: SocketAddr) -> String {
    Client::connect(address).get("/").text()
}

fn is_shut(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err()
}

#[test]
fn a_listener_is_added_and_taken_away_while_the_others_go_on() {
    let (a, b) = (free(), free());
    let origin = Origin::refusing();
    let gateway = TestGateway::start(&document(&[("a", a)]), &[&origin]);
    let mut kept = Client::connect(a);
    for round in 0..3 {
        gateway.reload(&document(&[("a", a), ("b", b)])).unwrap();
        assert_eq!((name_at(a), name_at(b)), ("a".to_owned(), "b".to_owned()), "{round}");
        let mut idle = Client::connect(b);
        assert_eq!(idle.get("/").text(), "b");
        gateway.reload(&document(&[("a", a)])).unwrap();
        idle.expect_end();
        eventually("nobody listens there", || is_shut(b));
        assert_eq!((kept.get("/").text(), name_at(a)), ("a".to_owned(), "a".to_owned()), "{round}");
    }
}

#[test]
fn what_is_under_way_on_a_listener_that_goes_is_finished() {
    let gate = Gate::new();
    let passed = gate.clone();
    let origin = Origin::scripted(move |c: &mut Conversation| {
        while c.request().is_some() {
            passed.pass();
            c.send(reply("slow"));
        }
    });
    let (a, b) = (free(), free());
    let gateway = TestGateway::start(&document(&[("a", a), ("b", b)]), &[&origin]);
    let mut client = Client::connect(b);
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the service has it", || origin.requests().len() == 1);
    gateway.reload(&document(&[("a", a)])).unwrap();
    eventually("nobody listens there", || is_shut(b));
    gate.open();
    assert_eq!(client.response().text(), "slow");
    client.expect_end();
}

#[test]
fn a_listener_moves_and_names_change_places() {
    let (a, b, c) = (free(), free(), free());
    let origin = Origin::refusing();
    let gateway = TestGateway::start(&document(&[("x", a), ("y", b)]), &[&origin]);
    gateway.reload(&document(&[("x", c), ("y", b)])).unwrap();
    assert_eq!((name_at(c), name_at(b)), ("x".to_owned(), "y".to_owned()));
    eventually("the old address is free", || is_shut(a));
    let mut kept = Client::connect(b);
    assert_eq!(kept.get("/").text(), "y");
    gateway.reload(&document(&[("x", b), ("y", c)])).unwrap();
    assert_eq!(
        (name_at(b), name_at(c), kept.get("/").text()),
        ("x".to_owned(), "y".to_owned(), "x".to_owned())
    );
}

#[test]
fn an_address_that_cannot_be_had_is_refused_and_nothing_changes() {
    let a = free();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let origin = Origin::refusing();
    let gateway = TestGateway::start(&document(&[("a", a)]), &[&origin]);
    let spare = free();
    let why = gateway.reload(&document(&[("b", spare), ("c", address)])).unwrap_err();
    assert!(why.contains("something else listens there already"), "{why}");
    assert_eq!(name_at(a), "a");
    eventually("what was bound for the refused one is free again", || is_shut(spare));
    drop(taken);
    gateway.reload(&document(&[("b", spare), ("c", address)])).unwrap();
    assert_eq!((name_at(spare), name_at(address)), ("b".to_owned(), "c".to_owned()));
}

#[test]
fn two_listeners_cannot_have_one_address() {
    let a = free();
    let origin = Origin::refusing();
    let gateway = TestGateway::start(&document(&[("a", a)]), &[&origin]);
    let why = gateway.reload(&document(&[("a", a), ("b", a)])).unwrap_err();
    assert!(why.contains("listener `a` has this address already"), "{why}");
    assert_eq!(name_at(a), "a");
}
