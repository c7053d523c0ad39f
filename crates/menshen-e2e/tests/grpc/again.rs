//! Calls that are sent again because of the status that the service answered.

use std::time::Duration;

use bytes::Bytes;
use tonic::{Code, Request};

use crate::caller::{Answer, messages};
use crate::codec::filled;
use crate::flaky::Scene;

async fn scene(route: &str) -> Scene {
    Scene::new(&format!("routes: {{ all: {{ match: /**, to: 'h2c://{{service}}', {route} }} }}")).await
}

/// Asks, and waits no longer than it makes sense to.
async fn ask(scene: &Scene, method: &'static str, message: Bytes) -> Answer {
    let answer = scene.caller.ask(method, message);
    tokio::time::timeout(menshen_e2e::PATIENCE, answer).await.expect("an answer in time")
}

const UNAVAILABLE: &str = "retry: { grpc-status: [unavailable, resource-exhausted] }";

#[tokio::test]
async fn a_chosen_status_is_asked_again_with_the_same_content() {
    let scene = scene(UNAVAILABLE).await;
    let message = filled(20_000);
    scene.flaky.fails(2, Code::Unavailable);
    let answer = ask(&scene, "/flaky.Service/Echo", message.clone()).await.unwrap();
    assert_eq!((answer.into_inner(), scene.flaky.calls()), (message, 3));
}

#[tokio::test]
async fn three_attempts_are_all_there_are() {
    let scene = scene(UNAVAILABLE).await;
    scene.flaky.fails(9, Code::ResourceExhausted);
    let status = ask(&scene, "/flaky.Service/Echo", filled(3)).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message(), scene.flaky.calls()),
        (Code::ResourceExhausted, "call 3", 3)
    );
}

#[tokio::test]
async fn other_statuses_and_routes_without_retry_are_not_asked_again() {
    for (route, code) in
        [(UNAVAILABLE, Code::Internal), (UNAVAILABLE, Code::NotFound), ("", Code::Unavailable)]
    {
        let scene = scene(route).await;
        scene.flaky.fails(1, code);
        let status = ask(&scene, "/flaky.Service/Echo", filled(3)).await.unwrap_err();
        assert_eq!((status.code(), scene.flaky.calls()), (code, 1));
    }
}

#[tokio::test]
async fn a_service_may_say_it_for_all_its_routes_and_a_route_otherwise() {
    let document = "
        services: { flaky: { endpoints: ['{service}'], protocol: h2c, retry: { grpc-status: unavailable } } }
        routes:
          again: { match: /flaky.Service/*, to: flaky }
          once: { match: /once.Service/*, to: flaky, retry: {} }
    ";
    for (method, calls) in [("/flaky.Service/Echo", 2), ("/once.Service/Echo", 1)] {
        let scene = Scene::new(document).await;
        scene.flaky.fails(1, Code::Unavailable);
        assert_eq!(ask(&scene, method, filled(3)).await.is_ok(), calls == 2);
        assert_eq!(scene.flaky.calls(), calls, "{method}");
    }
}

#[tokio::test]
async fn a_service_that_says_when_it_wants_to_be_asked_again_is_left_to_the_caller() {
    let scene = scene(UNAVAILABLE).await;
    scene.flaky.pushes_back(1, Code::Unavailable);
    let status = ask(&scene, "/flaky.Service/Echo", filled(3)).await.unwrap_err();
    assert_eq!((status.code(), scene.flaky.calls()), (Code::Unavailable, 1));
    assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), "1000");
}

#[tokio::test]
async fn content_that_is_too_much_to_keep_is_not_sent_again() {
    let scene = scene(UNAVAILABLE).await;
    scene.flaky.fails(1, Code::Unavailable);
    let status = ask(&scene, "/flaky.Service/Echo", filled(70_000)).await.unwrap_err();
    assert_eq!((status.code(), scene.flaky.calls()), (Code::Unavailable, 1));
    let answer = ask(&scene, "/flaky.Service/Echo", filled(70_000)).await.unwrap();
    assert_eq!(answer.into_inner(), filled(70_000), "large calls pass");
}

#[tokio::test]
async fn a_failure_behind_a_message_is_told_once() {
    let scene = scene(UNAVAILABLE).await;
    scene.flaky.fails(1, Code::Unavailable);
    let answer = scene.caller.listen("/flaky.Service/EchoThenFail", filled(3)).await.unwrap();
    let mut answers = answer.into_inner();
    assert_eq!(answers.message().await.unwrap(), Some(filled(3)));
    assert_eq!(answers.message().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(scene.flaky.calls(), 1);
}

#[tokio::test]
async fn a_stream_goes_on_behind_what_was_sent_again() {
    let scene = scene(UNAVAILABLE).await;
    scene.flaky.fails(1, Code::Unavailable);
    let (sender, stream) = messages();
    sender.send(filled(5)).await.unwrap();
    let answer = scene.caller.talk("/flaky.Service/Echo", Request::new(stream)).await.unwrap();
    let mut answers = answer.into_inner();
    assert_eq!(answers.message().await.unwrap(), Some(filled(5)));
    for size in [70_000, 1, 30_000] {
        sender.send(filled(size)).await.unwrap();
        assert_eq!(answers.message().await.unwrap(), Some(filled(size)));
    }
    drop(sender);
    assert_eq!(answers.message().await.unwrap(), None);
    assert_eq!(scene.flaky.calls(), 2);
}

#[tokio::test]
async fn the_deadline_leaves_no_time_for_more() {
    let scene = scene(UNAVAILABLE).await;
    scene.flaky.fails(usize::MAX, Code::Unavailable);
    for _ in 0..50 {
        let before = scene.flaky.calls();
        let mut request = Request::new(filled(3));
        request.set_timeout(Duration::from_millis(20));
        let status = scene.caller.unary("/flaky.Service/Echo", request).await.unwrap_err();
        // A busy machine may not make a single call in time.
        if status.code() == Code::Unavailable {
            return assert_eq!(scene.flaky.calls(), before + 1);
        }
    }
    panic!("no status of the service in time");
}
