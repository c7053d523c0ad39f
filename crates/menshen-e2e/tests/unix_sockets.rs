//! Services behind Unix sockets.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use menshen_e2e::{Client, Origin, TestGateway, reply};

/// Answers every request on every connection with its number on the connection.
fn serve(listener: UnixListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                for n in 1.. {
                    head.clear();
                    while !head.ends_with(b"\r\n\r\n") {
                        if stream.read(&mut byte).unwrap_or(0) == 0 {
                            return;
                        }
                        head.push(byte[0]);
                    }
                    let host = String::from_utf8_lossy(&head).lines().nth(1).unwrap_or_default().to_owned();
                    let _ = stream.write_all(reply(&format!("{n} {host}")).as_bytes());
                }
            });
        }
    });
}

#[test]
fn a_service_behind_a_unix_socket_is_reached_and_its_connections_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    serve(UnixListener::bind(&path).unwrap());
    let document = format!(
        "
        services: {{ app: {{ endpoints: ['unix:{}'], host: endpoint }} }}
        routes: {{ all: {{ match: /**, to: app }} }}
        ",
        path.display()
    );
    let gateway = TestGateway::start(&document, &[]);
    let mut client = Client::of(&gateway);
    assert_eq!(client.get("/").text(), "1 host: localhost");
    assert_eq!(client.get("/").text(), "2 host: localhost");
}

#[test]
fn a_socket_that_nobody_listens_at_is_a_502_and_another_endpoint_is_asked() {
    let origin = Origin::answering(|_| reply("ok"));
    let document = "
        services:
          gone: { endpoints: ['unix:gone.sock'] }
          both: { endpoints: ['unix:gone.sock', '{origin}'] }
        routes:
          gone: { match: /gone, to: gone }
          both: { match: /both, to: both }
    ";
    let gateway = TestGateway::start(document, &[&origin]);
    let mut client = Client::of(&gateway);
    let answer = client.get("/gone");
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("connect-failed"));
    for _ in 0..4 {
        assert_eq!(client.get("/both").text(), "ok");
    }
}
