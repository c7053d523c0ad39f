//! The interop cases, each over every way.

use bytes::Bytes;
use tonic::metadata::{AsciiMetadataValue, BinaryMetadataValue};
use tonic::{Code, Request, Status};

use crate::caller::{all_of, messages};
use crate::codec::{filled, sizes};
use crate::echo::{INITIAL, TRAILING};
use crate::stage::Stage;

#[tokio::test]
async fn empty_unary() {
    for stage in Stage::all().await {
        let answer = stage.caller.ask("/test.Interop/Ask", sizes(&[0])).await.unwrap();
        assert!(answer.get_ref().is_empty(), "{}", stage.name);
        let sum = stage.caller.ask("/test.Interop/Sum", "").await.unwrap();
        assert_eq!(sum.get_ref()[..], 0_u64.to_be_bytes(), "{}", stage.name);
    }
}

#[tokio::test]
async fn large_unary() {
    for stage in Stage::all().await {
        let sum = stage.caller.ask("/test.Interop/Sum", filled(2_718_280)).await.unwrap();
        assert_eq!(sum.get_ref()[..], 2_718_280_u64.to_be_bytes(), "{}", stage.name);
        let answer = stage.caller.ask("/test.Interop/Ask", sizes(&[3_141_590])).await.unwrap();
        assert!(answer.get_ref() == &filled(3_141_590), "{}", stage.name);
    }
}

#[tokio::test]
async fn client_streaming() {
    for stage in Stage::all().await {
        let (sender, stream) = messages();
        let sending = tokio::spawn(async move {
            for size in [27_182, 8, 1_828, 45_904] {
                sender.send(filled(size)).await.unwrap();
            }
        });
        let answer = stage.caller.send("/test.Interop/Sum", stream).await.unwrap();
        sending.await.unwrap();
        assert_eq!(answer.get_ref()[..], 74_922_u64.to_be_bytes(), "{}", stage.name);
    }
}

#[tokio::test]
async fn server_streaming() {
    for stage in Stage::all().await {
        let wanted = sizes(&[31_415, 9, 2_653, 58_979]);
        let answer = stage.caller.listen("/test.Interop/Ask", wanted).await.unwrap();
        assert_eq!(
            all_of(answer.into_inner()).await,
            (vec![31_415, 9, 2_653, 58_979], Code::Ok),
            "{}",
            stage.name
        );
    }
}

#[tokio::test]
async fn ping_pong() {
    for stage in Stage::all().await {
        let (sender, stream) = messages();
        let answer = stage.caller.talk("/test.Interop/Ask", Request::new(stream)).await.unwrap();
        let mut answers = answer.into_inner();
        for size in [31_415, 9, 2_653, 58_979] {
            sender.send(sizes(&[size])).await.unwrap();
            let answer = answers.message().await.unwrap().unwrap();
            assert_eq!(answer.len(), size as usize, "{}", stage.name);
        }
        drop(sender);
        assert_eq!(all_of(answers).await, (vec![], Code::Ok), "{}", stage.name);
    }
}

#[tokio::test]
async fn empty_stream() {
    for stage in Stage::all().await {
        let (sender, stream) = messages();
        drop(sender);
        let answer = stage.caller.talk("/test.Interop/Ask", Request::new(stream)).await.unwrap();
        assert_eq!(all_of(answer.into_inner()).await, (vec![], Code::Ok), "{}", stage.name);
    }
}

#[tokio::test]
async fn custom_metadata() {
    let (initial, trailing) = ("test_initial_metadata_value", &b"\xab\xab\xab\x00"[..]);
    for stage in Stage::all().await {
        let mut request = Request::new(sizes(&[3]));
        request.metadata_mut().insert(INITIAL, AsciiMetadataValue::from_static(initial));
        request.metadata_mut().insert_bin(TRAILING, BinaryMetadataValue::from_bytes(trailing));
        let answer = stage.caller.unary("/test.Interop/Ask", request).await.unwrap();
        assert_eq!(answer.metadata().get(INITIAL).unwrap(), initial, "{}", stage.name);
        let came = answer.metadata().get_bin(TRAILING).unwrap();
        assert_eq!(came.to_bytes().unwrap(), trailing, "{}", stage.name);
    }
}

