//! The service of library.proto: it answers what it is sent.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};

use bytes::Bytes;
use prost_reflect::prost::{self, Message};
use tokio::sync::mpsc as queue;
use tonic::body::Body;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::Grpc;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::codec::Plain;

/// The heads of the calls that came, as `path field: value …`.
pub type Calls = Arc<Mutex<Vec<String>>>;

/// The descriptors, as protoc writes them.
pub fn descriptors() -> Vec<u8> {
    let mut compiler = protox::Compiler::new([super::protos()]).unwrap();
    compiler.include_imports(true).open_file("library.proto").unwrap();
    compiler.encode_file_descriptor_set()
}

/// What the service looks at in a book.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(prost_path = "prost_reflect::prost")]
struct Wanted {
    #[prost(string, tag = "2")]
    title: String,
    #[prost(uint32, tag = "30")]
    count: u32,
    #[prost(int32, tag = "31")]
    code: i32,
}

/// What is answered to many books.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(prost_path = "prost_reflect::prost")]
struct Sum {
    #[prost(string, tag = "2")]
    title: String,
    #[prost(uint32, tag = "30")]
    count: u32,
}

/// google.api.HttpBody.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(prost_path = "prost_reflect::prost")]
struct HttpBody {
    #[prost(string, tag = "1")]
    content_type: String,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
}

/// google.rpc.Status, and what it holds.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(prost_path = "prost_reflect::prost")]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_reflect::prost_types::Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(prost_path = "prost_reflect::prost")]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
}

impl Wanted {
    /// A piece of content of any type; only the first says which.
    fn piece(&self, number: u32) -> HttpBody {
        let content_type = if number == 0 { "image/png" } else { "text/later" };
        HttpBody { content_type: content_type.to_owned(), data: format!("{}{number}", self.title).into() }
    }

    fn status(&self) -> Status {
        let detail = |name: &str| prost_reflect::prost_types::Any {
            type_url: format!("type.googleapis.com/{name}"),
            value: ErrorInfo { reason: "TESTED".to_owned() }.encode_to_vec(),
        };
        let details = vec![detail("google.rpc.ErrorInfo"), detail("acme.Unknown")];
        let details = RpcStatus { code: self.code, details }.encode_to_vec();
        Status::with_details(Code::from_i32(self.code), &*self.title, details.into())
    }
}

#[derive(Clone)]
pub struct Library(Calls);

impl Library {
    /// Serves on a free port, on a thread of its own.
    pub fn open() -> (SocketAddr, Calls) {
        let (sender, address) = mpsc::channel();
        let calls = Calls::default();
        let library = Self(calls.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
                sender.send(incoming.local_addr().unwrap()).unwrap();
                Server::builder().serve_with_incoming(library, incoming).await
            })
        });
        (address.recv().unwrap(), calls)
    }
}

impl Service<http::Request<Body>> for Library {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let fields =
            request.headers().iter().map(|(n, v)| format!(" {n}: {}", v.to_str().unwrap_or_default()));
        let head = format!("{} {}{}", request.method(), request.uri().path(), fields.collect::<String>());
        let earlier = {
            let mut calls = self.0.lock().unwrap();
            calls.push(head);
            calls.len() - 1
        };
        let method = Method { name: request.uri().path().to_owned(), earlier };
        Box::pin(async move { Ok(Grpc::new(Plain).streaming(method, request).await) })
    }
}

#[derive(Clone)]
struct Method {
    name: String,
    /// How many calls came before this one.
    earlier: usize,
}

impl Service<Request<Streaming<Bytes>>> for Method {
    type Response = Response<ReceiverStream<Result<Bytes, Status>>>;
    type Error = Status;
    type Future = BoxFuture<Self::Response, Status>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let Self { name, earlier } = self.clone();
        Box::pin(async move {
            let mut messages = request.into_inner();
            let message = messages.message().await?.unwrap_or_default();
            let wanted = Wanted::decode(message.clone()).unwrap_or_default();
            let (answers, stream) = queue::channel(8);
            match name.rsplit('/').next().unwrap_or_default() {
                "Fail" if wanted.count == 0 => return Err(wanted.status()),
                // Only the first so many calls fail.
                "Fail" if earlier < wanted.count as usize => return Err(wanted.status()),
                "Hang" => std::future::pending().await,
                "List" | "FailStream" => {
                    tokio::spawn(async move {
                        for _ in 0..wanted.count {
                            let _ = answers.send(Ok(message.clone())).await;
                        }
                        if wanted.code != 0 {
                            let _ = answers.send(Err(wanted.status())).await;
                        }
                    });
                }
                "Download" => {
                    let pieces = (0..wanted.count).map(|n| wanted.piece(n).encode_to_vec().into());
                    let end = (wanted.code != 0).then(|| Err(wanted.status()));
                    let all: Vec<_> = pieces.map(Ok).chain(end).collect();
                    tokio::spawn(async move {
                        for answer in all {
                            let _ = answers.send(answer).await;
                        }
                    });
                }
                "Collect" => {
                    let mut all = Sum { count: u32::from(!message.is_empty()), title: wanted.title };
                    while let Some(next) = messages.message().await? {
                        all.count += 1;
                        all.title += &Wanted::decode(next).unwrap_or_default().title;
                    }
                    let _ = answers.send(Ok(all.encode_to_vec().into())).await;
                }
                "Copy" | "Scan" | "Talk" | "Tag" => {
                    tokio::spawn(async move {
                        let mut next = Some(message).filter(|message| !message.is_empty());
                        while let Some(message) = next {
                            let _ = answers.send(Ok(message)).await;
                            next = messages.message().await.ok().flatten();
                        }
                    });
                }
                _ => drop(answers.send(Ok(message)).await),
            }
            let mut response = Response::new(ReceiverStream::new(stream));
            response.metadata_mut().insert("x-library", "open".parse().unwrap());
            Ok(response)
        })
    }
}
