//! One gRPC call, checked: a load that sees statuses only would take a failure for an answer, because both are 200.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use clap::Args;
use http::Request;
use serde_json::json;
use tokio::time::timeout;

use crate::wire::{Fault, PATIENCE, connect};

/// A message of two bytes behind its five bytes of frame.
const MESSAGE: &[u8] = b"\0\0\0\0\x02hi";

/// Where to.
#[derive(Args)]
pub struct Options {
    /// The gateway; it is spoken to in HTTP/2 without TLS.
    #[arg(long)]
    target: SocketAddr,
}

/// Calls, and fails if the answer is not the echo with status 0.
pub async fn run(options: Options) -> io::Result<()> {
    let called = timeout(PATIENCE, call(options.target)).await.unwrap_or(Err(Fault::TimedOut));
    called.map_err(|fault| io::Error::other(format!("the call failed: {}", fault.name())))?;
    println!("{}", json!({ "called": true }));
    Ok(())
}

async fn call(target: SocketAddr) -> Result<(), Fault> {
    let stream = connect(target, None).await?;
    let (sender, connection) = h2::client::handshake(stream).await.map_err(|_| Fault::ClosedBeforeReply)?;
    tokio::task::spawn_local(connection);
    let mut sender = sender.ready().await.map_err(|_| Fault::ClosedBeforeReply)?;
    let request = Request::post("http://bench.test/bench.Echo/Call")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .map_err(|_| Fault::Malformed)?;
    let (reply, mut body) = sender.send_request(request, false).map_err(|_| Fault::ClosedBeforeReply)?;
    body.send_data(Bytes::from_static(MESSAGE), true).map_err(|_| Fault::ResetBeforeReply)?;
    let mut body = reply.await.map_err(|_| Fault::ResetBeforeReply)?.into_body();
    let mut message = Vec::new();
    while let Some(piece) = body.data().await {
        message.extend_from_slice(&piece.map_err(|_| Fault::Truncated)?);
    }
    let trailers = body.trailers().await.map_err(|_| Fault::Truncated)?.unwrap_or_default();
    match trailers.get("grpc-status").map(|v| v.as_bytes()) {
        Some(b"0") if message == MESSAGE => Ok(()),
        Some(b"0") => Err(Fault::WrongBody),
        _ => Err(Fault::WrongStatus),
    }
}
