//! One instance of the user service.

use std::io;
use std::net::SocketAddr;

use clap::Parser;
use menshen_demo::replication::{Replication, catch_up};
use menshen_demo::serving::serve;
use menshen_demo::users::{Instance, Users, router};
use tokio::net::TcpListener;

/// Keeps users in memory, together with its peer.
#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9001")]
    listen: SocketAddr,
    /// Which instance this is.
    #[arg(long, default_value = "user-1")]
    instance: Instance,
    /// The other instance, such as http://127.0.0.1:9002.
    #[arg(long)]
    peer: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let options = Options::parse();
    let users = Users::seeded(options.instance);
    if let Some(peer) = &options.peer {
        catch_up(peer, &users).await;
    }
    let replication = options.peer.map_or_else(Replication::none, Replication::to);
    let listener = TcpListener::bind(options.listen).await?;
    println!("{} listens on {}", options.instance.name(), listener.local_addr()?);
    serve(listener, router(users, replication)).await
}
