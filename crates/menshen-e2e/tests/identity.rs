//! Every client gets its own answers (dangers 21, figure F2), whatever others do on the way.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use menshen_e2e::{Broken, Client, Origin, TestGateway};

/// A small generator, so that a failure can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Answers with the id that was asked for, in one of the ways in which services answer, some of them wrong.
fn answer(id: &str, way: u64) -> String {
    let length = format!("HTTP/1.1 200 OK\r\nX-Id: {id}\r\nContent-Length: {}\r\n\r\n{id}", id.len());
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nX-Id: {id}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{id}\r\n0\r\n\r\n",
        id.len()
    );
    match way {
        0 => chunked,
        1 => format!("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n{length}"),
        // Surplus: a second answer, or bytes behind the content.
        2 => format!("{length}HTTP/1.1 200 OK\r\nX-Id: evil\r\nContent-Length: 4\r\n\r\nevil"),
        3 => format!("{chunked}surplus"),
        4 => format!("HTTP/1.1 204 No Content\r\nX-Id: {id}\r\n\r\n"),
        5 => format!("HTTP/1.1 304 Not Modified\r\nX-Id: {id}\r\n\r\nevil"),
        6 => format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Id: {id}\r\nContent-Length: {}\r\n\r\n{id}",
            id.len()
        ),
        _ => length,
    }
}

fn unreliable() -> Origin {
    Origin::scripted(|c| {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (c.number() as u64 + 1));
        while let Some(request) = c.request() {
            let id = request.target.trim_start_matches("/id-").to_owned();
            let way = random.below(40);
            c.send(answer(&id, way));
            if way == 6 {
                return;
            }
        }
    })
}

/// Requests of one client connection, sent ahead; some connections are dropped at a random point.
fn visit(gateway: SocketAddr, name: u64, random: &mut Random) -> Result<u64, String> {
    let mut client = Client::connect(gateway);
    let ids: Vec<String> =
        (0..8).map(|i| format!("{name}-{i}-{}", "x".repeat(random.below(300) as usize))).collect();
    let request = |id: &String| match id.len() % 3 {
        0 => format!("POST /id-{id} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{id}", id.len()),
        _ => format!("GET /id-{id} HTTP/1.1\r\nHost: a\r\n\r\n"),
    };
    let bytes: String = ids.iter().map(request).collect();
    if random.below(5) == 0 {
        // Aborted: within a head, within a body, between requests, or before the answers are read.
        let cut = random.below(bytes.len() as u64) as usize;
        client.send(&bytes[..cut]);
        if random.below(2) == 0 {
            client.wire().set_patience(Duration::from_millis(2));
            let _ = client.head();
        }
        if random.below(2) == 0 {
            client.reset();
        }
        return Ok(0);
    }
    client.send(&bytes);
    for id in &ids {
        match client.try_response() {
            Ok(response) if response.status == 502 => {}
            Ok(response) => {
                let seen = (response.fields.get("x-id").unwrap_or_default(), response.text());
                let right = seen.0 == id
                    && (seen.1 == *id || matches!(response.status, 204 | 304) && seen.1.is_empty());
                if !right {
                    return Err(format!("asked for {id}, got {seen:?}"));
                }
            }
            Err(Broken::Closed | Broken::Reset) => {
                return Err("a connection was cut for no reason".to_owned());
            }
            Err(other) => return Err(other.to_string()),
        }
    }
    Ok(ids.len() as u64)
}

#[test]
fn no_client_gets_an_answer_that_is_not_its_own() {
    let origin = unreliable();
    let gateway = TestGateway::start(
        "
        gateway:
          workers: 2
        routes: { all: { match: /**, to: 'http://{origin}' } }
        ",
        &[&origin],
    );
    let answered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let (gateway, answered) = (gateway.address(), &answered);
            scope.spawn(move || {
                let mut random = Random(0xdead_beef + thread * 7919);
                for round in 0..400 {
                    match visit(gateway, thread * 1_000_000 + round, &mut random) {
                        Ok(n) => drop(answered.fetch_add(n, Ordering::Relaxed)),
                        Err(what) => panic!("thread {thread}, round {round}: {what}"),
                    }
                }
            });
        }
    });
    assert!(answered.into_inner() > 15_000);
    origin.expect_canonical();
}
