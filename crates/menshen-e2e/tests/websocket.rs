//! WebSocket through the gateway: frames as they are, and a goodbye when the gateway stops.

use menshen_e2e::{Client, Gate, Origin, TestGateway, eventually};

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const GOING_AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];
/// The client's answer, masked with zeros.
const ANSWER: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

fn text(words: &str) -> Vec<u8> {
    [&[0x81, words.len() as u8], words.as_bytes()].concat()
}

#[test]
fn when_the_gateway_stops_clients_are_told_between_two_frames_that_it_goes_away() {
    let (half, rest) = (Gate::new(), Gate::new());
    let origin = Origin::scripted({
        let (half, rest) = (half.clone(), rest.clone());
        move |c| {
            c.head();
            c.send(SWITCHING);
            let frame = text("hello there");
            let (first, second) = frame.split_at(5);
            c.send(first);
            half.open();
            rest.pass();
            c.send(second);
            assert_eq!(c.wire().take(ANSWER.len()).unwrap(), ANSWER);
        }
    });
    let mut gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    client.send(ASK);
    assert_eq!(client.head().unwrap().status, 101);
    half.pass();
    assert_eq!(client.wire().take(5).unwrap(), text("hello there")[..5]);
    let stopped = gateway.stop_beside();
    eventually("the gateway has begun to stop", || std::net::TcpStream::connect(gateway.address()).is_err());
    rest.open();
    assert_eq!(client.wire().take(8).unwrap(), text("hello there")[5..], "the frame under way is finished");
    assert_eq!(client.wire().take(4).unwrap(), GOING_AWAY);
    client.send(ANSWER);
    client.half_close();
    client.expect_end();
    stopped.join().unwrap();
}

#[test]
fn another_protocol_than_websocket_is_not_spoken_into() {
    let origin = Origin::scripted(|c| {
        c.head();
        c.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n");
        c.wait_for_close();
    });
    let mut gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n");
    assert_eq!(client.head().unwrap().status, 101);
    let stopped = gateway.stop_beside();
    eventually("the gateway has begun to stop", || std::net::TcpStream::connect(gateway.address()).is_err());
    client.half_close();
    assert_eq!(client.wire().take_all().unwrap(), b"");
    stopped.join().unwrap();
}