#[tokio::test]
async fn custom_metadata_of_a_stream_comes_in_head_and_trailers() {
    for stage in Stage::all().await {
        let (sender, stream) = messages();
        let mut request = Request::new(stream);
        request.metadata_mut().insert(INITIAL, AsciiMetadataValue::from_static("first"));
        request.metadata_mut().insert_bin(TRAILING, BinaryMetadataValue::from_bytes(b"\x00last"));
        let answer = stage.caller.talk("/test.Interop/Ask", request).await.unwrap();
        assert_eq!(answer.metadata().get(INITIAL).unwrap(), "first", "{}", stage.name);
        assert!(answer.metadata().get_bin(TRAILING).is_none(), "{}", stage.name);
        let mut answers = answer.into_inner();
        drop(sender);
        let trailers = answers.trailers().await.unwrap().unwrap();
        assert_eq!(
            trailers.get_bin(TRAILING).unwrap().to_bytes().unwrap(),
            &b"\x00last"[..],
            "{}",
            stage.name
        );
    }
}

/// A call that fails at once, and one that fails behind its first message.
async fn fail(stage: &Stage, code: Code, text: &str) -> [Status; 2] {
    let message: Bytes = [&[code as u8][..], text.as_bytes()].concat().into();
    let at_once = stage.caller.ask("/test.Interop/Fail", message.clone()).await.unwrap_err();
    let mut answers = stage.caller.listen("/test.Interop/FailLater", message).await.unwrap().into_inner();
    assert_eq!(answers.message().await.unwrap(), Some(filled(10)), "{}", stage.name);
    [at_once, answers.message().await.unwrap_err()]
}

#[tokio::test]
async fn status_code_and_message() {
    for stage in Stage::all().await {
        for code in (1..=16).map(Code::from_i32) {
            for status in fail(&stage, code, "test status message").await {
                assert_eq!(
                    (status.code(), status.message()),
                    (code, "test status message"),
                    "{}",
                    stage.name
                );
                assert_eq!(status.details(), b"\x00details\xff", "{}", stage.name);
            }
        }
    }
}

#[tokio::test]
async fn special_status_message() {
    let text = "\t\ntest with whitespace\r\nand Unicode BMP \u{263a} and non-BMP \u{1f608}\t\n";
    for stage in Stage::all().await {
        for status in fail(&stage, Code::Unknown, text).await {
            assert_eq!((status.code(), status.message()), (Code::Unknown, text), "{}", stage.name);
        }
    }
}

#[tokio::test]
async fn unimplemented_method_and_service() {
    for stage in Stage::all().await {
        for method in ["/test.Interop/Unknown", "/test.Unknown/Ask"] {
            let status = stage.caller.ask(method, "").await.unwrap_err();
            let message = format!("no method {method}");
            assert_eq!((status.code(), status.message()), (Code::Unimplemented, &*message), "{}", stage.name);
        }
    }
}

#[tokio::test]
async fn a_hundred_calls_at_once_on_one_connection() {
    for stage in Stage::all().await {
        let mut calls = Vec::new();
        for n in 0..100 {
            let (sender, stream) = messages();
            let answer = stage.caller.talk("/test.Interop/Ask", Request::new(stream)).await.unwrap();
            calls.push((n, sender, answer.into_inner()));
        }
        for _ in 0..3 {
            for (n, sender, _) in &calls {
                sender.send(sizes(&[*n, 1000])).await.unwrap();
            }
            for (n, _, answers) in &mut calls {
                assert_eq!(answers.message().await.unwrap().unwrap().len(), *n as usize, "{}", stage.name);
                assert_eq!(answers.message().await.unwrap().unwrap().len(), 1000, "{}", stage.name);
            }
        }
        for (_, sender, answers) in calls {
            drop(sender);
            assert_eq!(all_of(answers).await, (vec![], Code::Ok), "{}", stage.name);
        }
    }
}

#[tokio::test]
async fn health_checks_pass_like_any_other_call() {
    for stage in Stage::all().await {
        let answer = stage.caller.ask("/grpc.health.v1.Health/Check", "").await.unwrap();
        assert_eq!(answer.get_ref()[..], [8, 1], "{}: SERVING", stage.name);
    }
}
