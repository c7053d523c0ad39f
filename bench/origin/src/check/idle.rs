//! Many keep-alive connections that ask once and then stay open.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use clap::Args;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::tally::Tally;
use crate::wire::Connection;

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
}

/// Opens the connections, prints the counts, and holds them until standard input ends.
pub async fn run(options: Options) -> io::Result<()> {
    let tally = Rc::new(Tally::default());
    let opening = Rc::new(Semaphore::new(OPENING));
    let mut tasks = JoinSet::new();
    for number in 0..options.connections {
        let (tally, opening) = (tally.clone(), opening.clone());
        tasks.spawn_local(async move {
            let _turn = opening.acquire().await.ok()?;
            open(options.target, source(number), &tally).await
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

async fn open(target: SocketAddr, source: IpAddr, tally: &Tally) -> Option<Connection> {
    let outcome = async {
        let mut connection = Connection::open(target, Some(source)).await?;
        connection.get("/s").await?;
        Ok(connection)
    };
    match outcome.await {
        Ok(connection) => {
            tally.answered("any");
            Some(connection)
        }
        Err(fault) => {
            tally.failed(fault);
            None
        }
    }
}

/// The loopback address that a connection leaves from.
fn source(number: usize) -> IpAddr {
    let host = u8::try_from(2 + number / PER_SOURCE).unwrap_or(u8::MAX);
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, host))
}
