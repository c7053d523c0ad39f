//! Illegal bytes in request heads (dangers 6): nothing is repaired.

use menshen_e2e::{Client, Origin, Probe, TestGateway};

#[test]
fn a_request_needs_exactly_one_valid_host() {
    let probe = Probe::new();
    for (fields, outcome) in [
        ("", "400 host-missing"),
        ("Host: a\r\nHost: b\r\n", "400 host-repeated"),
        ("Host: a\r\nHost: a\r\n", "400 host-repeated"),
        ("Host: a\r\nhost: a\r\n", "400 host-repeated"),
        ("Host:\r\n", "400 host-invalid"),
        ("Host: a@b\r\n", "400 host-invalid"),
        ("Host: a/b\r\n", "400 host-invalid"),
        ("Host: a, b\r\n", "400 host-invalid"),
        ("Host: a b\r\n", "400 host-invalid"),
        ("Host: a:99999\r\n", "400 host-invalid"),
        ("Host: a:b\r\n", "400 host-invalid"),
        ("Host: [::1\r\n", "400 host-invalid"),
        ("Host: a?b\r\n", "400 host-invalid"),
        ("Host: a#b\r\n", "400 host-invalid"),
        ("Host: a\\b\r\n", "400 host-invalid"),
    ] {
        probe.expect_refused(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes(), outcome);
    }
}

#[test]
fn malformed_field_lines_are_refused() {
    let probe = Probe::new();
    let rows: [(&[u8], &str); 17] = [
        (b"X\0: y", "400 bad-field-line"),
        (b"X: a\rb", "400 bad-field-value"),
        (b"X: a\0b", "400 bad-field-value"),
        (b"X: a\x01b", "400 bad-field-value"),
        (b"X: a\x7fb", "400 bad-field-value"),
        (b"X: a\nY: b", "400 bare-line-feed"),
        (b"X : y", "400 bad-field-line"),
        (b"X\t: y", "400 bad-field-line"),
        (b": y", "400 bad-field-line"),
        (b"no colon", "400 bad-field-line"),
        (b"X[]: y", "400 bad-field-line"),
        (b"X(: y", "400 bad-field-line"),
        (b"\"X\": y", "400 bad-field-line"),
        (b"\xefX: y", "400 bad-field-line"),
        (b"X: y\r\n folded", "400 bad-field-line"),
        (b"X: y\r\n\tfolded", "400 bad-field-line"),
        (b"X_Y: z", "400 underscore-in-field-name"),
    ];
    for (line, outcome) in rows {
        probe.expect_refused(&[b"GET / HTTP/1.1\r\nHost: a\r\n", line, b"\r\n\r\n"].concat(), outcome);
    }
    probe.expect_refused(b"GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n", "400 bad-field-line");
}

#[test]
fn bare_line_feeds_end_no_line() {
    let probe = Probe::new();
    for bytes in ["GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n"] {
        probe.expect_refused(bytes.as_bytes(), "400 bare-line-feed");
    }
    probe.expect_refused(b"GET / HTTP/1.1\r\nHost: a\r\n\n", "400 bare-line-feed");
}

#[test]
fn malformed_request_lines_are_refused() {
    let probe = Probe::new();
    let rows: [(&[u8], &str); 20] = [
        (b"GET  / HTTP/1.1", "400 bad-start-line"),
        (b"GET /  HTTP/1.1", "400 bad-start-line"),
        (b"GET / HTTP/1.1 ", "400 bad-start-line"),
        (b" GET / HTTP/1.1", "400 bad-start-line"),
        (b"GET\t/\tHTTP/1.1", "400 bad-start-line"),
        (b"GET\t/ HTTP/1.1", "400 bad-start-line"),
        (b"GET / http/1.1", "400 bad-start-line"),
        (b"GET /", "400 bad-start-line"),
        (b"G\0T / HTTP/1.1", "400 bad-start-line"),
        (b"GE(T / HTTP/1.1", "400 bad-start-line"),
        (b"GET /a b HTTP/1.1", "400 bad-start-line"),
        (b"GET / HTTP/1.10", "400 bad-start-line"),
        (b"GET / HTTP/9.9", "505 unsupported-version"),
        (b"GET / HTTP/2.0", "505 unsupported-version"),
        (b"GET / HTTP/1.2", "505 unsupported-version"),
        (b"GET /\x80 HTTP/1.1", "400 bad-start-line"),
        (b"GET /\xc3\xa4 HTTP/1.1", "400 bad-target-bytes"),
        (b"GET /\0 HTTP/1.1", "400 bad-start-line"),
        (b"GET /a#b HTTP/1.1", "400 bad-target-bytes"),
        (b"PRI * HTTP/2.0", "505 unsupported-version"),
    ];
    for (line, outcome) in rows {
        probe.expect_refused(&[line, b"\r\nHost: a\r\n\r\n"].concat(), outcome);
    }
}

#[test]
fn heads_beyond_the_limits_are_refused() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(
        "
        gateway:
          limits: { head: 2KiB, fields: 10, target: 100B }
        routes: { all: { match: /**, to: 'http://{origin}' } }
        ",
        &[&origin],
    );
    let probe = Probe { gateway, origin };
    let head = |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let long = "x".repeat(101);
    probe.expect_refused(head(&format!("/{long}"), "").as_bytes(), "414 target-too-long");
    probe.expect_refused(head("/", &"A: b\r\n".repeat(10)).as_bytes(), "431 too-many-fields");
    probe.expect_refused(head("/", &format!("A: {}\r\n", "b".repeat(3000))).as_bytes(), "431 head-too-large");
    // The limit holds without an end of the head in sight.
    probe.expect_refused(
        format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(40_000)).as_bytes(),
        "431 head-too-large",
    );
    probe.expect_refused(format!("GET /{}", "b".repeat(40_000)).as_bytes(), "414 target-too-long");
    assert_eq!(Client::of(&probe.gateway).send(head("/", &"A: b\r\n".repeat(9))).response().status, 200);
}

#[test]
fn white_space_around_values_is_trimmed_and_nothing_else_changes() {
    let probe = Probe::new();
    let head =
        b"GET /x?a=%20&b HTTP/1.1\r\nhOsT:\t a \t\r\nX-Odd:  a  b\t \r\nx-Empty:\r\nX-High: \xe4\r\n\r\n";
    assert_eq!(Client::of(&probe.gateway).send(head).response().status, 200);
    let bytes = probe.origin.bytes().concat();
    let contains = |piece: &[u8]| bytes.windows(piece.len()).any(|w| w == piece);
    assert!(bytes.starts_with(b"GET /x?a=%20&b HTTP/1.1\r\n"));
    for line in [
        &b"\r\nx-forwarded-host: a\r\n"[..],
        b"\r\nX-Odd: a  b\r\n",
        b"\r\nx-Empty: \r\n",
        b"\r\nX-High: \xe4\r\n",
    ] {
        assert!(contains(line), "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn one_empty_line_before_a_request_is_forgiven() {
    let probe = Probe::new();
    let mut client = Client::of(&probe.gateway);
    client.send("\r\n");
    assert_eq!(client.get("/a").text(), "GET /a\n");
    client.send("\r\n");
    assert_eq!(client.get("/b").text(), "GET /b\n");
}
