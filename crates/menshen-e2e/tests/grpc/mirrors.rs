//! Copies of calls for a mirror.

use std::time::Duration;

use menshen_e2e::{Admin, eventually};
use tonic::Request;

use crate::caller::messages;
use crate::codec::filled;
use crate::flaky::Scene;

/// Every call is copied to the same service.
async fn scene(timeout: &str) -> Scene {
    Scene::new(&format!(
        "
        gateway:
          admin: 127.0.0.1:0
        routes:
          r: {{ match: /**, to: 'h2c://{{service}}', mirror: {{ to: 'h2c://{{service}}', timeout: {timeout} }} }}
        "
    ))
    .await
}

#[tokio::test]
async fn a_call_with_one_message_is_copied() {
    let scene = scene("5s").await;
    let answer = scene.caller.ask("/flaky.Service/Echo", filled(20_000)).await.unwrap();
    assert_eq!(answer.into_inner(), filled(20_000));
    eventually("the copy comes", || scene.flaky.calls() == 2);
    let admin = Admin::of(&scene.gateway);
    let under_way = "menshen_mirror_active{route=\"r\"}";
    eventually("it is answered", || admin.metric(under_way) == 0);
    let text = admin.get("/metrics").text();
    assert!(!text.contains("menshen_mirror_failed_total{"), "{text}");
}

#[tokio::test]
async fn a_stream_that_goes_on_for_longer_than_a_copy_may_take_is_not_copied() {
    let scene = scene("30ms").await;
    let (sender, stream) = messages();
    sender.send(filled(5)).await.unwrap();
    let answer = scene.caller.talk("/flaky.Service/Echo", Request::new(stream)).await.unwrap();
    let mut answers = answer.into_inner();
    assert_eq!(answers.message().await.unwrap(), Some(filled(5)));
    // The time of a copy has to be over before the stream ends.
    tokio::time::sleep(Duration::from_millis(100)).await;
    sender.send(filled(7)).await.unwrap();
    assert_eq!(answers.message().await.unwrap(), Some(filled(7)));
    drop(sender);
    assert_eq!(answers.message().await.unwrap(), None);
    let late = "menshen_mirror_dropped_total{route=\"r\",reason=\"content-late\"}";
    eventually("it is counted", || Admin::of(&scene.gateway).metric(late) == 1);
    assert_eq!(scene.flaky.calls(), 1);
}
