//! TLS connections in closed loops, one request on each.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use rustls::HandshakeKind;
use tokio::task::JoinSet;

use crate::figures::figures;
use crate::tally::Tally;
use crate::tls::{Client, Handshakes, Protocol};
use crate::wire::{Connection, Fault, connect};

/// Source addresses in turn, so that the ports of those just closed do not run out.
const SOURCES: u8 = 16;

/// Which handshakes, and how many at once.
#[derive(Args)]
pub struct Options {
    /// The gateway, on a loopback address.
    #[arg(long)]
    target: SocketAddr,
    /// How long to go on.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How many connections at once.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Resume sessions.
    #[arg(long)]
    resume: bool,
}

/// What all loops share.
struct Shared {
    target: SocketAddr,
    handshakes: Handshakes,
    until: Instant,
    source: Cell<u8>,
    tally: Tally,
    /// Microseconds from the start of connecting to the end of the answer.
    latencies: RefCell<Vec<u64>>,
}

/// Makes the load and prints the same line as `wrk/report.lua`.
pub async fn run(options: Options) -> io::Result<()> {
    let began = Instant::now();
    let shared = Rc::new(Shared {
        target: options.target,
        handshakes: if options.resume { Handshakes::Resumed } else { Handshakes::Full },
        until: began + Duration::from_secs_f64(options.seconds),
        source: Cell::default(),
        tally: Tally::default(),
        latencies: RefCell::default(),
    });
    let mut tasks = JoinSet::new();
    for _ in 0..options.connections {
        // Each with sessions of its own: a ticket is good for one connection.
        let client = Client::new(Protocol::Http1, shared.handshakes).map_err(io::Error::other)?;
        tasks.spawn_local(connections(shared.clone(), client));
    }
    while tasks.join_next().await.is_some() {}
    let seconds = began.elapsed().as_secs_f64();
    let report = shared.tally.report();
    if report["failed"] != 0 {
        eprintln!("bench-check: failures: {}", report["failures"]);
    }
    println!("{}", figures(shared.latencies.take(), seconds, report["failed"].as_u64().unwrap_or(0)));
    Ok(())
}

/// One closed loop.
async fn connections(shared: Rc<Shared>, client: Client) {
    // The first one cannot resume anything.
    let mut expected = HandshakeKind::Full;
    while Instant::now() < shared.until {
        let began = Instant::now();
        match connection(&shared, &client, expected).await {
            Ok(()) => shared.latencies.borrow_mut().push(began.elapsed().as_micros() as u64),
            Err(fault) => shared.tally.failed(fault),
        }
        if shared.handshakes == Handshakes::Resumed {
            expected = HandshakeKind::Resumed;
        }
    }
}

/// One connection with one request; the gateway closes it.
async fn connection(shared: &Shared, client: &Client, expected: HandshakeKind) -> Result<(), Fault> {
    let number = shared.source.get();
    shared.source.set((number + 1) % SOURCES);
    let socket = connect(shared.target, Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2 + number)))).await?;
    let stream = client.open(socket).await?;
    if stream.get_ref().1.handshake_kind() != Some(expected) {
        return Err(Fault::WrongHandshake);
    }
    match Connection::over(stream).last("/s").await?.status {
        200 => Ok(()),
        _ => Err(Fault::WrongStatus),
    }
}
