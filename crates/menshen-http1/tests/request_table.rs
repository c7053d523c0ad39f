//! Request heads byte by byte: what is refused and why, and what must pass.

mod support;

use menshen_http1::HeadError::{self, *};
use menshen_http1::{FieldName, HeadLimits, Method, Parsed, RequestHead, Underscores};
use support::{check_rows, refused, request, request_facts};

/// The name of the behaviour, the bytes, and why they are refused.
type Refused = (&'static str, &'static [u8], HeadError);

/// Whole heads.
const BYTES: &[Refused] = &[
    ("chunked in HTTP/1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", TransferEncoding),
    ("no Host", b"GET / HTTP/1.1\r\nX: y\r\n\r\n", HostMissing),
    ("no field at all", b"GET / HTTP/1.1\r\n\r\n", HostMissing),
    ("two equal Hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HostRepeated),
    ("two different Hosts", b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", HostRepeated),
    ("two Hosts in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", HostRepeated),
    ("an empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", HostInvalid),
    ("Host with user information", b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", HostInvalid),
    ("Host with a path", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HostInvalid),
    ("a list of Hosts", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", HostInvalid),
    ("Host with a port beyond 65535", b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", HostInvalid),
    ("Host with two ports", b"GET / HTTP/1.1\r\nHost: a:80:81\r\n\r\n", HostInvalid),
    ("Host with a space", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HostInvalid),
    ("Host with obs-text", b"GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n", HostInvalid),
    ("Host in HTTP/1.0 with a path", b"GET / HTTP/1.0\r\nHost: a/b\r\n\r\n", HostInvalid),
    ("NUL in a name", b"GET / HTTP/1.1\r\nHost: a\r\nX\0: y\r\n\r\n", FieldLine),
    ("NUL in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: \0y\r\n\r\n", FieldValue),
    ("DEL in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n", FieldValue),
    ("ESC in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x1bb\r\n\r\n", FieldValue),
    ("a bare CR in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", FieldValue),
    ("CR CR LF behind a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n", FieldValue),
    ("a bare LF in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n", BareLineFeed),
    ("a bare LF behind an empty value", b"GET / HTTP/1.1\r\nHost: a\r\nX:\nY: b\r\n\r\n", BareLineFeed),
    ("a bare LF behind blanks", b"GET / HTTP/1.1\r\nHost: a\r\nX: \t\n\r\n", BareLineFeed),
    ("a bare LF behind the start line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", BareLineFeed),
    ("a bare LF as the empty line", b"GET / HTTP/1.1\r\nHost: a\r\n\n", BareLineFeed),
    ("bare LF everywhere", b"GET / HTTP/1.1\nHost: a\n\n", BareLineFeed),
    ("a space before the colon", b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", FieldLine),
    ("a space before the first field", b"GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n", FieldLine),
    ("a tab before the first field", b"GET / HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n", FieldLine),
    ("a folded line", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", FieldLine),
    ("a folded Host", b"GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n", FieldLine),
    ("an empty name", b"GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n", FieldLine),
    ("a line without a colon", b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", FieldLine),
    ("brackets in a name", b"GET / HTTP/1.1\r\nHost: a\r\nX[]: y\r\n\r\n", FieldLine),
    ("obs-text in a name", b"GET / HTTP/1.1\r\nHost: a\r\n\xefX: y\r\n\r\n", FieldLine),
    ("an underscore in a name", b"GET / HTTP/1.1\r\nHost: a\r\nX_User: y\r\n\r\n", Underscore),
    ("a bare CR before the end", b"GET / HTTP/1.1\r\nHost: a\r\n\rX", StartLine),
    ("two spaces before the target", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("two spaces before the version", b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("a space behind the version", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", StartLine),
    ("a space before the method", b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("tabs between the words", b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("a tab before the version", b"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("no target", b"GET HTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("no method", b"/ HTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("a method that is no token", b"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("a CR behind the version", b"GET / HTTP/1.1\rHost: a\r\n\r\n", StartLine),
    ("an empty line first", b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("HTTP/0.9", b"GET /\r\nHost: a\r\n\r\n", StartLine),
    ("HTTP/1.10", b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", StartLine),
    ("a version in lower case", b"GET / http/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("a version without number", b"GET / HTTP/\r\nHost: a\r\n\r\n", StartLine),
    ("another protocol", b"GET / ICAP/1.0\r\nHost: a\r\n\r\n", StartLine),
    ("a space in the target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("a request in the target", b"GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("HTTP/9.9", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", Version),
    ("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", Version),
    ("HTTP/2.0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Version),
    ("HTTP/2", b"GET / HTTP/2\r\nHost: a\r\n\r\n", Version),
    ("NUL in the target", b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("DEL in the target", b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("broken UTF-8 in the target", b"GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
    ("UTF-8 in the target", b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", TargetBytes),
    ("a fragment in the target", b"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", TargetBytes),
    ("TLS on the plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", StartLine),
];

/// Whole heads that must pass, and what is read of them.
const GOOD: &[(&str, &[u8], &str)] = &[
    ("the shortest", b"GET / HTTP/1.1\r\nHost:a\r\n\r\n", "GET / 1.1 fields=1 none keep-alive"),
    (
        "a length",
        b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        "POST /p 1.1 fields=2 length=5 keep-alive",
    ),
    (
        "length zero",
        b"POST /p HTTP/1.1\r\nHost: a\r\ncontent-length:0\r\n\r\n",
        "POST /p 1.1 fields=2 length=0 keep-alive",
    ),
    (
        "a length with blanks around",
        b"PUT /p HTTP/1.1\r\nHost: a\r\nContent-Length: \t5 \t\r\n\r\n",
        "PUT /p 1.1 fields=2 length=5 keep-alive",
    ),
    ("a length in HTTP/1.0", b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n", "POST / 1.0 fields=1 length=5"),
    (
        "a large length",
        b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n",
        "PUT / 1.1 fields=2 length=9999999999999999999 keep-alive",
    ),
    (
        "chunked in any case",
        b"POST / HTTP/1.1\r\nHost: a\r\ntransfer-ENCODING: ChunkeD\r\n\r\n",
        "POST / 1.1 fields=2 chunked keep-alive",
    ),
    (
        "absolute form",
        b"GET http://a:80/x?y HTTP/1.1\r\nHost: a:80\r\n\r\n",
        "GET http://a:80/x?y 1.1 fields=1 none keep-alive",
    ),
    (
        "OPTIONS of the whole server",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * 1.1 fields=1 none keep-alive",
    ),
    ("HTTP/1.0 without a field", b"GET / HTTP/1.0\r\n\r\n", "GET / 1.0 fields=0 none"),
    (
        "HTTP/1.0 that stays open",
        b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
        "GET / 1.0 fields=1 none keep-alive",
    ),
    ("close", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", "GET / 1.1 fields=2 none"),
    (
        "close wins over keep-alive",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n",
        "GET / 1.1 fields=3 none",
    ),
    (
        "an upgrade",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "GET / 1.1 fields=3 none keep-alive upgrade",
    ),
    (
        "Upgrade that Connection does not name",
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n",
        "GET / 1.1 fields=2 none keep-alive",
    ),
    (
        "Connection naming an absent Upgrade",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
        "GET / 1.1 fields=2 none keep-alive",
    ),
    (
        "an upgrade in HTTP/1.0",
        b"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "GET / 1.0 fields=2 none",
    ),
    (
        "an expectation",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        "POST / 1.1 fields=3 length=5 keep-alive continue",
    ),
    (
        "an expectation in other case",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n",
        "POST / 1.1 fields=3 chunked keep-alive continue",
    ),
    (
        "an expectation without content",
        b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        "GET / 1.1 fields=2 none keep-alive",
    ),
    (
        "an expectation in HTTP/1.0",
        b"POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        "POST / 1.0 fields=2 length=5",
    ),
    (
        "a method of any token",
        b"M-SEARCH!#$%&'*+.^_`|~09 / HTTP/1.1\r\nHost: a\r\n\r\n",
        "M-SEARCH!#$%&'*+.^_`|~09 / 1.1 fields=1 none keep-alive",
    ),
    (
        "a target of all legal bytes",
        b"GET /!\"$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /!\"$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~ 1.1 fields=1 none keep-alive",
    ),
    (
        "IPv6 in Host",
        b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n\r\n",
        "GET / 1.1 fields=1 none keep-alive",
    ),
];

#[test]
fn bytes_that_parsers_read_differently_are_refused() {
    check_rows(BYTES, |(name, head, expected)| refused(name, head, *expected));
}

#[test]
fn good_heads_pass_and_leave_what_follows_them() {
    check_rows(GOOD, |(name, head, expected)| {
        let with_more = [head, &b"0\r\n\r\nGET /next HTTP/1.1\r\n"[..]].concat();
        match request(&with_more) {
            Ok(Some((read, len))) if request_facts(&read) == *expected && len == head.len() => Ok(()),
            Ok(Some((read, len))) => Err(format!("{name}: {len} bytes, {}", request_facts(&read))),
            other => Err(format!("{name}: {:?}", other.map(|_| "waits for more"))),
        }
    });
}

#[test]
fn every_prefix_of_a_good_head_waits_for_more() {
    check_rows(GOOD, |(name, head, _)| {
        let early = (0..head.len()).find(|n| !matches!(request(&head[..*n]), Ok(None)));
        early.map_or(Ok(()), |n| Err(format!("{name}: decided after {n} bytes")))
    });
}

#[test]
fn a_refusal_is_never_taken_back_by_more_bytes() {
    check_rows(BYTES, |(name, head, _)| {
        let first = (0..=head.len()).find(|n| request(&head[..*n]).is_err()).unwrap_or(0);
        let taken_back = (first..=head.len()).find(|n| request(&head[..*n]).is_ok());
        taken_back.map_or(Ok(()), |n| Err(format!("{name}: refused after {first} bytes, not after {n}")))
    });
}

#[test]
fn values_keep_every_legal_byte_and_lose_only_the_blanks_around_them() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nEmpty:\r\nBlank: \t \r\nText: \t\x80 \xffz\t~ \t\r\nEMPTY: last\r\n\r\n";
    let (head, _) = request(head).unwrap().unwrap();
    let fields: Vec<(&[u8], &[u8])> = head.fields.iter().map(|f| (f.name, f.value)).collect();
    let expected: [(&[u8], &[u8]); 5] =
        [(b"Host", b"a"), (b"Empty", b""), (b"Blank", b""), (b"Text", b"\x80 \xffz\t~"), (b"EMPTY", b"last")];
    assert_eq!(fields, expected);
    assert_eq!(head.fields.all_named(b"empty").collect::<Vec<_>>(), [&b""[..], b"last"]);
}

#[test]
fn names_with_an_underscore_are_dropped_or_kept_when_so_configured() {
    let src = b"POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 9\r\nX_User: root\r\nContent-Length: 5\r\n\r\n";
    let mut head = RequestHead::default();
    head.parse(src, &HeadLimits::default(), Underscores::Drop).unwrap();
    assert_eq!(request_facts(&head), "POST / 1.1 fields=2 length=5 keep-alive");
    assert_eq!(head.fields.get_named(b"X_User"), None);
    head.parse(src, &HeadLimits::default(), Underscores::Allow).unwrap();
    assert_eq!(head.fields.get_named(b"X_User"), Some(&b"root"[..]));
}

#[test]
fn nothing_of_an_earlier_head_is_seen_through_a_refused_or_unfinished_one() {
    let limits = HeadLimits::default();
    let first = b"DELETE /secret HTTP/1.1\r\nHost: a\r\nCookie: id=1\r\nContent-Length: 9\r\n\r\n";
    for second in
        [&b""[..], b"GET", b"GET\0", b"GET / HTTP/1.1\r\nHost: b\r\nX\r\n\r\n", b"\r\nGET / HTTP/1.1\r\n\r\n"]
    {
        let mut head = RequestHead::default();
        assert_eq!(head.parse(first, &limits, Underscores::Refuse), Ok(Parsed::Complete(first.len())));
        assert_ne!(head.parse(second, &limits, Underscores::Refuse), Ok(Parsed::Complete(second.len())));
        assert_eq!((head.method(), head.method_text(), head.target()), (Method::Other, &b""[..], &b""[..]));
        assert!(!head.keep_alive && !head.fields.has(FieldName::COOKIE) && head.host().is_none());
    }
}
