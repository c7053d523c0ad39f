//! An endpoint that dies under load (figure U1 in small): no GET fails, no POST happens twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use menshen_e2e::{Client, Gate, Origin, TestGateway, reply};

/// Answers until it is dead; then it still takes connections and requests, and resets them all.
fn mortal(dead: &Arc<AtomicBool>) -> Origin {
    let dead = dead.clone();
    Origin::scripted(move |c| {
        while c.request().is_some() {
            if dead.load(Ordering::SeqCst) {
                return c.reset_at_end();
            }
            c.send(reply("alive"));
        }
    })
}

#[test]
fn no_get_fails_and_no_post_happens_twice_when_an_endpoint_dies() {
    let dead = Arc::new(AtomicBool::new(false));
    let origins = [Origin::echo(), mortal(&dead), Origin::echo()];
    let gateway = TestGateway::start(
        "
        gateway:
          workers: 2
        services: { s: { endpoints: ['{origin-1}', '{origin-2}', '{origin-3}'] } }
        routes: { all: { match: /**, to: s } }
        ",
        &origins.each_ref(),
    );
    let (address, warm) = (gateway.address(), Gate::new());
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let warm = warm.clone();
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                let mut failed = Vec::new();
                for i in 0..200 {
                    if i == 50 {
                        warm.open();
                    }
                    let response = match i % 3 {
                        0 => client.post(&format!("/post-{thread}-{i}"), "once"),
                        _ => client.get(&format!("/get-{thread}-{i}")),
                    };
                    if response.status != 200 {
                        failed.push((i, response.outcome()));
                    }
                }
                failed
            })
        })
        .collect();
    threads.iter().for_each(|_| warm.pass());
    dead.store(true, Ordering::SeqCst);
    let failed: Vec<(usize, String)> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
    let gets: Vec<_> = failed.iter().filter(|(i, _)| i % 3 != 0).collect();
    assert!(gets.is_empty(), "GETs that failed: {gets:?}");
    assert!(failed.iter().all(|(_, outcome)| outcome == "502 service-reset"), "{failed:?}");

    let mut seen: HashMap<String, usize> = HashMap::new();
    for request in origins.iter().flat_map(Origin::requests).filter(|r| r.method == "POST") {
        *seen.entry(request.target).or_default() += 1;
    }
    let twice: Vec<_> = seen.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "POSTs sent twice: {twice:?}");
}
