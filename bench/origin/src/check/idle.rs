//! Many connections that ask once and then stay open.

use std::any::Any;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use bytes::Bytes;
use clap::Args;
use h2::client::SendRequest;
use http::Request;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;

use crate::tally::Tally;
use crate::tls::{Client, Handshakes, Protocol};
use crate::wire::{Connection, Fault, connect};

/// How many connections are being opened at once.
const OPENING: usize = 64;
/// How many connections leave from one source address: fewer than there are ephemeral ports.
const PER_SOURCE: usize = 5_000;

/// How many connections, and where to.
#[derive(Args)]
pub struct Options {
    /// The gateway, on a loopback address.
    #[arg(long)]
    target: SocketAddr,
    /// How many connections to hold.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Speak TLS, and this inside it.
    #[arg(long)]
    tls: Option<Protocol>,
}

/// Opens the connections, prints the counts, and holds them until standard input ends.
pub async fn run(options: Options) -> io::Result<()> {
    let client = options.tls.map(|protocol| Client::new(protocol, Handshakes::Full));
    let client = Rc::new(client.transpose().map_err(io::Error::other)?);
    let tally = Rc::new(Tally::default());
    let opening = Rc::new(Semaphore::new(OPENING));
    let mut tasks = JoinSet::new();
    for number in 0..options.connections {
        let (client, tally, opening) = (client.clone(), tally.clone(), opening.clone());
        tasks.spawn_local(async move {
            let _turn = opening.acquire().await.ok()?;
            match open(options.target, source(number), Option::as_ref(&client)).await {
                Ok(connection) => {
                    tally.answered("any");
                    Some(connection)
                }
                Err(fault) => {
                    tally.failed(fault);
                    None
                }
            }
        });
    }
    let mut held = Vec::with_capacity(options.connections);
    while let Some(outcome) = tasks.join_next().await {
        held.extend(outcome.ok().flatten());
    }
    println!("{}", json!({ "open": held.len(), "counts": tally.report() }));
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Opens a connection and asks once; it stays open for as long as what is returned is kept.
async fn open(target: SocketAddr, source: IpAddr, client: Option<&Client>) -> Result<Box<dyn Any>, Fault> {
    let socket = connect(target, Some(source)).await?;
    let Some(client) = client else { return ask(Connection::over(socket)).await };
    let stream = client.open(socket).await?;
    match client.protocol {
        Protocol::Http1 => ask(Connection::over(stream)).await,
        Protocol::H2 => ask_h2(stream).await,
    }
}

async fn ask(mut connection: Connection) -> Result<Box<dyn Any>, Fault> {
    match connection.get("/s").await?.status {
        200 => Ok(Box::new(connection)),
        _ => Err(Fault::WrongStatus),
    }
}

async fn ask_h2(stream: TlsStream<TcpStream>) -> Result<Box<dyn Any>, Fault> {
    let (mut sender, connection): (SendRequest<Bytes>, _) =
        h2::client::handshake(stream).await.map_err(|_| Fault::ClosedBeforeReply)?;
    tokio::task::spawn_local(connection);
    let request = Request::get("https://bench.test/s").body(()).map_err(|_| Fault::Malformed)?;
    let (reply, _) = sender.send_request(request, true).map_err(|_| Fault::ClosedBeforeReply)?;
    let mut reply = reply.await.map_err(|_| Fault::ClosedBeforeReply)?;
    while let Some(bytes) = reply.body_mut().data().await {
        bytes.map_err(|_| Fault::Truncated)?;
    }
    // The connection goes on for as long as there is someone who could send.
    if reply.status() == 200 { Ok(Box::new(sender)) } else { Err(Fault::WrongStatus) }
}

/// The loopback address that a connection leaves from.
fn source(number: usize) -> IpAddr {
    let host = u8::try_from(2 + number / PER_SOURCE).unwrap_or(u8::MAX);
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, host))
}
