//! Requests with something wrong somewhere (figure F1 in small): no panic, no hang, nothing in doubt at the service.

use std::net::SocketAddr;
use std::time::Duration;

use menshen_e2e::{Admin, Broken, Client, Origin, TestGateway};

const SEEDS: [&str; 8] = [
    "GET /a/b?c=d HTTP/1.1\r\nHost: gateway\r\nAccept: */*\r\nCookie: a=b; c=d\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: 11\r\n\r\nhello world",
    "POST /a HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\n",
    "PUT /%41/../b//c;d=e HTTP/1.1\r\nHost: gateway:80\r\nConnection: x-a, close\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nhi",
    "HEAD http://gateway/x HTTP/1.1\r\nHost: gateway\r\nConnection: keep-alive\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: gateway\r\nX-Forwarded-For: 1.2.3.4, 5.6.7.8\r\nForwarded: for=1.2.3.4\r\n\r\n",
    "GET /ws HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket\r\nTE: trailers\r\n\r\nraw bytes",
    "POST /e HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabcGET /next HTTP/1.1\r\nHost: gateway\r\n\r\n",
];
/// Pieces that matter to somebody who reads HTTP.
const PIECES: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"%",
    b"%2e",
    b"/..",
    b"\x80",
    b"\xff",
    b"0",
    b"ffffffffffffffff",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: b\r\n",
    b"Connection: close\r\n",
    b"HTTP/1.1",
    b"chunked",
    b"0\r\n\r\n",
    b"Expect: 100-continue\r\n",
];

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n.max(1) as u64).unwrap()
    }

    fn mutant(&mut self) -> Vec<u8> {
        let mut bytes = SEEDS[self.below(SEEDS.len())].as_bytes().to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes[at] = self.below(256) as u8,
                1 => drop(bytes.remove(at)),
                2 => drop(bytes.splice(at..at, PIECES[self.below(PIECES.len())].iter().copied())),
                3 => {
                    let end = at + self.below(12).min(bytes.len() - at);
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
                _ => {
                    let end = at + self.below(8).min(bytes.len() - at);
                    bytes.drain(at..end);
                }
            }
        }
        bytes
    }
}

/// Sends a mutant and reads until the gateway is done with it.
fn send(address: SocketAddr, mutant: &[u8], random: &mut Random) {
    let mut client = Client::connect(address);
    let cut = random.below(mutant.len());
    client.send(&mutant[..cut]).send(&mutant[cut..]);
    // The head of an answer must be readable, whatever was asked; how much content it has depends on the method.
    let name = String::from_utf8_lossy(mutant);
    match client.head() {
        Ok(_) | Err(Broken::Closed | Broken::Reset) => {}
        Err(broken) => panic!("{broken} to {name:?}"),
    }
    client.wire().set_patience(Duration::from_secs(5));
    match client.rest() {
        Ok(_) | Err(Broken::Reset) => {}
        Err(broken) => panic!("not done with {name:?}: {broken}"),
    }
}

#[test]
fn no_mutant_gets_through_in_doubt_or_does_harm() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(
        "
        gateway:
          admin: 127.0.0.1:0
          timeouts: { header: 30ms, idle: 15ms, body: 30ms, first-byte: 2s }
        routes: { all: { match: /**, to: 'http://{origin}' } }
        ",
        &[&origin],
    );
    let address = gateway.address();
    std::thread::scope(|scope| {
        for thread in 0..48 {
            scope.spawn(move || {
                let mut random = Random(0x1234_5678_9abc_def1 + thread * 104_729);
                for _ in 0..50 {
                    let mutant = random.mutant();
                    send(address, &mutant, &mut random);
                }
            });
        }
    });
    origin.expect_canonical();
    assert!(origin.whole_requests() > 500, "{} requests came through", origin.whole_requests());
    assert_eq!(Admin::of(&gateway).metric("menshen_panics_total"), 0);
    gateway.expect_canary();
}
