//! gRPC-Web as browsers speak it, byte by byte.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::mpsc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use menshen_e2e::{Client, Response, TestGateway};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::transport::Endpoint;

use crate::codec::{filled, sizes};
use crate::service::Interop;
use crate::stage::gateway;

const ROUTES: &str = "
    listeners:
      web: { bind: '127.0.0.1:0', filters: [ cors: { origins: 'https://app.example', expose: [grpc-status, grpc-message] }, grpc-web ] }
    routes:
      calls: { match: '/test.Interop/**', to: 'h2c://{service}' }
      down: { match: /down/**, to: 'h2c://127.0.0.1:1' }
      closed: { match: /closed, to: { respond: { status: 503, body: closed } } }
";

/// A gateway in front of the service, which runs on a thread of its own.
fn web() -> TestGateway {
    let (sender, address) = mpsc::channel::<SocketAddr>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (service, _events) = Interop::serve();
            sender.send(service).unwrap();
            std::future::pending::<()>().await
        });
    });
    gateway(ROUTES, address.recv().unwrap())
}

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag][..], &(message.len() as u32).to_be_bytes(), message].concat()
}

/// The frames in it, by flag and content; the last one as text.
fn frames(mut bytes: &[u8]) -> (Vec<Vec<u8>>, String) {
    let mut messages = Vec::new();
    while let [flag, a, b, c, d, rest @ ..] = bytes {
        let (content, behind) = rest.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        if *flag == 0x80 {
            assert!(behind.is_empty(), "trailers are the last frame");
            return (messages, String::from_utf8(content.to_vec()).unwrap());
        }
        messages.push(content.to_vec());
        bytes = behind;
    }
    panic!("no frame of trailers: {bytes:?}");
}

/// Out of Base64 with padding anywhere.
fn plain(text: &[u8]) -> Vec<u8> {
    text.chunks(4).flat_map(|group| BASE64_STANDARD.decode(group).unwrap()).collect()
}

/// The head of a call with content in chunks.
fn head(path: &str, kind: &str, more: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\nX-Grpc-Web: 1\r\n\
         Content-Type: {kind}\r\n{more}Transfer-Encoding: chunked\r\n\r\n"
    )
}

/// A call whose content comes in pieces of this size.
fn call(client: &mut Client, path: &str, kind: &str, more: &str, content: &[u8], size: usize) -> Response {
    client.send(head(path, kind, more));
    for piece in content.chunks(size) {
        client.send(format!("{:x}\r\n", piece.len())).send(piece).send("\r\n");
    }
    client.send("0\r\n\r\n").response()
}

fn binary(client: &mut Client, path: &str, message: &[u8]) -> Response {
    call(client, path, "application/grpc-web+proto", "", &frame(0, message), usize::MAX)
}

#[test]
fn a_call_in_binary_gets_messages_and_trailers_as_frames() {
    let gateway = web();
    let response = binary(&mut Client::of(&gateway), "/test.Interop/Ask", &sizes(&[3, 0, 70_000]));
    assert_eq!(response.status, 200);
    assert_eq!(response.fields.get("content-type"), Some("application/grpc-web+proto"));
    assert!(response.trailers.0.is_empty() && !response.fields.has("trailer"));
    let (messages, trailers) = frames(&response.body);
    assert_eq!(messages, [filled(3), filled(0), filled(70_000)]);
    assert_eq!(trailers, "grpc-status: 0\r\n");
}

#[test]
fn a_call_in_text_may_be_split_anywhere() {
    let gateway = web();
    let mut client = Client::of(&gateway);
    let (a, b) = (frame(0, b"first"), frame(0, &filled(1000)));
    let flushed = BASE64_STANDARD.encode(&a) + &BASE64_STANDARD.encode(&b);
    for text in [flushed, BASE64_STANDARD.encode([a, b].concat())] {
        for size in [1, 2, 3, 5, 7, 1000, 10_000] {
            let kind = "application/grpc-web-text";
            let response = call(&mut client, "/test.Interop/Sum", kind, "", text.as_bytes(), size);
            assert_eq!(response.fields.get("content-type"), Some(kind));
            let (messages, trailers) = frames(&plain(&response.body));
            assert_eq!((&messages[0][..], &*trailers), (&1005_u64.to_be_bytes()[..], "grpc-status: 0\r\n"));
        }
    }
}

#[test]
fn a_message_of_a_stream_can_be_read_before_the_next_one_comes() {
    let gateway = web();
    let mut client = Client::of(&gateway);
    let text = BASE64_STANDARD.encode(frame(0, b"x"));
    client.send(head("/test.Interop/AnswerAndHang", "application/grpc-web-text", ""));
    client.send(format!("{:x}\r\n{text}\r\n", text.len()));
    assert_eq!(client.head().unwrap().status, 200);
    let mut came = Vec::new();
    while came.len() < frame(0, &filled(7)).len() {
        let size = usize::from_str_radix(&client.wire().line().unwrap(), 16).unwrap();
        came.extend(plain(&client.wire().take(size).unwrap()));
        client.wire().take(2).unwrap();
    }
    assert_eq!(came, frame(0, &filled(7)));
}

#[test]
fn a_failure_of_the_service_is_a_frame_also_without_any_message() {
    let gateway = web();
    let mut client = Client::of(&gateway);
    for (path, messages) in [("/test.Interop/Fail", 0), ("/test.Interop/FailLater", 1)] {
        let response = binary(&mut client, path, b"\x05no \xc3\xa9");
        let (came, trailers) = frames(&response.body);
        assert_eq!(came.len(), messages, "{path}");
        for line in [
            "grpc-status: 5\r\n",
            "grpc-message: no%20%C3%A9\r\n",
            "grpc-status-details-bin: AGRldGFpbHP/\r\n",
        ] {
            assert!(trailers.contains(line), "{path}: {trailers}");
        }
        assert!(!response.fields.has("grpc-status"), "{path}");
    }
}

#[test]
fn a_failure_of_the_gateway_is_a_frame_too() {
    let gateway = web();
    let mut client = Client::of(&gateway);
    for (path, content, expected) in [
        ("/down/Ask", "AAAAAAA=", "grpc-status: 14\r\ngrpc-message: connect-failed: "),
        ("/unknown", "AAAAAAA=", "grpc-status: 12\r\ngrpc-message: no-route: "),
        ("/test.Interop/Sum", "?", "grpc-status: 13\r\ngrpc-message: bad-content: "),
    ] {
        let response = call(&mut client, path, "application/grpc-web-text", "", content.as_bytes(), 100);
        let (messages, trailers) = frames(&plain(&response.body));
        assert!(messages.is_empty() && trailers.starts_with(expected), "{path}: {trailers}");
        assert_eq!(response.fields.get("access-control-allow-origin"), Some("https://app.example"), "{path}");
        client = Client::of(&gateway);
    }
}

#[test]
fn a_deadline_holds_for_browsers() {
    let gateway = web();
    let kind = "application/grpc-web";
    let mut client = Client::of(&gateway);
    let response =
        call(&mut client, "/test.Interop/AnswerAndHang", kind, "Grpc-Timeout: 1S\r\n", &frame(0, b"x"), 100);
    let (messages, trailers) = frames(&response.body);
    assert_eq!(messages, [filled(7)]);
    assert!(trailers.starts_with("grpc-status: 4\r\n"), "{trailers}");
}

#[test]
fn a_preflight_is_answered_and_plain_requests_pass() {
    let gateway = web();
    let mut client = Client::of(&gateway);
    client.send(
        "OPTIONS /test.Interop/Ask HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\n\
         Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-grpc-web\r\n\r\n",
    );
    let preflight = client.response();
    assert_eq!(preflight.status, 204);
    assert!(preflight.fields.lists("access-control-allow-headers", "x-grpc-web"));
    assert_eq!((client.get("/closed").status, client.get("/closed").text()), (503, "closed".into()));
}

#[tokio::test]
async fn browsers_may_speak_http_2() {
    let (service, _events) = Interop::serve();
    let gateway = gateway(ROUTES, service);
    let endpoint = Endpoint::from_shared(format!("http://{}", gateway.address())).unwrap();
    let mut channel = endpoint.connect().await.unwrap();
    for (path, messages, status) in [
        ("/test.Interop/Ask", vec![filled(5).to_vec()], "grpc-status: 0\r\n"),
        ("/test.Interop/Unknown", vec![], "grpc-status: 12\r\n"),
    ] {
        let request = http::Request::post(path)
            .header("content-type", "application/grpc-web-text")
            .body(Body::new(BASE64_STANDARD.encode(frame(0, &sizes(&[5])))))
            .unwrap();
        std::future::poll_fn(|cx| channel.poll_ready(cx)).await.unwrap();
        let response = channel.call(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/grpc-web-text", "{path}");
        let (came, trailers) = frames(&plain(&whole(response.into_body()).await));
        assert_eq!(came, messages, "{path}");
        assert!(trailers.contains(status), "{path}: {trailers}");
    }
}

/// All content, behind which there must be no trailers.
async fn whole(mut body: Body) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(frame) =
        std::future::poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await
    {
        content.extend(frame.unwrap().into_data().expect("no trailers"));
    }
    content
}
