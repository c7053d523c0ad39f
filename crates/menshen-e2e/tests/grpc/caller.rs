//! A caller: one connection to the gateway.

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::sync::mpsc;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::codec::Plain;

/// A caller; clones share the connection.
#[derive(Clone)]
pub struct Caller(Grpc<Channel>);

/// An answer to one message.
pub type Answer = Result<Response<Bytes>, Status>;

impl Caller {
    pub async fn connect(to: SocketAddr) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{to}")).unwrap();
        Self(Grpc::new(endpoint.connect().await.unwrap()))
    }

    /// One message for one message.
    pub async fn unary(&self, method: &'static str, request: Request<Bytes>) -> Answer {
        self.ready().await.unary(request, PathAndQuery::from_static(method), Plain).await
    }

    /// The same with nothing said about the call.
    pub async fn ask(&self, method: &'static str, message: impl Into<Bytes>) -> Answer {
        self.unary(method, Request::new(message.into())).await
    }

    /// Many messages for one message.
    pub async fn send(&self, method: &'static str, messages: ReceiverStream<Bytes>) -> Answer {
        let path = PathAndQuery::from_static(method);
        self.ready().await.client_streaming(Request::new(messages), path, Plain).await
    }

    /// One message for many.
    pub async fn listen(
        &self,
        method: &'static str,
        message: Bytes,
    ) -> Result<Response<Streaming<Bytes>>, Status> {
        let path = PathAndQuery::from_static(method);
        self.ready().await.server_streaming(Request::new(message), path, Plain).await
    }

    /// Many messages for many.
    pub async fn talk(
        &self,
        method: &'static str,
        messages: Request<ReceiverStream<Bytes>>,
    ) -> Result<Response<Streaming<Bytes>>, Status> {
        self.ready().await.streaming(messages, PathAndQuery::from_static(method), Plain).await
    }

    async fn ready(&self) -> Grpc<Channel> {
        let mut grpc = self.0.clone();
        grpc.ready().await.unwrap();
        grpc
    }
}

/// Messages that are sent as they are put in.
pub fn messages() -> (mpsc::Sender<Bytes>, ReceiverStream<Bytes>) {
    let (sender, receiver) = mpsc::channel(4);
    (sender, ReceiverStream::new(receiver))
}

/// The sizes of all messages that come, and how the stream ends.
pub async fn all_of(mut stream: Streaming<Bytes>) -> (Vec<usize>, Code) {
    let mut sizes = Vec::new();
    loop {
        match stream.message().await {
            Ok(Some(message)) => sizes.push(message.len()),
            Ok(None) => return (sizes, Code::Ok),
            Err(status) => return (sizes, status.code()),
        }
    }
}
