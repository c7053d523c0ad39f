//! Content over TLS, toward the client and toward the service: whole, in time, and cut where it was cut.

use std::hash::{DefaultHasher, Hash, Hasher};

use menshen_e2e::{
    Authority, Broken, Client, Conversation, Dialer, Gate, Keeper, Origin, TestGateway, eventually, reply,
    settled,
};

/// TLS on both sides of the gateway.
struct Secure {
    origin: Origin,
    gateway: TestGateway,
}

impl Secure {
    fn new(script: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        let authority = Authority::new("test");
        let (front, back) = (authority.server(&["a.example"]), authority.server(&["127.0.0.1"]));
        let origin = Origin::over_tls(&Keeper::of(&back), script);
        let document = "
            gateway:
              limits: { body: none }
            listeners:
              https: { bind: '127.0.0.1:0', tls: { certificates: [{ chain: a.pem, key: a.key }] } }
            services: { safe: { endpoints: ['{origin}'], tls: { ca: ca.pem } } }
            routes: { all: { match: /**, to: safe } }
        ";
        let files = [("a.pem", front.pem()), ("a.key", front.key_pem()), ("ca.pem", authority.pem())];
        let gateway = TestGateway::start_with(document, &[&origin], &files);
        Self { origin, gateway }
    }

    fn client(&self) -> Client {
        Dialer::new().dial(self.gateway.address(), "a.example").unwrap()
    }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
const MIB: usize = 1024 * 1024;

fn content(n: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..n).map(|_| next()).collect()
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn large_content_comes_whole_both_ways() {
    let secure = Secure::new(|c| {
        while let Some(request) = c.request() {
            c.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len()));
            c.send(request.body);
        }
    });
    let mut client = secure.client();
    for n in [0, 1, 16 * 1024, 16 * 1024 + 1, 300 * 1024, 8 * MIB] {
        let sent = content(n);
        client.send(format!("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {n}\r\n\r\n"));
        client.send(&sent);
        let got = client.response();
        assert_eq!((got.status, got.body.len(), hash(&got.body)), (200, n, hash(&sent)), "{n}");
    }
    assert_eq!(secure.origin.connections(), 1);
    secure.origin.expect_canonical();
}

#[test]
fn chunked_content_comes_whole_both_ways() {
    let secure = Secure::new(|c| {
        while let Some(request) = c.request() {
            c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for piece in request.body.chunks(70_000) {
                c.send(format!("{:x}\r\n", piece.len()));
                c.send(piece);
                c.send("\r\n");
            }
            c.send("0\r\n\r\n");
        }
    });
    let mut client = secure.client();
    let sent = content(2 * MIB);
    client.send("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in sent.chunks(50_001) {
        client.send(format!("{:x}\r\n", piece.len())).send(piece).send("\r\n");
    }
    client.send("0\r\n\r\n");
    let got = client.response();
    assert_eq!((got.body.len(), hash(&got.body)), (sent.len(), hash(&sent)));
}

#[test]
fn a_client_that_reads_slowly_holds_up_the_service_and_still_gets_everything() {
    const WHOLE: usize = 64 * MIB;
    let secure = Secure::new(|c| {
        c.request();
        c.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {WHOLE}\r\n\r\n"));
        let piece = content(64 * 1024);
        let mut left = WHOLE;
        while left > 0 {
            let n = c.send_some(&piece[..piece.len().min(left)]);
            if n == 0 {
                return;
            }
            left -= n;
        }
    });
    let mut client = secure.client();
    client.send(GET);
    let head = client.head().unwrap();
    assert_eq!(head.status, 200);
    let held = settled(|| secure.origin.written());
    assert!(held < WHOLE as u64 / 2, "{held} bytes are somewhere");
    let mut got = 0;
    while got < WHOLE {
        got += client.wire().take((WHOLE - got).min(MIB)).unwrap().len();
    }
}

#[test]
fn a_service_that_reads_slowly_holds_up_the_client() {
    let go = Gate::new();
    let secure = Secure::new({
        let go = go.clone();
        move |c| {
            let head = c.head().unwrap();
            go.pass();
            let request = c.content(head).unwrap();
            c.send(reply(&hash(&request.body).to_string()));
        }
    });
    let sent = content(32 * MIB);
    let mut client = secure.client();
    client.send(format!("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {}\r\n\r\n", sent.len()));
    let expected = hash(&sent).to_string();
    let sender = std::thread::spawn(move || {
        client.send(&sent);
        client.response().text()
    });
    eventually("the head is there", || secure.origin.requests().len() == 1);
    assert!(!sender.is_finished());
    go.open();
    assert_eq!(sender.join().unwrap(), expected);
}

#[test]
fn what_the_service_cuts_is_cut_for_the_client() {
    for framing in ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n"] {
        let secure = Secure::new(move |c| {
            c.request();
            c.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n"));
            c.send("7\r\npartial");
            c.wire().cut();
        });
        let mut client = secure.client();
        client.send(GET);
        let outcome = client.try_response();
        assert!(
            matches!(outcome, Err(Broken::Truncated(_) | Broken::Cut(_) | Broken::Reset)),
            "{framing}: {outcome:?}"
        );
    }
}

#[test]
fn what_ends_with_the_farewell_of_tls_is_whole() {
    let secure = Secure::new(|c| {
        c.request();
        c.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it");
        c.wire().half_close();
    });
    let mut client = secure.client();
    client.send(GET);
    assert_eq!(client.response().text(), "all of it");
}

#[test]
fn a_client_that_cuts_its_content_is_no_client_that_ended_it() {
    let secure = Secure::new(|c| {
        c.request();
    });
    let mut client = secure.client();
    client.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\n12345");
    client.wire().cut();
    client.expect_closed();
    eventually("the service sees the end", || secure.origin.open_connections() == 0);
    assert_eq!(secure.origin.whole_requests(), 0);
}

#[test]
fn an_event_is_there_before_the_next_one_is_made() {
    let seen = Gate::new();
    let secure = Secure::new({
        let seen = seen.clone();
        move |c| {
            c.request();
            c.send(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            );
            for i in 0..5 {
                c.send(format!("9\r\ndata: {i}\n\n\r\n"));
                seen.pass();
            }
            c.send("0\r\n\r\n");
        }
    });
    let mut client = secure.client();
    client.send(GET);
    client.head().unwrap();
    for i in 0..5 {
        assert_eq!(client.wire().line().unwrap(), "9");
        assert_eq!(client.wire().take(11).unwrap(), format!("data: {i}\n\n\r\n").into_bytes());
        seen.open();
    }
    assert_eq!(client.wire().line().unwrap(), "0");
}

#[test]
fn an_interim_response_comes_before_the_final_one_is_made() {
    let seen = Gate::new();
    let secure = Secure::new({
        let seen = seen.clone();
        move |c| {
            c.request();
            c.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
            seen.pass();
            c.send(reply("final"));
        }
    });
    let mut client = secure.client();
    client.send(GET);
    assert_eq!(client.head().unwrap().status, 103);
    seen.open();
    assert_eq!(client.response().text(), "final");
}

#[test]
fn a_websocket_is_carried_over_tls_both_ways() {
    const SWITCH: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let secure = Secure::new(|c| {
        c.head();
        c.send(format!("HTTP/1.1 101 Switching Protocols\r\n{SWITCH}\r\ngreeting"));
        while let Ok(piece) = c.wire().take(4) {
            c.send(piece.to_ascii_uppercase());
        }
        c.wire().half_close();
    });
    let mut client = secure.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: a.example\r\n{SWITCH}\r\n"));
    assert_eq!(client.head().unwrap().status, 101);
    assert_eq!(client.wire().take(8).unwrap(), b"greeting");
    for word in ["ping", "pong", "last"] {
        client.send(word);
        assert_eq!(client.wire().take(4).unwrap(), word.to_uppercase().into_bytes());
    }
    client.half_close();
    assert_eq!(client.rest(), Ok(Vec::new()));
    eventually("both sides are closed", || secure.origin.open_connections() == 0);
}

#[test]
fn pipelined_requests_in_one_record_are_answered_in_order() {
    let secure = Secure::new(|c| {
        while let Some(request) = c.request() {
            c.send(reply(&request.target));
        }
    });
    let mut client = secure.client();
    let all: String = (0..10).map(|i| format!("GET /{i} HTTP/1.1\r\nHost: a.example\r\n\r\n")).collect();
    client.send(all);
    for i in 0..10 {
        assert_eq!(client.response().text(), format!("/{i}"));
    }
}

#[test]
fn a_client_that_leaves_while_it_waits_is_noticed() {
    let secure = Secure::new(|c| {
        c.request();
        c.wait_for_close();
    });
    let mut client = secure.client();
    client.send(GET);
    eventually("the request is there", || secure.origin.requests().len() == 1);
    drop(client);
    eventually("the service is told", || secure.origin.open_connections() == 0);
}
