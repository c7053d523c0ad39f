//! A well-behaved client: small requests at a fixed rate over one connection. A latency counts from when the request was due,
//! so that a gateway that stands still is not forgiven for the requests that could not be sent meanwhile.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::{Args, ValueEnum};
use h2::client::SendRequest;
use http::Request;
use tokio::time::timeout;

use crate::figures::figures;
use crate::wire::{Connection, Fault, connect};

/// A request that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is spoken, without TLS.
#[derive(Clone, Copy, ValueEnum)]
enum Protocol {
    /// HTTP/1.1
    #[value(name = "http/1.1")]
    Http1,
    /// HTTP/2
    H2,
}

/// Where to, how often, and for how long.
#[derive(Args)]
pub struct Options {
    /// The gateway.
    #[arg(long)]
    target: SocketAddr,
    /// What is spoken.
    #[arg(long)]
    protocol: Protocol,
    /// How long to go on.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Requests per second.
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
}

enum Caller {
    Http1(Connection),
    H2(SendRequest<Bytes>),
}

/// Makes the requests and prints their figures.
pub async fn run(options: Options) -> io::Result<()> {
    let began = Instant::now();
    let pause = Duration::from_secs_f64(1.0 / options.rate);
    let (mut latencies, mut errors) = (Vec::new(), 0);
    let mut caller = None;
    let mut due = began;
    while due < began + Duration::from_secs_f64(options.seconds) {
        // The runtime's timers go by the millisecond, which is more than is measured.
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        match timeout(PATIENCE, ask(&mut caller, &options)).await.unwrap_or(Err(Fault::TimedOut)) {
            Ok(()) => latencies.push(due.elapsed().as_micros() as u64),
            Err(fault) => {
                eprintln!("bench-check: {}", fault.name());
                errors += 1;
                caller = None;
            }
        }
        due += pause;
    }
    println!("{}", figures(latencies, began.elapsed().as_secs_f64(), errors));
    Ok(())
}

async fn ask(caller: &mut Option<Caller>, options: &Options) -> Result<(), Fault> {
    if caller.is_none() {
        let stream = connect(options.target, None).await?;
        *caller = Some(match options.protocol {
            Protocol::Http1 => Caller::Http1(Connection::over(stream)),
            Protocol::H2 => {
                let (sender, connection) =
                    h2::client::handshake(stream).await.map_err(|_| Fault::ClosedBeforeReply)?;
                tokio::task::spawn_local(connection);
                Caller::H2(sender)
            }
        });
    }
    let status = match caller {
        Some(Caller::Http1(connection)) => connection.get("/s").await?.status,
        Some(Caller::H2(sender)) => ask_h2(sender).await?,
        None => return Err(Fault::NotConnected),
    };
    if status == 200 { Ok(()) } else { Err(Fault::WrongStatus) }
}

async fn ask_h2(sender: &mut SendRequest<Bytes>) -> Result<u16, Fault> {
    let request = Request::get("http://bench.test/s").body(()).map_err(|_| Fault::Malformed)?;
    let mut sender = sender.clone().ready().await.map_err(|_| Fault::ClosedBeforeReply)?;
    let (reply, _) = sender.send_request(request, true).map_err(|_| Fault::ClosedBeforeReply)?;
    let mut reply = reply.await.map_err(|_| Fault::ClosedBeforeReply)?;
    while let Some(bytes) = reply.body_mut().data().await {
        let bytes = bytes.map_err(|_| Fault::Truncated)?;
        let _ = reply.body_mut().flow_control().release_capacity(bytes.len());
    }
    Ok(reply.status().as_u16())
}
