//! `menshen`: the command line.

mod cli;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(why) => {
            eprintln!("menshen: {why}");
            ExitCode::FAILURE
        }
    }
}
