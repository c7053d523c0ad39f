//! Starts the whole demo: two user services, the article service and the gateway.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use menshen_demo::supervisor;

/// Runs the demo until Ctrl-C.
#[derive(Parser)]
struct Options {
    /// The gateway's executable; if left out, the one next to this program.
    #[arg(long)]
    menshen: Option<PathBuf>,
    /// The gateway's configuration; if left out, demo/menshen.yaml of this repository.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    match supervisor::run(options.menshen, options.config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("demo: {trouble}");
            ExitCode::FAILURE
        }
    }
}
