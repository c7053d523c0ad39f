//! How long a caller waits holds here too, even if the service does not look at the clock.

use tonic::{Code, Request};

use crate::caller::messages;
use crate::codec::filled;
use crate::stage::Stage;

/// The outer gateway stands for a caller that says how long it waits and then waits longer; the service is not told.
async fn hasty() -> Stage {
    Stage::over_tls(
        "headers: { request: { set: { grpc-timeout: 500m } } }",
        "headers: { request: { remove: grpc-timeout } }",
    )
    .await
}

#[tokio::test]
async fn timeout_on_sleeping_server() {
    let mut stage = hasty().await;
    let status = stage.caller.ask("/test.Interop/Hang", "").await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert!(status.message().starts_with("total-timeout: "), "{status:?}");
    stage.sees("begun").await;
    stage.sees("over").await;
}

#[tokio::test]
async fn a_deadline_within_a_stream_ends_it_with_a_status() {
    let mut stage = hasty().await;
    let (sender, stream) = messages();
    let answer = stage.caller.talk("/test.Interop/AnswerAndHang", Request::new(stream)).await.unwrap();
    let mut answers = answer.into_inner();
    sender.send(filled(1)).await.unwrap();
    assert_eq!(answers.message().await.unwrap(), Some(filled(7)));
    let status = answers.message().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    stage.sees("begun").await;
    stage.sees("over").await;
}

#[tokio::test]
async fn a_caller_without_a_deadline_may_stay_silent_for_longer_than_other_requests() {
    let mut stage = Stage::with(
        "
        gateway:
          timeouts: { first-byte: 50ms, between-bytes: 50ms, body: 50ms }
        routes: { all: { match: /**, to: 'h2c://{service}' } }
        ",
    )
    .await;
    let (sender, stream) = messages();
    let answer = stage.caller.talk("/test.Interop/AnswerAndHang", Request::new(stream)).await.unwrap();
    let mut answers = answer.into_inner();
    stage.sees("begun").await;
    let silence = tokio::time::timeout(std::time::Duration::from_millis(300), answers.message()).await;
    assert!(silence.is_err(), "{silence:?}");
    sender.send(filled(1)).await.unwrap();
    assert_eq!(answers.message().await.unwrap(), Some(filled(7)));
}
