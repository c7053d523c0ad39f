//! Between the HTTP/1.1 that tests write and HTTP/2 on the wire. It changes nothing but the form: the tests see through it,
//! and it shares no code with the gateway.

mod client;
mod message;
mod server;

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

pub(crate) use client::connect;
pub(crate) use server::serve;

/// Two ends of one connection: one for a test, one for a bridge.
fn ends() -> (TcpStream, UnixStream) {
    let (test, bridge) = UnixStream::pair().expect("two sockets");
    (TcpStream::from(OwnedFd::from(test)), bridge)
}

/// Runs a bridge on a thread of its own until it ends.
fn run(bridge: impl FnOnce() -> std::pin::Pin<Box<dyn Future<Output = ()>>> + Send + 'static) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let tasks = tokio::task::LocalSet::new();
        runtime.block_on(tasks.run_until(bridge()));
    });
}

fn tokio_end(end: UnixStream) -> tokio::net::UnixStream {
    end.set_nonblocking(true).expect("a socket");
    tokio::net::UnixStream::from_std(end).expect("a socket")
}

fn tokio_tcp(tcp: TcpStream) -> tokio::net::TcpStream {
    tcp.set_nonblocking(true).expect("a socket");
    tokio::net::TcpStream::from_std(tcp).expect("a socket")
}
