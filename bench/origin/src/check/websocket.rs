//! Messages over WebSocket in closed loops: each connection sends the next one when the echo of the last is there.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::figures::figures;
use crate::wire::{Fault, PATIENCE, connect};

/// The longest payload whose length fits into the second byte of a frame (RFC 6455 §5.2).
const PAYLOAD: usize = 125;

/// Where to, and how many.
#[derive(Args)]
pub struct Options {
    /// The gateway.
    #[arg(long)]
    target: SocketAddr,
    /// How long to go on.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How many connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
}

/// Makes the load and prints its figures.
pub async fn run(options: Options) -> io::Result<()> {
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(options.seconds);
    let (latencies, errors) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..options.connections {
        let (latencies, errors) = (latencies.clone(), errors.clone());
        tasks.spawn_local(async move {
            if let Err(fault) = messages(options.target, until, &latencies).await {
                eprintln!("bench-check: {}", fault.name());
                errors.set(errors.get() + 1);
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    println!("{}", figures(latencies.take(), began.elapsed().as_secs_f64(), errors.get()));
    Ok(())
}

/// One connection: an upgrade, then echoes.
async fn messages(target: SocketAddr, until: Instant, latencies: &RefCell<Vec<u64>>) -> Result<(), Fault> {
    let mut stream = connect(target, None).await?;
    timeout(PATIENCE, upgrade(&mut stream)).await.map_err(|_| Fault::TimedOut)??;
    const MASK: [u8; 4] = [1, 2, 3, 4];
    let plain: Vec<u8> = (0..PAYLOAD).map(|n| n as u8).collect();
    let masked = plain.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    let frame: Vec<u8> = [0x82, 0x80 | PAYLOAD as u8].into_iter().chain(MASK).chain(masked).collect();
    let mut echo = [0; 2 + PAYLOAD];
    while Instant::now() < until {
        let sent = Instant::now();
        stream.write_all(&frame).await.map_err(|_| Fault::ResetBeforeReply)?;
        let read = timeout(PATIENCE, stream.read_exact(&mut echo)).await.map_err(|_| Fault::TimedOut)?;
        read.map_err(|_| Fault::Truncated)?;
        if echo[..2] != [0x82, PAYLOAD as u8] || echo[2..] != plain[..] {
            return Err(Fault::WrongBody);
        }
        latencies.borrow_mut().push(sent.elapsed().as_micros() as u64);
    }
    Ok(())
}

async fn upgrade(stream: &mut TcpStream) -> Result<(), Fault> {
    let request = "GET /echo HTTP/1.1\r\nhost: bench.test\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.map_err(|_| Fault::ResetBeforeReply)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.map_err(|_| Fault::ClosedBeforeReply)?);
    }
    if head.starts_with(b"HTTP/1.1 101") { Ok(()) } else { Err(Fault::WrongStatus) }
}
