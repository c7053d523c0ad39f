//! Services behind Unix sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixListener;

use menshen_e2e::{Authority, Client, Keeper, Origin, TestGateway, reply};

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

/// Leads what comes over a Unix socket to an origin.
fn lead(listener: UnixListener, origin: SocketAddr) {
    std::thread::spawn(move || {
        for unix in listener.incoming().flatten() {
            let tcp = TcpStream::connect(origin).expect("the origin listens");
            for (mut from, mut to) in [
                (
                    Box::new(unix.try_clone().unwrap()) as Box<dyn Read + Send>,
                    tcp.try_clone().unwrap().into(),
                ),
                (Box::new(tcp), std::os::fd::OwnedFd::from(unix)),
            ]
            .map(|(from, to): (Box<dyn Read + Send>, std::os::fd::OwnedFd)| (from, std::fs::File::from(to)))
            {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    // Both kinds of sockets are shut in the same way.
                    let _ =
                        TcpStream::from(std::os::fd::OwnedFd::from(to)).shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
}

/// A gateway before a service behind a Unix socket that speaks TLS as `ca.pem` certifies, with these settings.
fn over_tls(
    authority: &Authority,
    names: &[&str],
    settings: &str,
) -> (TestGateway, Origin, tempfile::TempDir) {
    let keeper = Keeper::of(&authority.server(names));
    let origin = Origin::over_tls(&keeper, |c| {
        let asked = c.wire().agreed().and_then(|a| a.server_name).unwrap_or_default();
        while c.request().is_some() {
            c.send(reply(&asked));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    lead(UnixListener::bind(&path).unwrap(), origin.address());
    let document = format!(
        "
        services: {{ app: {{ endpoints: ['unix:{}'], {settings} }} }}
        routes: {{ all: {{ match: /**, to: app }} }}
        ",
        path.display()
    );
    let gateway = TestGateway::start_with(&document, &[], &[("ca.pem", authority.pem())]);
    (gateway, origin, folder)
}

#[test]
fn tls_over_a_unix_socket_is_verified_for_the_name_that_is_written() {
    let authority = Authority::new("services");
    let tls = "tls: { ca: ca.pem, name: app.internal }";
    let (gateway, origin, _folder) = over_tls(&authority, &["app.internal"], tls);
    let mut client = Client::of(&gateway);
    assert_eq!(client.get("/").text(), "app.internal");
    assert_eq!(client.get("/").text(), "app.internal");
    assert_eq!(origin.connections(), 1);
    let (gateway, origin, _folder) = over_tls(&authority, &["localhost"], tls);
    assert_eq!(Client::of(&gateway).post("/", "secret").outcome(), "502 service-tls-failed");
    assert_eq!(origin.requests().len(), 0);
}

#[test]
fn over_a_unix_socket_too_a_service_is_told_who_the_client_is() {
    for (version, expected) in [
        ("v1", &b"PROXY TCP4 127.0.0.1 127.0.0.1 "[..]),
        ("v2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01"),
    ] {
        let origin = Origin::scripted(move |c| {
            let told = c.wire().take(expected.len()).unwrap();
            assert_eq!(told, expected);
            match version {
                "v1" => drop(c.wire().line()),
                _ => drop(c.wire().take(4)),
            }
            if c.request().is_some() {
                c.send(reply("ok"));
            }
            c.wait_for_close();
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        lead(UnixListener::bind(&path).unwrap(), origin.address());
        let document = format!(
            "
            services: {{ app: {{ endpoints: ['unix:{}'], proxy-protocol: {version} }} }}
            routes: {{ all: {{ match: /**, to: app }} }}
            ",
            path.display()
        );
        let gateway = TestGateway::start(&document, &[]);
        let mut client = Client::of(&gateway);
        assert_eq!((client.get("/").text(), client.get("/").text()), ("ok".into(), "ok".into()), "{version}");
    }
}
