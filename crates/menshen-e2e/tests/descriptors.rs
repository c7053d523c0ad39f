//! A process without file descriptors left (figure S4). It runs as a child, as the limit holds for a whole process.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use menshen_e2e::{Client, Origin, TestGateway, eventually};

const ORIGIN: &str = "MENSHEN_TEST_ORIGIN";

/// The gateway of the child; in a usual run of the tests it has nothing to do.
#[test]
fn in_the_child_a_gateway_serves_until_its_input_ends() {
    let Ok(origin) = std::env::var(ORIGIN) else { return };
    let gateway =
        TestGateway::start(&format!("routes: {{ all: {{ match: /**, to: 'http://{origin}' }} }}"), &[]);
    let mut out = std::io::stderr();
    writeln!(out, "listening {}", gateway.address()).unwrap();
    let _ = std::io::stdin().lock().read_line(&mut String::new());
}

/// Processor time of a process so far, in clock ticks.
fn ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let behind_name: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    behind_name[11].parse::<u64>().unwrap() + behind_name[12].parse::<u64>().unwrap()
}

#[test]
fn a_gateway_without_descriptors_keeps_serving_and_recovers() {
    let origin = Origin::echo();
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 128 && exec \"$0\" --exact in_the_child_a_gateway_serves_until_its_input_ends --nocapture"])
        .arg(program)
        .env(ORIGIN, origin.address().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address: SocketAddr = loop {
        let line = lines.next().expect("the child says where it listens").unwrap();
        if let Some((_, address)) = line.split_once("listening ") {
            break address.trim().parse().unwrap();
        }
    };
    std::thread::spawn(move || lines.for_each(drop));

    let mut inside = Client::connect(address);
    assert_eq!(inside.get("/before").text(), "GET /before\n");
    let crowd: Vec<Client> = (0..400).map(|_| Client::connect(address)).collect();
    for i in 0..20 {
        assert_eq!(inside.get(&format!("/{i}")).text(), format!("GET /{i}\n"), "those inside are served on");
    }
    let (start, before) = (Instant::now(), ticks(child.id()));
    std::thread::sleep(Duration::from_millis(500));
    let used = ticks(child.id()) - before;
    assert!(used < 25, "{used} hundredths of a second were spun away in {:?}", start.elapsed());
    drop(crowd);
    eventually("new clients are served again", || {
        let mut client = Client::connect(address);
        client
            .send("GET /after HTTP/1.1\r\nHost: a\r\n\r\n")
            .try_response()
            .is_ok_and(|r| r.text() == "GET /after\n")
    });
    assert!(child.try_wait().unwrap().is_none(), "the process lives");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
