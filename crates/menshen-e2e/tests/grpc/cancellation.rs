//! A caller that has gone is work that nobody wants: the service hears of it.

use tonic::{Code, Request};

use crate::caller::messages;
use crate::codec::filled;
use crate::stage::Stage;

#[tokio::test]
async fn cancel_after_begin() {
    for mut stage in Stage::all().await {
        let (_sender, stream) = messages();
        let caller = stage.caller.clone();
        let call = tokio::spawn(async move { caller.send("/test.Interop/Hang", stream).await });
        stage.sees("begun").await;
        call.abort();
        stage.sees("over").await;
        stage.caller.ask("/test.Interop/Sum", "").await.unwrap();
    }
}

#[tokio::test]
async fn cancel_after_first_response() {
    for mut stage in Stage::all().await {
        let (sender, stream) = messages();
        let answer = stage.caller.talk("/test.Interop/AnswerAndHang", Request::new(stream)).await.unwrap();
        let mut answers = answer.into_inner();
        sender.send(filled(1)).await.unwrap();
        assert_eq!(answers.message().await.unwrap(), Some(filled(7)), "{}", stage.name);
        stage.sees("begun").await;
        // The library lets go of a call when neither side of it is held any more.
        drop((sender, answers));
        stage.sees("over").await;
        stage.caller.ask("/test.Interop/Sum", "").await.unwrap();
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_cancels_all_its_calls() {
    for mut stage in Stage::all().await {
        let caller = crate::caller::Caller::connect(stage.gateways[0].address()).await;
        let calls: Vec<_> = (0..3)
            .map(|_| {
                let caller = caller.clone();
                tokio::spawn(async move { caller.ask("/test.Interop/Hang", "").await })
            })
            .collect();
        for _ in &calls {
            stage.sees("begun").await;
        }
        drop(caller);
        calls.iter().for_each(tokio::task::JoinHandle::abort);
        for _ in &calls {
            stage.sees("over").await;
        }
    }
}

#[tokio::test]
async fn a_gateway_that_stops_ends_calls_visibly() {
    let mut stage = Stage::plain().await;
    let caller = stage.caller.clone();
    let call = tokio::spawn(async move { caller.ask("/test.Interop/Hang", "").await });
    stage.sees("begun").await;
    stage.gateways.clear();
    let status = call.await.unwrap().unwrap_err();
    assert_ne!(status.code(), Code::Ok);
    stage.sees("over").await;
}
