//! A strict reader of chunks (dangers 4): what is malformed is refused, what is legal is written anew.

use menshen_e2e::{Client, Origin, Probe, TestGateway};

fn chunked(body: &str) -> Vec<u8> {
    format!("POST /pub HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}").into_bytes()
}

#[test]
fn a_malformed_chunk_head_ends_the_exchange() {
    let probe = Probe::new();
    for body in [
        "5;\nhello\r\n0\r\n\r\n",
        "5\r\r;a\r\nhello\r\n0\r\n\r\n",
        "5;a\rX\r\nhello\r\n0\r\n\r\n",
        "5;\0ext\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "\t5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "-1\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "1_0\r\nhello\r\n0\r\n\r\n",
        "5z\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        ";a\r\nhello\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFF0\r\nhello\r\n0\r\n\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5\r\nhello\r\n0\n\n",
        "5\r\nhello\r\n0\r\n\n",
        "0\r\nX:POST / HTTP/1.1\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\n folded: y\r\n\r\n",
        "0\r\nno colon\r\n\r\n",
    ] {
        probe.expect_broken_off(&chunked(body), "400 bad-chunk");
    }
}

#[test]
fn what_follows_a_malformed_chunk_is_never_a_request() {
    let probe = Probe::new();
    let body = "5\r\nhello\r\n0\n\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    probe.expect_broken_off(&chunked(body), "400 bad-chunk");
    assert!(probe.origin.requests().iter().all(|r| r.target != "/smuggled"));
}

#[test]
fn endless_extensions_are_refused() {
    let probe = Probe::new();
    let one = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(64 * 1024));
    probe.expect_broken_off(&chunked(&one), "400 bad-chunk");
    let many = format!("1;{}\r\nx\r\n", "y".repeat(4 * 1024)).repeat(256) + "0\r\n\r\n";
    probe.expect_broken_off(&chunked(&many), "400 bad-chunk");
}

#[test]
fn legal_extensions_and_zeros_do_not_reach_the_service() {
    let probe = Probe::new();
    for body in
        ["5;a=b\r\nhello\r\n0;c\r\n\r\n", "05\r\nhello\r\n000\r\n\r\n", "5;q=\"x;y\"\r\nhello\r\n0\r\n\r\n"]
    {
        let response = Client::of(&probe.gateway).send(chunked(body)).response();
        assert_eq!((response.status, response.text().as_str()), (200, "POST /pub\nhello"), "{body:?}");
    }
    probe.origin.expect_canonical();
}

#[test]
fn request_trailers_do_not_reach_the_service() {
    let probe = Probe::new();
    let body = "5\r\nhello\r\n0\r\nContent-Length: 3\r\nHost: b\r\nAuthorization: x\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";
    let response = Client::of(&probe.gateway).send(chunked(body)).response();
    assert_eq!(response.text(), "POST /pub\nhello");
    let sent = String::from_utf8(probe.origin.bytes().concat()).unwrap();
    assert!(sent.ends_with("hello\r\n0\r\n\r\n"), "{sent}");
    assert!(!sent.contains("Authorization") && !sent.contains("1.2.3.4"), "{sent}");
}

#[test]
fn response_trailers_are_dropped() {
    let origin = Origin::answering(|_| {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Set-Cookie\r\n\r\n\
         2\r\nhi\r\n0\r\nSet-Cookie: a=b\r\nContent-Length: 7\r\n\r\n"
    });
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    for _ in 0..2 {
        let response = client.get("/");
        assert_eq!((response.text().as_str(), response.trailers.0.len()), ("hi", 0));
        assert!(!response.fields.has("trailer"));
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_response_in_malformed_chunks_ends_visibly_incomplete() {
    for body in
        ["5\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\n\n", "zz\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n"]
    {
        let origin = Origin::answering(move |_| {
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n{body}")
        });
        let gateway = TestGateway::in_front_of(&origin);
        let outcome = Client::of(&gateway).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").try_response();
        assert!(outcome.is_err(), "{body:?}: {outcome:?}");
        assert_eq!(
            Client::of(&gateway).send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").response_to_head().status,
            200
        );
    }
}
