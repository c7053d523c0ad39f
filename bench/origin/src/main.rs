//! `bench-origin [MICROSECONDS] ADDRESS`: the server behind the gateways in the benchmarks.
//!
//! One thread, one epoll, prebuilt replies. It is made to cost little, so that the gateway in front of it is what
//! a benchmark measures. What it answers is listed in [`reply`].

mod connection;
mod reply;
mod request;
mod server;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((address, takes)) = read(&arguments) else {
        eprintln!("usage: bench-origin [MICROSECONDS] ADDRESS:PORT");
        return ExitCode::from(2);
    };
    match server::serve(address, takes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-origin: {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read(arguments: &[String]) -> Option<(SocketAddr, Option<Duration>)> {
    match arguments {
        [address] => Some((address.parse().ok()?, None)),
        [takes, address] => Some((address.parse().ok()?, Some(Duration::from_micros(takes.parse().ok()?)))),
        _ => None,
    }
}
