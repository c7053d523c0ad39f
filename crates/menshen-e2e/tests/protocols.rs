//! Nothing about a route or a filter differs by protocol: the same behaviour over every pair of protocols on the client's
//! and the service's side. Client and origin speak HTTP/1.1; gateways before and behind the one that is looked at
//! translate.

use std::net::SocketAddr;
use std::sync::mpsc::channel;

use menshen_e2e::{
    Authority, Broken, Client, Conversation, Gate, Origin, Response, TestGateway, reply, reply_with,
};

/// How two gateways speak to each other.
const LINKS: [&str; 4] = ["http", "https", "h2", "h2c"];

/// Client → front → (link) → looked at → (link) → back → origin.
struct Chain {
    front: TestGateway,
    _looked_at: TestGateway,
    _back: TestGateway,
}

/// The files of every gateway: who believes whom.
struct Files([(&'static str, String); 3]);

impl Files {
    fn new() -> Self {
        let authority = Authority::new("Test");
        let leaf = authority.server(&["127.0.0.1"]);
        Self([("ca.pem", authority.pem()), ("own.pem", leaf.pem()), ("own.key", leaf.key_pem())])
    }

    fn start(&self, document: &str) -> TestGateway {
        TestGateway::start_with(document, &[], &self.0)
    }
}

impl Chain {
    fn new(before: &str, behind: &str, origin: &Origin) -> Self {
        let files = Files::new();
        let back = files.start(&pass_on(behind, origin.address(), "http"));
        let looked_at = files.start(&format!(
            "
            {}
            services: {{ back: {{ {} }} }}
            routes:
              all:
                match: /**
                to: back
                trailers: [x-tail]
                filters: [ headers: {{ request: {{ set: {{ x-seen: yes }} }}, response: {{ set: {{ x-left: yes }} }} }} ]
              small: {{ match: /small, to: back, limits: {{ body: 10B }} }}
              slow: {{ match: /slow, to: back, timeouts: {{ first-byte: 100ms }} }}
              here: {{ match: /here, to: {{ respond: {{ status: 418, body: here }} }} }}
            ",
            listener(before),
            service(back.address(), behind),
        ));
        let front = files.start(&pass_on("http", looked_at.address(), before));
        Self { front, _looked_at: looked_at, _back: back }
    }

    fn client(&self) -> Client {
        Client::of(&self.front)
    }
}

/// A listener that others reach over this link.
fn listener(link: &str) -> &'static str {
    match link {
        "https" | "h2" => {
            "listeners: { web: { bind: '127.0.0.1:0', tls: { certificates: [{ chain: own.pem, key: own.key }] } } }"
        }
        _ => "listeners: { web: { bind: '127.0.0.1:0' } }",
    }
}

fn service(at: SocketAddr, link: &str) -> String {
    let tls = if matches!(link, "https" | "h2") { ", tls: { ca: ca.pem }" } else { "" };
    format!("endpoints: ['{at}'], protocol: {link}{tls}")
}

fn pass_on(from: &str, to: SocketAddr, link: &str) -> String {
    format!(
        "
        {}
        services: {{ next: {{ {} }} }}
        routes: {{ all: {{ match: /**, to: next, trailers: [x-tail] }} }}
        ",
        listener(from),
        service(to, link),
    )
}

/// Runs a behaviour over every pair of protocols.
fn over_all(behaviour: impl Fn(&str, &str)) {
    for before in LINKS {
        for behind in LINKS {
            println!("client side {before}, service side {behind}");
            behaviour(before, behind);
        }
    }
}

fn ask(client: &mut Client, request: &str) -> Response {
    client.send(request);
    client.response()
}

#[test]
fn requests_with_and_without_content_arrive_as_they_were_sent() {
    over_all(|before, behind| {
        let origin = Origin::answering(|r| reply(&format!("{} {} {}", r.method, r.target, r.text())));
        let chain = Chain::new(before, behind, &origin);
        let mut client = chain.client();
        assert_eq!(client.get("/a%20b?x=1&y=%2F").text(), "GET /a%20b?x=1&y=%2F ");
        assert_eq!(client.post("/p", "content").text(), "POST /p content");
        let chunked = "PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        assert_eq!(ask(&mut client, chunked).text(), "PUT /c abcde");
        let empty = "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(ask(&mut client, empty).text(), "POST /e ");
        let fields = "GET /f HTTP/1.1\r\nHost: b.example\r\nCookie: a=1; b=2\r\nX-One: 1\r\nX-One: 2\r\n\r\n";
        assert_eq!(ask(&mut client, fields).status, 200);
        let last = origin.requests().pop().unwrap();
        assert_eq!(last.fields.get("host"), Some("b.example"));
        assert_eq!(last.fields.get("cookie"), Some("a=1; b=2"));
        assert_eq!(last.fields.all("x-one"), ["1", "2"]);
        assert_eq!(last.fields.get("x-seen"), Some("yes"), "filters see it");
        origin.expect_canonical();
    });
}

#[test]
fn replies_of_every_kind_arrive_as_they_were_sent() {
    over_all(|before, behind| {
        let origin = Origin::answering(|r| {
            match r.target.as_str() {
            "/204" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            "/304" => "HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\n\r\n".to_owned(),
            "/head" => "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n".to_owned(),
            "/empty" => reply_with("200 OK", "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n", ""),
            "/chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nX-Tail: t\r\nX-Other: o\r\n\r\n".to_owned(),
            "/hints" => format!("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n{}", reply("final")),
            _ => reply_with("503 Service Unavailable", "Retry-After: 7\r\n", "down"),
        }
        });
        let chain = Chain::new(before, behind, &origin);
        let mut client = chain.client();
        assert_eq!(client.get("/204").status, 204);
        let not_modified = client.get("/304");
        assert_eq!((not_modified.status, not_modified.fields.get("etag")), (304, Some("\"e\"")));
        client.send("HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response_to_head().fields.get("content-length"), Some("1234"));
        assert_eq!(client.get("/empty").fields.all("set-cookie"), ["a=1", "b=2"]);
        let chunked = client.get("/chunked");
        assert_eq!((chunked.text().as_str(), chunked.trailers.get("x-tail")), ("abcd", Some("t")));
        assert_eq!(chunked.trailers.get("x-other"), None, "only what the route names");
        assert_eq!(chunked.fields.get("x-left"), Some("yes"), "filters see it");
        let hints = client.get("/hints");
        assert_eq!((hints.text().as_str(), hints.interim.len()), ("final", 1));
        let down = client.get("/down");
        assert_eq!(
            (down.status, down.fields.get("retry-after"), down.text().as_str()),
            (503, Some("7"), "down")
        );
    });
}

#[test]
fn much_content_passes_both_ways_unchanged() {
    over_all(|before, behind| {
        let origin = Origin::answering(|r| {
            let mut answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", r.body.len()).into_bytes();
            answer.extend_from_slice(&r.body);
            answer
        });
        let chain = Chain::new(before, behind, &origin);
        let mut client = chain.client();
        let content: Vec<u8> = (0..3_000_000u32).map(|n| (n * 7 % 251) as u8).collect();
        let mut sender = client.wire().clone_sender();
        let head = format!("POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", content.len());
        let sent = content.clone();
        let sending = std::thread::spawn(move || sender.send([head.as_bytes(), &sent].concat()));
        let response = client.response();
        assert!(sending.join().unwrap());
        assert!(response.body == content, "{} bytes came back", response.body.len());
    });
}

#[test]
fn refusals_of_the_gateway_itself_look_the_same() {
    over_all(|before, behind| {
        let gate = Gate::new();
        let origin = Origin::scripted({
            let gate = gate.clone();
            move |c: &mut Conversation| {
                if c.request().is_some() {
                    gate.pass();
                }
            }
        });
        let chain = Chain::new(before, behind, &origin);
        let mut client = chain.client();
        assert_eq!(client.get("/here").text(), "here");
        let large = chain.client().post("/small", "more than ten bytes");
        assert_eq!(large.status, 413);
        assert!(large.text().contains("body-too-large"));
        let slow = chain.client().get("/slow");
        assert_eq!(slow.status, 504);
        assert!(slow.text().contains("first-byte-timeout"));
        gate.open();
    });
}

#[test]
fn every_piece_of_a_stream_is_passed_on_at_once() {
    over_all(|before, behind| {
        let (next, turn) = channel::<()>();
        let turn = std::sync::Mutex::new(turn);
        let origin = Origin::scripted(move |c| {
            if c.request().is_none() {
                return;
            }
            c.send(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            );
            for n in 0..3 {
                c.send(format!("8\r\ndata: {n}\n\r\n"));
                let _ = turn.lock().unwrap().recv();
            }
            c.send("0\r\n\r\n");
        });
        let chain = Chain::new(before, behind, &origin);
        let mut client = chain.client();
        client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.head().unwrap().status, 200);
        for n in 0..3 {
            while !String::from_utf8_lossy(client.wire().pending()).contains(&format!("data: {n}")) {
                client.wire().read_more().unwrap();
            }
            next.send(()).unwrap();
        }
    });
}

#[test]
fn an_answer_that_was_cut_is_seen_to_be_cut() {
    over_all(|before, behind| {
        let origin = Origin::scripted(|c| {
            if let Some(request) = c.request() {
                match request.target.as_str() {
                    "/length" => c.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
                    _ => c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
                };
            }
        });
        let chain = Chain::new(before, behind, &origin);
        for target in ["/length", "/chunked"] {
            let mut client = chain.client();
            client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
            match client.try_response() {
                Err(Broken::Truncated(_) | Broken::Reset) => {}
                // The reset overtook the head.
                Ok(response) if response.status == 502 => {}
                other => panic!("{before} {behind} {target}: {other:?}"),
            }
        }
    });
}

#[test]
fn a_client_that_leaves_is_felt_by_the_service() {
    over_all(|before, behind| {
        let (asked, left) = (Gate::new(), Gate::new());
        let origin = Origin::scripted({
            let (asked, left) = (asked.clone(), left.clone());
            move |c| {
                if c.request().is_some() {
                    asked.open();
                    c.wait_for_close();
                    left.open();
                }
            }
        });
        let chain = Chain::new(before, behind, &origin);
        let mut client = chain.client();
        client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
        asked.pass();
        drop(client);
        left.pass();
    });
}
