//! Requests, slow requests and streams in closed loops, with the gateway stopped in the middle if so wished.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use tokio::task::JoinSet;

use crate::reading::{Fate, Reply};
use crate::tally::Tally;
use crate::wire::{Connection, Fault, connect};

/// What to load the gateway with.
#[derive(Args)]
pub struct Options {
    /// The gateway.
    #[arg(long)]
    target: SocketAddr,
    /// How long to go on.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Connections that ask for `/generation` as fast as they are answered.
    #[arg(long, default_value_t = 32)]
    fast: usize,
    /// Connections that ask for `/delay/MS`.
    #[arg(long, default_value_t = 0)]
    slow: usize,
    /// The delay of the slow requests.
    #[arg(long, default_value_t = 300)]
    slow_ms: u32,
    /// Connections that ask for `/stream/MS`.
    #[arg(long, default_value_t = 0)]
    streams: usize,
    /// The length of a stream.
    #[arg(long, default_value_t = 2000)]
    stream_ms: u32,
    /// A command that tells the gateway to stop. What is sent after it may fail.
    #[arg(long)]
    stop: Option<String>,
    /// When to run it.
    #[arg(long, default_value_t = 2.0)]
    stop_at: f64,
}

/// What all connections know.
struct Shared {
    target: SocketAddr,
    until: Instant,
    /// The gateway has been told to stop: what is sent from now on may be refused.
    stopping: Cell<Stopping>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopping {
    No,
    Yes,
}

/// Makes the load and prints the counts.
pub async fn run(options: Options) -> io::Result<()> {
    let until = Instant::now() + Duration::from_secs_f64(options.seconds);
    let shared = Rc::new(Shared { target: options.target, until, stopping: Cell::new(Stopping::No) });
    let kinds = [
        ("fast", options.fast, "/generation".to_owned()),
        ("slow", options.slow, format!("/delay/{}", options.slow_ms)),
        ("streams", options.streams, format!("/stream/{}", options.stream_ms)),
    ];
    let mut tasks = JoinSet::new();
    let mut tallies = Vec::new();
    for (name, count, path) in kinds {
        let tally = Rc::new(Tally::default());
        tallies.push((name, tally.clone()));
        for _ in 0..count {
            tasks.spawn_local(connection(shared.clone(), tally.clone(), path.clone()));
        }
    }
    if let Some(command) = &options.stop {
        tokio::time::sleep(Duration::from_secs_f64(options.stop_at)).await;
        // On this thread, so that no request leaves while it runs.
        shared.stopping.set(Stopping::Yes);
        let status = Command::new("sh").args(["-c", command]).status()?;
        if !status.success() {
            return Err(io::Error::other(format!("{command}: {status}")));
        }
    }
    while tasks.join_next().await.is_some() {}
    let report: serde_json::Map<_, _> =
        tallies.iter().map(|(name, tally)| ((*name).to_owned(), tally.report())).collect();
    println!("{}", json!(report));
    Ok(())
}

/// One closed loop: ask, check, ask again, on one connection for as long as it lasts.
async fn connection(shared: Rc<Shared>, tally: Rc<Tally>, path: String) {
    let mut open = None;
    while Instant::now() < shared.until {
        match ask(&shared, &mut open, &path).await {
            Ok(generation) => tally.answered(&generation),
            Err((fault, Stopping::No)) => {
                tally.failed(fault);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err((fault, Stopping::Yes)) => {
                tally.excused(fault);
                return;
            }
        }
    }
}

/// One request. A failure comes with whether the gateway had been told to stop when the request was sent.
async fn ask(
    shared: &Shared,
    open: &mut Option<Connection>,
    path: &str,
) -> Result<String, (Fault, Stopping)> {
    let mut connection = match open.take() {
        Some(connection) => connection,
        None => {
            let socket = connect(shared.target, None).await;
            Connection::over(socket.map_err(|fault| (fault, shared.stopping.get()))?)
        }
    };
    let sent = shared.stopping.get();
    let reply = connection.get(path).await.map_err(|fault| (fault, sent))?;
    let generation = checked(path, &reply).map_err(|fault| (fault, sent))?;
    if reply.connection == Fate::KeepAlive {
        *open = Some(connection);
    }
    Ok(generation)
}

/// The generation that made a reply, if it is whole and right.
fn checked(path: &str, reply: &Reply) -> Result<String, Fault> {
    if reply.status != 200 {
        return Err(Fault::WrongStatus);
    }
    let generation = reply.generation.as_deref().unwrap_or("none");
    if path == "/generation" && reply.body.trim_ascii() != generation.as_bytes() {
        return Err(Fault::Mixed);
    }
    if path.starts_with("/stream/") && !in_order(&reply.body) {
        return Err(Fault::WrongBody);
    }
    Ok(generation.to_owned())
}

/// Whether the lines of a stream are 0, 1, 2 and so on.
fn in_order(body: &[u8]) -> bool {
    let lines = body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.enumerate().all(|(number, line)| line == format!("{number:05}").as_bytes())
}
