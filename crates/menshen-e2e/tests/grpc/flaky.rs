//! A service that fails for a while, and a gateway in front of it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use menshen_e2e::TestGateway;
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::Grpc;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::caller::Caller;
use crate::codec::Plain;
use crate::stage::gateway;

/// A caller, a gateway, and the service.
pub struct Scene {
    pub caller: Caller,
    pub flaky: Flaky,
    pub gateway: TestGateway,
}

impl Scene {
    /// A gateway with this document.
    pub async fn new(document: &str) -> Self {
        let flaky = Flaky::default();
        let gateway = gateway(document, flaky.serve());
        Self { caller: Caller::connect(gateway.address()).await, flaky, gateway }
    }
}

/// Answers with what it is sent, message by message, unless it is to fail.
#[derive(Clone, Default)]
pub struct Flaky {
    calls: Arc<AtomicUsize>,
    failures: Arc<Mutex<(usize, Option<Code>)>>,
    /// Its failures say that it wants to be asked again later.
    pushes_back: Arc<AtomicBool>,
}

impl Flaky {
    /// The next calls fail so.
    pub fn fails(&self, calls: usize, code: Code) {
        *self.failures.lock().unwrap() = (calls, Some(code));
    }

    /// The same, and they say that it wants to be asked again after a second.
    pub fn pushes_back(&self, calls: usize, code: Code) {
        self.pushes_back.store(true, Ordering::SeqCst);
        self.fails(calls, code);
    }

    /// How many calls came.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn serve(&self) -> SocketAddr {
        let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap().with_nodelay(Some(true));
        let address = incoming.local_addr().unwrap();
        tokio::spawn(Server::builder().serve_with_incoming(self.clone(), incoming));
        address
    }

    /// The failure of the next call.
    fn next(&self) -> Option<Status> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let mut failures = self.failures.lock().unwrap();
        failures.0 = failures.0.checked_sub(1)?;
        let mut status = failures.1.map(|code| Status::new(code, format!("call {number}")))?;
        if self.pushes_back.load(Ordering::SeqCst) {
            status.metadata_mut().insert("grpc-retry-pushback-ms", "1000".parse().unwrap());
        }
        Some(status)
    }
}

impl Service<http::Request<Body>> for Flaky {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let late = request.uri().path().ends_with("EchoThenFail");
        let method = Method { failure: self.next(), late };
        Box::pin(async move { Ok(Grpc::new(Plain).streaming(method, request).await) })
    }
}

#[derive(Clone)]
struct Method {
    failure: Option<Status>,
    /// It fails behind the first message.
    late: bool,
}

impl Service<Request<Streaming<Bytes>>> for Method {
    type Response = Response<ReceiverStream<Result<Bytes, Status>>>;
    type Error = Status;
    type Future = BoxFuture<Self::Response, Status>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let Self { failure, late } = self.clone();
        Box::pin(async move {
            let mut messages = request.into_inner();
            let (answers, stream) = mpsc::channel(4);
            if let Some(status) = failure.clone().filter(|_| !late) {
                let _ = messages.message().await;
                return Err(status);
            }
            tokio::spawn(async move {
                while let Ok(Some(message)) = messages.message().await {
                    let _ = answers.send(Ok(message)).await;
                    if let Some(status) = &failure {
                        let _ = answers.send(Err(status.clone())).await;
                        return;
                    }
                }
            });
            Ok(Response::new(ReceiverStream::new(stream)))
        })
    }
}
