//! Two answers to the question where a body ends (dangers 1): CL.TE, TE.CL, TE.TE.

use menshen_e2e::{Client, Probe};

fn post(fields: &str, body: &str) -> Vec<u8> {
    format!("POST /pub HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}").into_bytes()
}

#[test]
fn a_request_with_two_framings_is_refused_whatever_their_order() {
    let probe = Probe::new();
    for fields in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "transfer-encoding: CHUNKED\r\ncontent-length: 6\r\n",
    ] {
        probe.expect_refused(&post(fields, "0\r\n\r\nX"), "400 two-framings");
    }
}

#[test]
fn a_content_length_that_is_not_one_plain_number_is_refused() {
    let probe = Probe::new();
    for value in [
        "5, 10", "5,5", "+5", "-0", "-1", "0x5", "1_0", "005", "00", "", "5 5", "5;", "5.0", "1e1", "\"5\"",
        "５",
    ] {
        probe.expect_refused(
            &post(&format!("Content-Length: {value}\r\n"), "hello"),
            "400 bad-content-length",
        );
    }
    for value in ["18446744073709551616", "99999999999999999999999999"] {
        probe.expect_refused(
            &post(&format!("Content-Length: {value}\r\n"), "hello"),
            "400 bad-content-length",
        );
    }
}

#[test]
fn a_repeated_content_length_is_refused_even_if_equal() {
    let probe = Probe::new();
    for (a, b) in [("5", "10"), ("5", "5"), ("", "59"), ("59", ""), ("0", "5")] {
        let fields = format!("Content-Length: {a}\r\nContent-Length: {b}\r\n");
        probe.expect_refused(&post(&fields, "hello"), "400 bad-content-length");
    }
}

#[test]
fn only_a_single_chunked_is_accepted_as_transfer_encoding() {
    let probe = Probe::new();
    for (value, outcome) in [
        ("identity", "501 unknown-transfer-coding"),
        ("gzip", "501 unknown-transfer-coding"),
        ("xchunked", "501 unknown-transfer-coding"),
        ("identity, chunked", "501 unknown-transfer-coding"),
        ("gzip, chunked", "501 unknown-transfer-coding"),
        ("chunked, identity", "400 bad-transfer-encoding"),
        (",chunked", "400 bad-transfer-encoding"),
        ("chunked,", "400 bad-transfer-encoding"),
        ("chunked,chunked", "400 bad-transfer-encoding"),
        ("", "400 bad-transfer-encoding"),
        ("\"chunked\"", "400 bad-transfer-encoding"),
        ("chunked;q=1", "400 bad-transfer-encoding"),
        ("\x0bchunked", "400 bad-field-value"),
        ("chunked\0", "400 bad-field-value"),
        ("chu\rnked", "400 bad-field-value"),
    ] {
        let bytes = post(&format!("Transfer-Encoding: {value}\r\n"), "0\r\n\r\nX");
        probe.expect_refused(&bytes, outcome);
    }
}

#[test]
fn transfer_encoding_lines_that_others_might_read_are_refused() {
    let probe = Probe::new();
    for (fields, outcome) in [
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "400 bad-transfer-encoding"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "400 bad-transfer-encoding"),
        ("Transfer-Encoding : chunked\r\n", "400 bad-field-line"),
        ("Transfer-Encoding:\r\n chunked\r\n", "400 bad-field-line"),
        ("X: y\r\n Transfer-Encoding: chunked\r\n", "400 bad-field-line"),
        ("Transfer_Encoding: chunked\r\n", "400 underscore-in-field-name"),
        ("Content_Length: 5\r\n", "400 underscore-in-field-name"),
    ] {
        probe.expect_refused(&post(fields, "0\r\n\r\nX"), outcome);
    }
}

#[test]
fn chunked_in_http_1_0_is_refused() {
    let bytes = b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    Probe::new().expect_refused(bytes, "400 bad-transfer-encoding");
}

#[test]
fn what_follows_a_refused_request_is_never_a_request() {
    let probe = Probe::new();
    let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    probe.expect_refused(
        &post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", smuggled),
        "400 two-framings",
    );
    assert!(probe.origin.requests().iter().all(|r| r.target != "/smuggled"));
}

#[test]
fn bodies_of_either_framing_arrive_whole_and_the_next_request_starts_behind_them() {
    let probe = Probe::new();
    let mut client = Client::of(&probe.gateway);
    client.send(post("Content-Length: 5\r\n", "hello"));
    client.send(post("Transfer-Encoding: chunked\r\n", "3\r\nhel\r\n02\r\nlo\r\n0\r\n\r\n"));
    client.send("POST /empty HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    client.send("GET /last HTTP/1.1\r\nHost: a\r\n\r\n");
    let texts: Vec<String> = (0..4).map(|_| client.response().text()).collect();
    assert_eq!(texts, ["POST /pub\nhello", "POST /pub\nhello", "POST /empty\n", "GET /last\n"]);
    let seen = probe.origin.requests();
    assert_eq!(seen[0].fields.get("content-length"), Some("5"));
    assert_eq!(seen[1].fields.get("transfer-encoding"), Some("chunked"));
    assert_eq!(seen[2].fields.get("content-length"), Some("0"));
    assert!(!seen[3].fields.has("content-length"));
    probe.origin.expect_canonical();
}
