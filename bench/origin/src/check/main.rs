//! `bench-check`: the loads that wrk cannot make, with every answer checked.
//!
//! - `run`: closed-loop requests, slow requests and long streams for some time, counting failures by kind; the
//!   gateway may be stopped in the middle of it;
//! - `handshakes`: TLS connections in closed loops, one request on each, their handshakes full or resumed;
//! - `call`: one gRPC call, before h2load makes many;
//! - `websocket`: messages over WebSocket in closed loops;
//! - `steady`: a well-behaved client with a fixed rate, and `attack`: one that is not;
//! - `waiting`: clients of a service that hangs;
//! - `idle`: many connections that ask once and then stay open until standard input ends.
//!
//! One thread, so that "before the stop" and "after it" are facts and not guesses. The result is one line of
//! JSON on standard output.

mod attack;
mod call;
mod figures;
mod handshakes;
mod idle;
mod reading;
mod run;
mod steady;
mod tally;
mod tls;
mod waiting;
mod websocket;
mod wire;

use std::process::ExitCode;

use clap::Parser;

/// The load checker of the benchmark kit.
#[derive(Parser)]
enum Command {
    /// Requests and streams in closed loops, every answer checked.
    Run(run::Options),
    /// TLS connections with one request each.
    Handshakes(handshakes::Options),
    /// One gRPC call, checked.
    Call(call::Options),
    /// Messages over WebSocket in closed loops.
    Websocket(websocket::Options),
    /// A well-behaved client with a fixed rate.
    Steady(steady::Options),
    /// Clients of a service that hangs.
    Waiting(waiting::Options),
    /// An offender.
    Attack(attack::Options),
    /// Idle connections after one request each.
    Idle(idle::Options),
}

fn main() -> ExitCode {
    let command = Command::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bench-check: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let local = tokio::task::LocalSet::new();
    let outcome = local.block_on(&runtime, async {
        match command {
            Command::Run(options) => run::run(options).await,
            Command::Handshakes(options) => handshakes::run(options).await,
            Command::Call(options) => call::run(options).await,
            Command::Websocket(options) => websocket::run(options).await,
            Command::Steady(options) => steady::run(options).await,
            Command::Waiting(options) => waiting::run(options).await,
            Command::Attack(options) => attack::run(options).await,
            Command::Idle(options) => idle::run(options).await,
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-check: {error}");
            ExitCode::FAILURE
        }
    }
}
