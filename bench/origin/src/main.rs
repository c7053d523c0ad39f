//! `bench-origin ADDRESS`: the server behind the gateways in the benchmarks.
//!
//! One thread, one epoll, prebuilt replies. It is made to cost little, so that the gateway in front of it is what
//! a benchmark measures. What it answers is listed in [`reply`].

mod connection;
mod reply;
mod request;
mod server;

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(address) = std::env::args().nth(1).and_then(|text| text.parse().ok()) else {
        eprintln!("usage: bench-origin ADDRESS:PORT");
        return ExitCode::from(2);
    };
    match server::serve(address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-origin: {address}: {error}");
            ExitCode::FAILURE
        }
    }
}
