//! `bench-streams KIND ADDRESS`: the services behind the gateways that `bench-origin` is not: `grpc`, unary calls over
//! HTTP/2 without TLS, and `websocket`, an echo.
//!
//! One thread. Both cost more than `bench-origin`; compare the CPU of gateways, not the rates.

mod grpc;
mod websocket;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use tokio::net::{TcpListener, TcpStream};

/// The services for gRPC and WebSocket of the benchmark kit.
#[derive(Parser)]
struct Options {
    /// What is served.
    kind: Kind,
    /// Where.
    address: SocketAddr,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Unary gRPC calls over HTTP/2 without TLS.
    Grpc,
    /// A WebSocket echo.
    Websocket,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bench-streams: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let Err(error) = tokio::task::LocalSet::new().block_on(&runtime, serve(&options));
    eprintln!("bench-streams: {}: {error}", options.address);
    ExitCode::FAILURE
}

async fn serve(options: &Options) -> std::io::Result<std::convert::Infallible> {
    let listener = TcpListener::bind(options.address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let _ = stream.set_nodelay(true);
        tokio::task::spawn_local(converse(options.kind, stream));
    }
}

async fn converse(kind: Kind, stream: TcpStream) {
    match kind {
        Kind::Grpc => grpc::serve(stream).await,
        Kind::Websocket => websocket::serve(stream).await,
    };
}
