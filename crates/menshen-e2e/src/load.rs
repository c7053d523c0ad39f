//! Clients that go on asking while a test does something.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crate::{Client, TestGateway, eventually};

/// Clients that send GETs one after the other, each over a connection of its own.
#[derive(Debug)]
pub struct Load {
    clients: Vec<JoinHandle<Vec<String>>>,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
}

impl Load {
    /// So many clients that ask for this target.
    pub fn of(gateway: &TestGateway, clients: usize, target: &'static str) -> Self {
        let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let address = gateway.address();
        let client = |_| {
            let (stop, done) = (stop.clone(), done.clone());
            std::thread::spawn(move || ask(address, target, &stop, &done))
        };
        Self { clients: (0..clients).map(client).collect(), stop, done }
    }

    /// How many replies came.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    /// Waits until so many more replies have come.
    #[track_caller]
    pub fn goes_on(&self, replies: usize) {
        let before = self.done();
        eventually("clients are answered", || self.done() > before + replies);
    }

    /// Ends it; what came of each request that was not answered with 200.
    ///
    /// # Panics
    /// When a client did.
    pub fn failures(self) -> Vec<String> {
        self.stop.store(true, Ordering::SeqCst);
        self.clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    }
}

fn ask(address: SocketAddr, target: &str, stop: &AtomicBool, done: &AtomicUsize) -> Vec<String> {
    let mut client = Client::connect(address);
    let mut failures = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let response = client.get(target);
        done.fetch_add(1, Ordering::SeqCst);
        if response.status != 200 {
            failures.push(response.outcome());
        }
    }
    failures
}
