//! What the gateway answers itself: statuses of gRPC, because callers look nowhere else.

use tonic::Code;

use crate::caller::{Caller, messages};
use crate::codec::filled;
use crate::stage::{Stage, gateway};

/// An address where nobody listens.
fn nobody() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

const ROUTES: &str = "
    routes:
      calls: { match: '/test.Interop/{method}', to: 'h2c://{service}' }
      limited: { match: /test.Interop/Sum, to: 'h2c://{service}', filters: [ rate-limit: 1/h ] }
      small: { match: /test.Interop/Ask, to: 'h2c://{service}', filters: [ body-limit: 100B ] }
      denied: { match: /test.Interop/Fail, to: 'h2c://{service}', filters: [ ip-deny: 127.0.0.1 ] }
";

#[tokio::test]
async fn a_call_that_no_route_takes_is_unimplemented() {
    let stage = Stage::with(ROUTES).await;
    let status = stage.caller.ask("/other.Service/Method", "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
    assert!(status.message().starts_with("no-route: "), "{status:?}");
}

#[tokio::test]
async fn a_service_that_is_down_is_unavailable() {
    let gateway = gateway("routes: { all: { match: /**, to: 'h2c://{service}' } }", nobody());
    let caller = Caller::connect(gateway.address()).await;
    let status = caller.ask("/test.Interop/Ask", "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().starts_with("connect-failed: "), "{status:?}");
}

#[tokio::test]
async fn a_limit_that_is_used_up_is_an_exhausted_resource() {
    let stage = Stage::with(ROUTES).await;
    stage.caller.ask("/test.Interop/Sum", "").await.unwrap();
    let status = stage.caller.ask("/test.Interop/Sum", "").await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.metadata().contains_key("retry-after"), "{status:?}");
}

#[tokio::test]
async fn too_much_content_is_an_exhausted_resource() {
    let stage = Stage::with(ROUTES).await;
    let status = stage.caller.ask("/test.Interop/Ask", filled(1000)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
}

#[tokio::test]
async fn a_stream_that_grows_too_large_ends_with_a_status() {
    let stage = Stage::with(ROUTES).await;
    let (sender, stream) = messages();
    let answer = stage.caller.talk("/test.Interop/Ask", tonic::Request::new(stream)).await.unwrap();
    let mut answers = answer.into_inner();
    sender.send(crate::codec::sizes(&[5])).await.unwrap();
    assert_eq!(answers.message().await.unwrap(), Some(filled(5)));
    sender.send(filled(200)).await.unwrap();
    let status = answers.message().await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
}

#[tokio::test]
async fn a_caller_that_is_refused_is_denied() {
    let stage = Stage::with(ROUTES).await;
    let status = stage.caller.ask("/test.Interop/Fail", "").await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
}

#[tokio::test]
async fn a_service_that_dies_within_a_stream_is_unavailable() {
    let mut stage = Stage::tls().await;
    let (sender, stream) = messages();
    let answer = stage.caller.talk("/test.Interop/AnswerAndHang", tonic::Request::new(stream)).await.unwrap();
    let mut answers = answer.into_inner();
    sender.send(filled(1)).await.unwrap();
    assert_eq!(answers.message().await.unwrap(), Some(filled(7)));
    drop(stage.gateways.pop());
    let status = answers.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}
