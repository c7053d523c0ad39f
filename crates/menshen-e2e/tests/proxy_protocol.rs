//! The PROXY protocol: from proxies in front that must speak it, and toward services that want it.

use menshen_e2e::{Client, Origin, TestGateway, reply};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const V1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\x12\x67\x01\xbb";

fn behind(proxies: &str, origin: &Origin) -> TestGateway {
    let document = format!(
        "
        listeners: {{ web: {{ bind: '127.0.0.1:0', proxy-protocol-from: [{proxies}] }} }}
        routes: {{ all: {{ match: /**, to: 'http://{{origin}}' }} }}
        "
    );
    TestGateway::start(&document, &[origin])
}

#[test]
fn the_client_is_who_the_proxy_in_front_says_however_its_words_are_cut() {
    for header in [V1, V2] {
        for size in [1, 13, header.len()] {
            let origin = Origin::answering(|_| reply("ok"));
            let gateway = behind("127.0.0.1", &origin);
            let mut client = Client::of(&gateway);
            for part in header.chunks(size) {
                client.send(part);
            }
            client.send(REQUEST.repeat(2));
            assert_eq!((client.response().text(), client.response().text()), ("ok".into(), "ok".into()));
            for request in origin.requests() {
                assert_eq!(request.fields.get("x-forwarded-for"), Some("192.0.2.7"));
            }
        }
    }
}

#[test]
fn a_health_check_of_the_proxy_is_its_own_request() {
    let origin = Origin::answering(|_| reply("ok"));
    let gateway = behind("127.0.0.1", &origin);
    let mut client = Client::of(&gateway);
    client.send(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").send(REQUEST);
    assert_eq!(client.response().text(), "ok");
    assert_eq!(origin.only_request().fields.get("x-forwarded-for"), Some("127.0.0.1"));
}

#[test]
fn a_proxy_that_does_not_speak_it_is_cut_off_before_the_service_sees_anything() {
    let origin = Origin::answering(|_| reply("ok"));
    let gateway = behind("127.0.0.1", &origin);
    for words in [REQUEST, "PROXY TCP4 nonsense\r\n"] {
        let mut client = Client::of(&gateway);
        client.send(words);
        assert!(client.wire().take_all().unwrap_or_default().is_empty(), "{words:?}");
    }
    assert_eq!(origin.requests().len(), 0);
}

#[test]
fn who_is_no_proxy_cannot_say_who_the_client_is() {
    let origin = Origin::answering(|_| reply("ok"));
    let gateway = behind("10.0.0.0/8", &origin);
    for header in [V1, V2] {
        let mut client = Client::of(&gateway);
        client.send(header).send(REQUEST);
        assert_eq!(client.response().status, 400);
    }
    assert_eq!(origin.requests().len(), 0);
}

#[test]
fn a_service_that_wants_it_is_told_who_the_client_is_on_a_connection_of_the_clients_own() {
    for (version, length) in [("v1", None), ("v2", Some(28))] {
        let origin = Origin::scripted(move |c| {
            match length {
                None => {
                    let line = c.wire().line().unwrap();
                    assert!(line.starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 "), "{line}");
                }
                Some(length) => {
                    let header = c.wire().take(length).unwrap();
                    assert_eq!(header[..16], V2[..16]);
                    assert_eq!(header[16..24], [127, 0, 0, 1, 127, 0, 0, 1]);
                }
            }
            if c.request().is_some() {
                c.send(reply("ok"));
            }
            c.wait_for_close();
        });
        let document = format!(
            "
            services: {{ s: {{ endpoints: ['{{origin}}'], proxy-protocol: {version} }} }}
            routes: {{ all: {{ match: /**, to: s }} }}
            "
        );
        let gateway = TestGateway::start(&document, &[&origin]);
        let mut client = Client::of(&gateway);
        assert_eq!((client.get("/").text(), client.get("/").text()), ("ok".into(), "ok".into()));
        assert_eq!(origin.connections(), 2);
    }
}
