//! Many connections that say little or nothing (dangers 14, figure S1): what each of them may cost.

use menshen_e2e::{Client, Origin, TestGateway};

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

/// What a connection costs in KiB, both ends of it, when each client has sent this.
fn cost_of(sent: &str) -> u64 {
    const CONNECTIONS: u64 = 400;
    let origin = Origin::echo();
    let gateway = TestGateway::in_front_of(&origin);
    let open = |n: u64| -> Vec<Client> {
        let mut clients: Vec<Client> = (0..n).map(|_| Client::of(&gateway)).collect();
        for client in &mut clients {
            client.send(sent);
        }
        gateway.expect_canary();
        clients
    };
    drop(open(20));
    let before = resident();
    let clients = open(CONNECTIONS);
    let after = resident();
    drop(clients);
    (after.saturating_sub(before)) / CONNECTIONS
}

#[test]
fn a_connection_costs_little_until_a_request_is_complete() {
    let (silent, half) = (cost_of(""), cost_of("GET / HTTP/1.1\r\nHost: a\r\nX: y"));
    assert!(silent < 4, "{silent} KiB for a connection that says nothing: it must hold no buffer");
    assert!(half < 16, "{half} KiB for a connection with half a head");
}
