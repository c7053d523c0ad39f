//! The article service.

use std::io;
use std::net::SocketAddr;

use clap::Parser;
use menshen_demo::articles::router;
use menshen_demo::serving::serve;
use tokio::net::TcpListener;

/// Serves articles with their authors.
#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9003")]
    listen: SocketAddr,
    /// The gateway, through which authors are looked up.
    #[arg(long, default_value = "http://127.0.0.1:8001")]
    gateway: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(options.listen).await?;
    println!("article-service listens on {}", listener.local_addr()?);
    serve(listener, router(options.gateway)).await
}
