//! Offences against HTTP/2, and what the offender is told (RFC 9113 §5.4). The whole table is beside the rules; here is
//! what a client sees of it.

use menshen_e2e::frames::{END, H2, Outcome, WHOLE, code, field, frame, kind, request};
use menshen_e2e::{Gate, Origin, TestGateway, eventually};

/// The code of the GOAWAY behind a request that is under way on stream 1, its end on stream 3, and these bytes.
fn told(gateway: &TestGateway, bytes: &[u8]) -> u32 {
    let mut client = H2::of(gateway);
    client.post(1, "/").get(3, "/");
    assert_eq!(client.outcome(3), Outcome::Answer(200, "GET /\n".to_owned()));
    client.send(bytes).goaway()
}

#[test]
fn the_offender_is_told_which_rule_it_broke_and_others_are_served() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    for (name, bytes, expected) in [
        ("a frame too large", frame(kind::DATA, 0, 1, [0; 16_385]), code::FRAME_SIZE),
        ("a short PING", frame(kind::PING, 0, 0, [0; 7]), code::FRAME_SIZE),
        ("a window too large", frame(kind::SETTINGS, 0, 0, [0, 4, 255, 0, 0, 0]), code::FLOW_CONTROL),
        ("HEADERS after the end", frame(kind::HEADERS, 5, 3, request("GET", "/", b"")), code::STREAM_CLOSED),
        ("DATA after the end", frame(kind::DATA, 0, 3, b"x"), code::STREAM_CLOSED),
        ("a broken field block", frame(kind::HEADERS, END | WHOLE, 5, b"\x40"), code::COMPRESSION),
        ("an entry that cannot be", frame(kind::HEADERS, END | WHOLE, 5, b"\xff\x7f"), code::COMPRESSION),
        ("a stream of ours", frame(kind::HEADERS, END | WHOLE, 2, request("GET", "/", b"")), code::PROTOCOL),
        ("an end of nothing", frame(kind::CONTINUATION, WHOLE, 1, b""), code::PROTOCOL),
        ("WINDOW_UPDATE of nothing", frame(kind::WINDOW_UPDATE, 0, 0, [0; 4]), code::PROTOCOL),
        ("a pseudo-field in trailers", frame(kind::HEADERS, END | WHOLE, 1, b"\x83"), code::PROTOCOL),
    ] {
        assert_eq!(told(&gateway, &bytes), expected, "{name}");
        gateway.expect_canary();
    }
}

#[test]
fn a_connection_that_does_not_start_with_settings_ends() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = menshen_e2e::Client::of(&gateway);
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").send(frame(kind::PING, 0, 0, [0; 8]));
    let all = client.rest().expect("an end");
    assert!(all.ends_with(&[0, 0, 0, 1]) && all.windows(4).any(|w| w == [8, 7, 0, 0]), "{all:?}");
}

#[test]
fn the_end_of_a_connection_is_the_end_of_its_requests() {
    let asked = Gate::new();
    let origin = Origin::scripted({
        let asked = asked.clone();
        move |c| {
            c.head();
            asked.open();
            c.wait_for_close();
        }
    });
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = H2::of(&gateway);
    client.get(1, "/").post(3, "/");
    asked.pass();
    asked.pass();
    assert_eq!(client.frame(kind::DATA, 0, 1, b"x").goaway(), code::STREAM_CLOSED);
    eventually("the service is told", || origin.open_connections() == 0);
}

#[test]
fn what_is_on_its_way_when_a_stream_is_reset_is_no_offence() {
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = H2::of(&gateway);
    let block = request("POST", "/", field("x-a", " blank"));
    client.frame(kind::HEADERS, WHOLE, 1, block);
    assert_eq!(client.outcome(1), Outcome::Reset(code::PROTOCOL));
    client.frame(kind::DATA, 0, 1, b"more").frame(kind::DATA, END, 1, b"and more").expect_alive();
}
