use menshen_proxy::http1::Method;
use menshen_proxy::{Failure, Transform, Transforms};

use super::*;
use crate::testing::Try;

fn call(kind: &str) -> Try {
    let head =
        format!("POST /a.B/C HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: 4\r\n\r\n");
    Try::filter("grpc-web").request(&head).pass()
}

fn grpc(body: Body) -> Reply {
    let mut reply = Reply::new(200);
    reply.head.fields.set(FieldName::CONTENT_TYPE, b"application/grpc+proto");
    reply.body = body;
    reply
}

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[flag][..], &length.to_be_bytes(), message].concat()
}

/// What the client gets of a reply that comes in these pieces.
fn sent(form: Form, pieces: &[&[u8]], trailers: &[(&str, &str)]) -> Vec<u8> {
    let (mut transforms, mut out) = (Transforms::default(), Vec::new());
    transforms.push(Box::new(Content::new(form)));
    pieces.iter().for_each(|piece| transforms.run(piece, &mut out).unwrap());
    let mut fields = Fields::new();
    trailers.iter().for_each(|(name, value)| fields.append_named(name.as_bytes(), value.as_bytes()));
    transforms.finish_with(&mut fields, &mut out).unwrap();
    assert!(fields.is_empty(), "browsers would not show them");
    out
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let (mut transforms, mut out) = (Transforms::default(), Vec::new());
    transforms.push(Box::new(Decoder::default()));
    transforms.run(text, &mut out).unwrap();
    transforms.finish(&mut out).unwrap();
    out
}

#[test]
fn the_service_sees_grpc() {
    for (kind, expected) in [
        ("application/grpc-web+proto", "application/grpc+proto"),
        ("application/grpc-web-text", "application/grpc"),
    ] {
        let mut t = call(kind);
        assert_eq!(t.sent("content-type").unwrap(), expected);
        assert_eq!(t.sent("te").unwrap(), "trailers");
    }
    assert!(call("application/grpc-web").exchange().transforms.is_empty(), "binary content passes untouched");
}

#[test]
fn content_in_base64_reaches_the_service_as_bytes() {
    let mut t = call("application/grpc-web-text");
    let mut out = Vec::new();
    for piece in ["AAAAAA", "MB", "AgM=AAAA", "AAEH"] {
        t.exchange().transforms.run(piece.as_bytes(), &mut out).unwrap();
    }
    assert_eq!(out, [frame(0, &[1, 2, 3]), frame(0, &[7])].concat());
    assert_eq!(t.exchange().transforms.run(b"?", &mut out), Err(Failure::BadContent));
}

#[test]
fn other_requests_and_their_replies_pass_as_they_are() {
    for kind in ["application/grpc", "application/json"] {
        let mut t = call(kind);
        assert_eq!((t.sent("content-type").unwrap().as_str(), t.sent("te")), (kind, None));
        t.reply(grpc(Body::Full("x".into())));
        assert_eq!(
            (t.field("content-type").unwrap(), t.body()),
            ("application/grpc+proto".into(), b"x".into())
        );
    }
}

#[test]
fn the_reply_has_the_type_of_the_request() {
    for kind in ["application/grpc-web", "application/grpc-web+proto", "application/grpc-web-text+proto"] {
        let mut t = call(kind);
        t.reply(grpc(Body::Streaming));
        assert_eq!(t.field("content-type").unwrap(), kind);
    }
}

#[test]
fn a_client_may_send_bytes_and_ask_for_text() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web\r\nAccept: application/grpc-web-text\r\n\r\n";
    let mut t = Try::filter("grpc-web").request(head).pass();
    assert!(t.exchange().transforms.is_empty());
    t.reply(grpc(Body::Streaming));
    assert_eq!(t.field("content-type").unwrap(), "application/grpc-web-text");
}

#[test]
fn trailers_become_the_last_frame() {
    let message = frame(0, b"hello");
    let out = sent(Form::Binary, &[&message], &[("grpc-status", "0"), ("X-Note-Bin", "AAE=")]);
    assert_eq!(out, [message, frame(0x80, b"grpc-status: 0\r\nx-note-bin: AAE=\r\n")].concat());
}

#[test]
fn trailers_never_become_a_part_of_a_message_that_was_cut() {
    for form in [Form::Binary, Form::Text] {
        let message = frame(0, b"hello");
        for at in 1..message.len() {
            let (mut content, mut out) = (Content::new(form), Vec::new());
            content.push(&message[..at], &mut out).unwrap();
            let mut trailers = Fields::new();
            trailers.append_named(b"grpc-status", b"14");
            assert_eq!(content.trailers(&mut trailers, &mut out), Err(Failure::BadResponseBody), "at {at}");
        }
    }
}

#[test]
fn in_text_every_frame_can_be_read_when_it_ends_however_it_came() {
    let stream = [frame(0, b"a"), frame(0, b""), frame(0, &[9; 100])].concat();
    let expected = [&stream[..], &frame(0x80, b"grpc-status: 0\r\n")].concat();
    let whole = sent(Form::Text, &[&stream], &[("grpc-status", "0")]);
    assert_eq!(decoded(&whole), expected);
    for at in 0..=stream.len() {
        let split = sent(Form::Text, &[&stream[..at], &stream[at..]], &[("grpc-status", "0")]);
        assert_eq!(split, whole, "split at {at}");
    }
    let (mut text, mut out) = (Content::new(Form::Text), Vec::new());
    text.push(&frame(0, b"a"), &mut out).unwrap();
    assert_eq!(decoded(&out), frame(0, b"a"), "before the next one comes");
}

#[test]
fn a_reply_that_is_only_a_status_becomes_a_frame() {
    let mut t = call("application/grpc-web");
    let mut reply = grpc(Body::Empty);
    reply.head.fields.append_named(b"grpc-status", b"5");
    reply.head.fields.append_named(b"grpc-message", b"no%20such");
    reply.head.fields.append_named(b"x-other", b"stays");
    t.reply(reply);
    assert_eq!((t.field("grpc-status"), t.field("x-other").unwrap()), (None, "stays".into()));
    assert_eq!(t.body(), frame(0x80, b"grpc-status: 5\r\ngrpc-message: no%20such\r\n"));
}

#[test]
fn a_failure_of_the_gateway_is_a_status_too() {
    let mut t = call("application/grpc-web-text");
    let reply = Reply::of_failure(Failure::ConnectFailed, t.exchange());
    t.reply(reply);
    assert_eq!((t.status(), t.field("content-type").unwrap()), (200, "application/grpc-web-text".into()));
    let body = decoded(&t.body());
    assert!(
        body.starts_with(&[0x80]) && body[5..].starts_with(b"grpc-status: 14\r\ngrpc-message: "),
        "{body:?}"
    );
}

#[test]
fn a_reply_that_is_no_grpc_stays_as_it_is() {
    let mut t = call("application/grpc-web");
    t.reply(Reply::with_body(503, "text/html", "<h1>closed</h1>"));
    assert_eq!((t.status(), t.field("content-type").unwrap()), (503, "text/html".into()));
    assert_eq!(t.body(), b"<h1>closed</h1>");
}

#[test]
fn a_preflight_is_none_of_its_business() {
    let mut t = Try::filter("grpc-web").request("OPTIONS /a.B/C HTTP/1.1\r\nHost: a\r\n\r\n").pass();
    assert_eq!(t.exchange().request.method(), Method::Options);
    assert_eq!(t.sent("te"), None);
}
