//! Clients of a service that hangs: each asks, waits until the gateway gives up with 504, and asks again. They begin one after
//! the other over a second, so that they are not all given up at once.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::figures::figures;
use crate::reading::Fate;
use crate::wire::{Connection, Fault, connect};

/// Where to, what for, and how many.
#[derive(Args)]
pub struct Options {
    /// The gateway.
    #[arg(long)]
    target: SocketAddr,
    /// What is asked for.
    #[arg(long)]
    path: String,
    /// How long to go on.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How many clients.
    #[arg(long, default_value_t = 500)]
    connections: u32,
}

/// Asks and waits; prints how long it took to be given up.
pub async fn run(options: Options) -> io::Result<()> {
    let began = Instant::now();
    let time = Duration::from_secs_f64(options.seconds);
    let options = Rc::new(options);
    let (latencies, errors) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(0)));
    let mut clients = JoinSet::new();
    for number in 0..options.connections {
        let (options, latencies, errors) = (options.clone(), latencies.clone(), errors.clone());
        clients.spawn_local(async move {
            sleep(Duration::from_secs(1) * number / options.connections).await;
            let mut connection = None;
            loop {
                let asked = Instant::now();
                match ask(&mut connection, &options).await {
                    Ok(()) => latencies.borrow_mut().push(asked.elapsed().as_micros() as u64),
                    Err(fault) => {
                        eprintln!("bench-check: {}", fault.name());
                        errors.set(errors.get() + 1);
                        connection = None;
                    }
                }
            }
        });
    }
    // Those who wait when it is over are neither answered nor failed.
    let _ = timeout(time, clients.join_next()).await;
    clients.shutdown().await;
    println!("{}", figures(latencies.take(), began.elapsed().as_secs_f64(), errors.get()));
    Ok(())
}

/// Asks once; the connection stays if the gateway lets it.
async fn ask(connection: &mut Option<Connection>, options: &Options) -> Result<(), Fault> {
    let asked = match connection {
        Some(asked) => asked,
        None => connection.insert(Connection::over(connect(options.target, None).await?)),
    };
    let reply = asked.get(&options.path).await?;
    if reply.connection == Fate::Close {
        *connection = None;
    }
    if reply.status == 504 { Ok(()) } else { Err(Fault::WrongStatus) }
}
