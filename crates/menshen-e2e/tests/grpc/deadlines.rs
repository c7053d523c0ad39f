//! How long a caller waits holds here too, even if the service does not look at the clock.

use std::time::Duration;

use menshen_e2e::frames::{WHOLE, field, frame, kind};
use menshen_e2e::{Client, Origin, TestGateway};
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

/// A service that resets each call when its deadline of 50 ms is over, as grpc-go does; of some it answers a message first.
fn punctual(answers: bool) -> Origin {
    Origin::scripted(move |c| {
        c.send(frame(kind::SETTINGS, 0, 0, b""));
        if c.wire().take(24).is_err() {
            return;
        }
        while let Ok(head) = c.wire().take(9) {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            if c.wire().take(length as usize).is_err() || head[3] != kind::HEADERS {
                continue;
            }
            if answers {
                let ok = [&[0x88][..], &field("content-type", "application/grpc")].concat();
                c.send(frame(kind::HEADERS, WHOLE, stream, ok));
                c.send(frame(kind::DATA, 0, stream, [0, 0, 0, 0, 1, 7]));
            }
            // Its clock, not a wait for somebody.
            std::thread::sleep(Duration::from_millis(51));
            c.send(frame(kind::RST_STREAM, 0, stream, 8_u32.to_be_bytes()));
        }
    })
}

#[test]
fn a_service_that_keeps_the_deadline_to_the_millisecond_does_not_look_broken() {
    for answers in [false, true] {
        let service = punctual(answers);
        let gateway = TestGateway::start(
            "
            services: { s: { endpoints: ['{origin}'], protocol: h2c } }
            routes: { all: { match: /**, to: s, filters: [ grpc-web ] } }
            ",
            &[&service],
        );
        for _ in 0..10 {
            let head = "POST /a.B/C HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web\r\nGrpc-Timeout: 50m\r\n";
            let answer =
                Client::of(&gateway).send(format!("{head}Content-Length: 5\r\n\r\n\0\0\0\0\0")).response();
            assert!(answer.text().contains("grpc-status: 4\r\n"), "{answers}: {}", answer.text());
        }
    }
}
