//! One offender: it sends what costs it little and a gateway much, as fast as it is taken, and comes back when it is cut
//! off. What counts is what others notice of it (`steady`), so it should run at a lower priority than they.

mod frames;
mod kinds;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::wire::connect;
use kinds::{Kind, Manner};

/// How long an offender stays away after it was cut off.
const PAUSE: Duration = Duration::from_millis(5);

/// What is done to whom, and for how long.
#[derive(Args)]
pub struct Options {
    /// The gateway.
    #[arg(long)]
    target: SocketAddr,
    /// What is done.
    #[arg(long)]
    kind: Kind,
    /// How long to go on.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// What became of connections.
#[derive(Clone, Copy, Default)]
struct Told {
    connections: u64,
    bytes: u64,
    /// Frames that the first connection sent before it was closed, and how long that took, if it was.
    frames: u64,
    closed_after: Option<f64>,
}

/// Attacks and prints what became of it.
pub async fn run(options: Options) -> io::Result<()> {
    let until = Instant::now() + Duration::from_secs_f64(options.seconds);
    let mut tasks = JoinSet::new();
    for _ in 0..options.kind.at_once() {
        tasks.spawn_local(offend(options.target, options.kind, until));
    }
    let mut all = Told::default();
    while let Some(told) = tasks.join_next().await {
        let told = told.unwrap_or_default();
        let first = if all.connections == 0 { told } else { all };
        all =
            Told { connections: all.connections + told.connections, bytes: all.bytes + told.bytes, ..first };
    }
    println!(
        "{}",
        json!({
            "at_once": options.kind.at_once(), "connections": all.connections, "bytes": all.bytes, "frames": all.frames,
            "closed_after": all.closed_after,
        })
    );
    Ok(())
}

/// One after the other.
async fn offend(target: SocketAddr, kind: Kind, until: Instant) -> Told {
    let mut all = Told::default();
    while Instant::now() < until {
        let Ok(stream) = connect(target, None).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let began = Instant::now();
        let (bytes, frames, closed) = once(stream, kind, until).await;
        if all.connections == 0 {
            all.frames = frames;
            all.closed_after = closed.then(|| began.elapsed().as_secs_f64());
        }
        all.connections += 1;
        all.bytes += bytes;
        tokio::time::sleep(PAUSE).await;
    }
    all
}

/// One connection: bytes and frames that were sent, and whether the gateway closed it.
async fn once(mut stream: TcpStream, kind: Kind, until: Instant) -> (u64, u64, bool) {
    let (mut bytes, mut frames) = (0, 0);
    let mut heard = vec![0; 64 * 1024];
    let mut turn = 0;
    loop {
        let Some((more, count)) = kind.turn(turn) else {
            // All is said; what comes is not read.
            tokio::select! {
                () = closed(&stream) => return (bytes, frames, true),
                () = tokio::time::sleep_until(until.into()) => return (bytes, frames, false),
            }
        };
        turn += 1;
        let (before, length) = (frames, more.len() as u64);
        frames += count;
        let writing = async {
            match kind.manner() {
                // Reads what comes, so that the gateway can go on.
                Manner::Flood => {
                    let (mut from, mut to) = stream.split();
                    let mut written = 0;
                    while written < more.len() {
                        tokio::select! {
                            n = to.write(&more[written..]) => written += n?,
                            n = from.read(&mut heard) => if n? == 0 { return Err(io::ErrorKind::BrokenPipe.into()) },
                        }
                    }
                    // Someone else may want the core.
                    tokio::task::yield_now().await;
                    Ok::<_, io::Error>(())
                }
                Manner::Slow => {
                    stream.write_all(&more).await?;
                    tokio::select! {
                        () = closed(&stream) => Err(io::ErrorKind::BrokenPipe.into()),
                        () = tokio::time::sleep(kinds::DRIP) => Ok(()),
                    }
                }
            }
        };
        tokio::select! {
            written = writing => {
                // The rest of somebody slow is a pause; the rest of a flood was not taken.
                if written.is_err() {
                    return (bytes, if matches!(kind.manner(), Manner::Flood) { before } else { frames }, true);
                }
            }
            () = tokio::time::sleep_until(until.into()) => return (bytes + length, frames, false),
        }
        bytes += length;
    }
}

/// Returns when the gateway has closed, reading nothing.
async fn closed(stream: &TcpStream) {
    loop {
        let state = stream.ready(tokio::io::Interest::READABLE).await;
        if state.map_or(true, |s| s.is_read_closed()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
