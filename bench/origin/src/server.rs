//! The loop: accept, hand readiness to connections, wake those whose time has come.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

use crate::connection::{Connection, Next};
use crate::reply::Replies;

const LISTENER: Token = Token(usize::MAX);
const SCRATCH: usize = 64 * 1024;

/// Serves `address` until the process is ended; with a time, as somebody who needs so long for each request.
pub fn serve(address: SocketAddr, takes: Option<Duration>) -> io::Result<()> {
    let mut server = Server::bind(address, takes)?;
    println!("listening on {}", server.listener.local_addr()?);
    loop {
        server.turn()?;
    }
}

struct Server {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    alarms: BinaryHeap<Reverse<(Instant, usize)>>,
    replies: Replies,
    scratch: Vec<u8>,
}

impl Server {
    fn bind(address: SocketAddr, takes: Option<Duration>) -> io::Result<Self> {
        let socket =
            socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(4096)?;
        let mut listener = TcpListener::from_std(socket.into());
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            listener,
            connections: Vec::new(),
            free: Vec::new(),
            alarms: BinaryHeap::new(),
            replies: Replies::new(takes),
            scratch: vec![0; SCRATCH],
        })
    }

    fn turn(&mut self) -> io::Result<()> {
        let patience =
            self.alarms.peek().map(|Reverse((at, _))| at.saturating_duration_since(Instant::now()));
        match self.poll.poll(&mut self.events, patience.map(|wait| wait + Duration::from_millis(1))) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            outcome => outcome?,
        }
        let mut accepting = false;
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            match event.token() {
                LISTENER => accepting = true,
                Token(slot) => self.advance(slot),
            }
        }
        self.events = events;
        if accepting {
            self.accept()?;
        }
        self.wake();
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    eprintln!("bench-origin: accept: {error}");
                    return Ok(());
                }
            };
            stream.set_nodelay(true)?;
            let slot = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(slot), interest)?;
            self.connections[slot] = Some(Connection::new(stream));
        }
    }

    /// Lets one connection do what it can now.
    fn advance(&mut self, slot: usize) {
        let Some(connection) = self.connections.get_mut(slot).and_then(Option::as_mut) else { return };
        match connection.advance(&self.replies, &mut self.scratch) {
            Next::Wait => {}
            Next::WakeAt(at) => self.alarms.push(Reverse((at, slot))),
            Next::Close => {
                self.connections[slot] = None;
                self.free.push(slot);
            }
        }
    }

    /// Advances every connection whose alarm has passed; a connection checks for itself that it is due.
    fn wake(&mut self) {
        let now = Instant::now();
        while self.alarms.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            if let Some(Reverse((_, slot))) = self.alarms.pop() {
                self.advance(slot);
            }
        }
    }
}
