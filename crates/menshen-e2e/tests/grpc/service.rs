//! A service with one method for every kind of call.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::Grpc;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::codec::{Plain, filled, sizes_in};
use crate::echo;

/// The answers of a call.
type Answers = mpsc::Sender<Result<Bytes, Status>>;

/// The service, and whom it tells what happens to it.
#[derive(Clone)]
pub struct Interop {
    events: mpsc::UnboundedSender<&'static str>,
}

/// What the service tells.
pub type Events = mpsc::UnboundedReceiver<&'static str>;

impl Interop {
    /// Serves on a free port for as long as the test's runtime lives.
    pub fn serve() -> (SocketAddr, Events) {
        let (events, seen) = mpsc::unbounded_channel();
        let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap().with_nodelay(Some(true));
        let address = incoming.local_addr().unwrap();
        tokio::spawn(Server::builder().serve_with_incoming(Self { events }, incoming));
        (address, seen)
    }
}

impl Service<http::Request<Body>> for Interop {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = Method { name: request.uri().path().to_owned(), events: self.events.clone() };
        let echo = echo::asked_for(request.headers());
        Box::pin(async move { Ok(echo.add_to(Grpc::new(Plain).streaming(method, request).await)) })
    }
}

/// A method. On the wire every call is a stream of messages either way.
#[derive(Clone)]
struct Method {
    name: String,
    events: mpsc::UnboundedSender<&'static str>,
}

impl Service<Request<Streaming<Bytes>>> for Method {
    type Response = Response<ReceiverStream<Result<Bytes, Status>>>;
    type Error = Status;
    type Future = BoxFuture<Self::Response, Status>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let Self { name, events } = self.clone();
        Box::pin(async move {
            let mut messages = request.into_inner();
            let (answers, stream) = mpsc::channel(1);
            match name.as_str() {
                "/test.Interop/Ask" => drop(tokio::spawn(ask(messages, answers))),
                "/test.Interop/Sum" => drop(tokio::spawn(sum(messages, answers))),
                "/test.Interop/Fail" => return Err(failure(&messages.message().await?.unwrap_or_default())),
                "/test.Interop/FailLater" => drop(tokio::spawn(fail_later(messages, answers))),
                "/test.Interop/Hang" => {
                    let _watched = Watched::begin(events);
                    let _kept = (&messages, answers);
                    return std::future::pending().await;
                }
                "/test.Interop/AnswerAndHang" => {
                    drop(tokio::spawn(answer_and_hang(messages, answers, events)))
                }
                // The one answer of health checking that matters: SERVING.
                "/grpc.health.v1.Health/Check" => {
                    let _ = answers.try_send(Ok(Bytes::from_static(&[8, 1])));
                }
                other => return Err(Status::unimplemented(format!("no method {other}"))),
            }
            Ok(Response::new(ReceiverStream::new(stream)))
        })
    }
}

/// Answers each message at once with messages of the sizes in it.
async fn ask(mut messages: Streaming<Bytes>, answers: Answers) {
    while let Ok(Some(message)) = messages.message().await {
        for size in sizes_in(&message) {
            let _ = answers.send(Ok(filled(size))).await;
        }
    }
}

/// Answers with the number of bytes that came.
async fn sum(mut messages: Streaming<Bytes>, answers: Answers) {
    let mut sum = 0;
    while let Ok(Some(message)) = messages.message().await {
        sum += message.len() as u64;
    }
    let _ = answers.send(Ok(Bytes::copy_from_slice(&sum.to_be_bytes()))).await;
}

/// The failure that a message asks for: a byte for the code, and the text.
fn failure(message: &[u8]) -> Status {
    let (code, text) = message.split_first().expect("a code");
    Status::with_details(
        Code::from_i32(i32::from(*code)),
        String::from_utf8(text.to_vec()).expect("text"),
        Bytes::from_static(b"\x00details\xff"),
    )
}

/// Answers once, then fails.
async fn fail_later(mut messages: Streaming<Bytes>, answers: Answers) {
    let message = messages.message().await.ok().flatten().unwrap_or_default();
    let _ = answers.send(Ok(filled(10))).await;
    let _ = answers.send(Err(failure(&message))).await;
}

/// Answers the first message and then waits until nobody wants to hear more.
async fn answer_and_hang(
    mut messages: Streaming<Bytes>,
    answers: Answers,
    events: mpsc::UnboundedSender<&'static str>,
) {
    let _watched = Watched::begin(events);
    let _ = messages.message().await;
    let _ = answers.send(Ok(filled(7))).await;
    answers.closed().await;
}

/// Tells when a call begins and when it is over.
struct Watched(mpsc::UnboundedSender<&'static str>);

impl Watched {
    fn begin(events: mpsc::UnboundedSender<&'static str>) -> Self {
        let _ = events.send("begun");
        Self(events)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.0.send("over");
    }
}
