//! A log that nobody reads holds up nobody, and what it loses is counted.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use menshen_e2e::{Admin, Client, TestGateway, eventually};

/// Requests whose lines are more than the queue holds: 8 MiB.
const REQUESTS: usize = 2_000;

#[test]
fn a_log_without_a_reader_blocks_no_request_and_lost_lines_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("log");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut gateway = TestGateway::start(
        &format!(
            "
            gateway:
              admin: 127.0.0.1:0
              access-log: {}
            routes: {{ r: {{ match: /**, to: {{ respond: {{ body: x }} }} }} }}
            ",
            fifo.display()
        ),
        &[],
    );
    let long = "x".repeat(7_500);
    let mut client = Client::of(&gateway);
    for _ in 0..REQUESTS {
        assert_eq!(client.get(&format!("/{long}")).status, 200);
    }
    let admin = Admin::of(&gateway);
    let lost = || usize::try_from(admin.metric("menshen_access_log_dropped_lines_total")).unwrap();
    eventually("lines are lost", || lost() > 0);

    let counter = Arc::new(AtomicUsize::new(0));
    let read = counter.clone();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(File::open(fifo).unwrap()).lines() {
            assert!(line.unwrap().ends_with('}'), "a line is whole");
            read.fetch_add(1, Ordering::SeqCst);
        }
    });
    // Then there is room for what the worker still has, and no more is lost.
    eventually("half of the queue is read", || counter.load(Ordering::SeqCst) > 600);
    let lost = lost();
    gateway.stop();
    reader.join().unwrap();
    assert_eq!(counter.load(Ordering::SeqCst) + lost, REQUESTS);
}
