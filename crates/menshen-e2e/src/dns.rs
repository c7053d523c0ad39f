//! A DNS server that says what a test wants (RFC 1035, RFC 2782).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A record.
#[derive(Clone, Debug)]
pub enum DnsRecord {
    /// A or AAAA.
    Address(IpAddr),
    /// SRV: priority, weight, port, target.
    Service(u16, u16, u16, String),
}

/// What a server does with a question.
#[derive(Clone, Debug, Default)]
enum Manner {
    /// Says what it has.
    #[default]
    Honest,
    /// Says nothing.
    Silent,
    /// Says that it has failed (SERVFAIL).
    Failing,
    /// Says these bytes, after the id of the question.
    Garbage(Vec<u8>),
}

/// A running DNS server over UDP.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    names: Mutex<HashMap<String, (u32, Vec<DnsRecord>)>>,
    manner: Mutex<Manner>,
    asked: AtomicUsize,
    stopping: AtomicBool,
}

const A: u16 = 1;
const AAAA: u16 = 28;
const SRV: u16 = 33;

impl DnsServer {
    /// One that knows no name.
    ///
    /// # Panics
    /// When there is no port.
    #[expect(clippy::new_without_default, reason = "it opens a port")]
    pub fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        let address = socket.local_addr().expect("an address");
        let state = Arc::new(State::default());
        let shared = state.clone();
        std::thread::spawn(move || {
            let mut question = [0; 4096];
            while !shared.stopping.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
                shared.asked.fetch_add(1, Ordering::SeqCst);
                if let Some(answer) = shared.answer(&question[..length]) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { address, state }
    }

    /// Where it is asked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Knows a name from now on: how many seconds its records are good, and the records.
    pub fn set(&self, name: &str, ttl: u32, records: Vec<DnsRecord>) {
        lock(&self.state.names).insert(name.to_lowercase(), (ttl, records));
    }

    /// The same with addresses.
    pub fn set_addresses(&self, name: &str, ttl: u32, addresses: &[&str]) {
        let address = |text: &&str| DnsRecord::Address(text.parse().expect("an IP address"));
        self.set(name, ttl, addresses.iter().map(address).collect());
    }

    /// Answers as it knows.
    pub fn be_honest(&self) {
        *lock(&self.state.manner) = Manner::Honest;
    }

    /// Never answers.
    pub fn be_silent(&self) {
        *lock(&self.state.manner) = Manner::Silent;
    }

    /// Fails.
    pub fn fail(&self) {
        *lock(&self.state.manner) = Manner::Failing;
    }

    /// Answers with these bytes after the id of the question.
    pub fn say(&self, garbage: &[u8]) {
        *lock(&self.state.manner) = Manner::Garbage(garbage.to_vec());
    }

    /// How many questions came.
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let (id, asked) = (question.get(..2)?, question.get(12..)?);
        let manner = lock(&self.manner).clone();
        match manner {
            Manner::Silent => return None,
            Manner::Garbage(bytes) => return Some([id, &bytes].concat()),
            Manner::Honest | Manner::Failing => {}
        }
        let (name, length) = read_name(asked)?;
        let kind = u16::from_be_bytes([*asked.get(length)?, *asked.get(length + 1)?]);
        let known = lock(&self.names).get(&name).cloned();
        let code = match (&manner, &known) {
            (Manner::Failing, _) => 2,
            (_, None) => 3,
            (_, Some(_)) => 0,
        };
        let (ttl, records) = known.filter(|_| code == 0).unwrap_or_default();
        let data: Vec<Vec<u8>> = records.iter().filter_map(|r| data(r, kind)).collect();
        let mut answer = id.to_vec();
        // A response, with recursion asked for and offered.
        answer.extend([0x81, 0x80 | code, 0, 1]);
        answer.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        answer.extend([0, 0, 0, 0]);
        answer.extend(asked.get(..length + 4)?);
        for data in data {
            answer.extend([0xc0, 12]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1]);
            answer.extend(ttl.to_be_bytes());
            answer.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
            answer.extend(data);
        }
        Some(answer)
    }
}

/// A name and how many bytes it takes.
fn read_name(bytes: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), 0);
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(bytes.get(at..at + length)?).to_lowercase());
        at += length;
    }
}

fn data(record: &DnsRecord, kind: u16) -> Option<Vec<u8>> {
    match (record, kind) {
        (DnsRecord::Address(IpAddr::V4(ip)), A) => Some(ip.octets().to_vec()),
        (DnsRecord::Address(IpAddr::V6(ip)), AAAA) => Some(ip.octets().to_vec()),
        (DnsRecord::Service(priority, weight, port, target), SRV) => {
            let mut bytes: Vec<u8> = [priority, weight, port].iter().flat_map(|n| n.to_be_bytes()).collect();
            for label in target.split('.').filter(|l| !l.is_empty()) {
                bytes.push(u8::try_from(label.len()).ok()?);
                bytes.extend(label.bytes());
            }
            bytes.push(0);
            Some(bytes)
        }
        _ => None,
    }
}
