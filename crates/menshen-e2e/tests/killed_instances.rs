//! Instances that are processes, killed and started again under load (figure U1): no GET fails, no POST is executed twice, and
//! the instance has its share again soon.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use menshen_e2e::{Client, TestGateway, eventually, listens};

const INTERVAL: Duration = Duration::from_millis(200);
const KILLS: usize = 10;

/// A service instance in a process of its own: this test program, asked to be one.
struct Instance {
    address: SocketAddr,
    ledger: PathBuf,
    process: Child,
}

impl Instance {
    fn start(address: SocketAddr, ledger: PathBuf) -> Self {
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "this_program_as_an_instance", "--ignored", "--nocapture"])
            .env("INSTANCE_ADDRESS", address.to_string())
            .env("INSTANCE_LEDGER", &ledger)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the instance listens", || listens(address));
        Self { address, ledger, process }
    }

    /// What it has done so far, in all its lives.
    fn done(&self) -> Vec<String> {
        std::fs::read_to_string(&self.ledger).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// SIGKILL: it has no time to say goodbye.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn start_again(&mut self) {
        *self = Self::start(self.address, self.ledger.clone());
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "it is started by the other tests, as a process of its own"]
fn this_program_as_an_instance() {
    let (Ok(address), Ok(ledger)) = (std::env::var("INSTANCE_ADDRESS"), std::env::var("INSTANCE_LEDGER"))
    else {
        return;
    };
    let listener = TcpListener::bind(address).unwrap();
    for stream in listener.incoming().flatten() {
        let file = OpenOptions::new().create(true).append(true).open(Path::new(&ledger)).unwrap();
        std::thread::spawn(move || serve(stream, file));
    }
}

/// Writes down what it does before it answers.
fn serve(stream: TcpStream, mut ledger: File) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let (mut start, mut line, mut length) = (String::new(), String::new(), 0);
        if reader.read_line(&mut start).ok()? == 0 {
            return None;
        }
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).ok()?;
            if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().ok()?;
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        let what = start.trim_end().trim_end_matches(" HTTP/1.1");
        if what != "GET /health" {
            ledger.write_all(format!("{what}\n").as_bytes()).ok()?;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").ok()?;
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap()
}

/// GETs and POSTs without a pause; the result is what failed.
fn load(address: SocketAddr, thread: usize, stop: &AtomicBool, sent: &AtomicU64) -> Vec<(bool, String)> {
    let mut client = Client::connect(address);
    let mut failed = Vec::new();
    for i in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let is_get = i % 3 != 0;
        let response = match is_get {
            true => client.get(&format!("/get-{thread}-{i}")),
            false => client.post(&format!("/post-{thread}-{i}"), "once"),
        };
        if response.status != 200 {
            failed.push((is_get, response.outcome()));
        }
        sent.fetch_add(1, Ordering::SeqCst);
    }
    failed
}

#[test]
fn ten_kills_cost_no_get_and_no_post_is_executed_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut instances: Vec<Instance> =
        (0..3).map(|i| Instance::start(free_address(), folder.path().join(format!("ledger-{i}")))).collect();
    let addresses: Vec<String> = instances.iter().map(|i| format!("'{}'", i.address)).collect();
    let document = format!(
        "
        gateway:
          workers: 2
        services:
          s:
            endpoints: [{}]
            health: {{ get: /health, every: 200ms, timeout: 200ms, rise: 2, fall: 2 }}
        routes: {{ all: {{ match: /**, to: s }} }}
        ",
        addresses.join(", ")
    );
    let gateway = TestGateway::start(&document, &[]);
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let (address, stop, sent) = (gateway.address(), stop.clone(), sent.clone());
            std::thread::spawn(move || load(address, thread, &stop, &sent))
        })
        .collect();
    let more_are_sent = |n: u64| {
        let until = sent.load(Ordering::SeqCst) + n;
        eventually("requests go on", || sent.load(Ordering::SeqCst) >= until);
    };
    for kill in 0..KILLS {
        let victim = &mut instances[kill % 3];
        more_are_sent(100);
        victim.kill();
        more_are_sent(200);
        victim.start_again();
        let (started, before) = (Instant::now(), victim.done().len());
        eventually("it has requests again", || victim.done().len() > before);
        let took = started.elapsed();
        assert!(took < 2 * INTERVAL + Duration::from_secs(1), "back after {took:?}");
    }
    stop.store(true, Ordering::SeqCst);
    let failed: Vec<(bool, String)> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
    let gets: Vec<_> = failed.iter().filter(|(is_get, _)| *is_get).collect();
    assert!(gets.is_empty(), "GETs that failed: {gets:?}");
    let posts = failed.len();
    assert!(posts <= 4 * KILLS, "more POSTs failed than could be under way: {posts}");

    let mut times: HashMap<String, usize> = HashMap::new();
    for what in instances.iter().flat_map(Instance::done).filter(|w| w.starts_with("POST")) {
        *times.entry(what).or_default() += 1;
    }
    let twice: Vec<_> = times.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "POSTs executed twice: {twice:?}");
}
