//! Unix sockets as listeners: their clients have no address, and their files come and go.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use menshen_e2e::frames::{H2, Outcome};
use menshen_e2e::{Authority, Client, Conversation, Dialer, Gate, Origin, TestGateway, eventually, reply};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A gateway at `web.sock` with more about the listener, in front of this origin.
fn behind(listener: &str, origin: &Origin) -> TestGateway {
    let document = format!(
        "
        listeners: {{ web: {{ bind: 'unix:web.sock', {listener} }} }}
        routes: {{ all: {{ match: /**, to: 'http://{{origin}}' }} }}
        "
    );
    TestGateway::start(&document, &[origin])
}

fn at(gateway: &TestGateway) -> Client {
    Client::at_socket(&gateway.file("web.sock"))
}

fn is_shut(path: &Path) -> bool {
    !path.exists() && UnixStream::connect(path).is_err()
}

#[test]
fn requests_come_in_over_a_unix_socket_and_connections_are_kept() {
    let origin = Origin::echo();
    let gateway = behind("", &origin);
    let mut client = at(&gateway);
    for n in 0..3 {
        assert_eq!(client.get(&format!("/{n}")).text(), format!("GET /{n}\n"));
    }
    let content = "x".repeat(300_000);
    assert_eq!(client.post("/p", &content).status, 200);
    assert_eq!(origin.requests().pop().unwrap().body.len(), content.len());
}

#[test]
fn http_2_is_spoken_over_it() {
    let origin = Origin::echo();
    let gateway = behind("", &origin);
    let mut h2 = H2::at_socket(&gateway.file("web.sock"));
    h2.get(1, "/a");
    assert_eq!(h2.outcome(1), Outcome::Answer(200, "GET /a\n".to_owned()));
    h2.expect_alive();
}

#[test]
fn tls_is_spoken_over_it() {
    let origin = Origin::echo();
    let leaf = Authority::new("Test").server(&["gateway"]);
    let files = [("own.pem", leaf.pem()), ("own.key", leaf.key_pem())];
    let document = "
        listeners:
          web: { bind: 'unix:web.sock', tls: { certificates: [{ chain: own.pem, key: own.key }] } }
        routes: { all: { match: /**, to: 'http://{origin}' } }
    ";
    let gateway = TestGateway::start_with(document, &[&origin], &files);
    let mut client = Dialer::new().dial_socket(&gateway.file("web.sock"), "gateway").unwrap();
    assert_eq!(client.get("/a").text(), "GET /a\n");
    assert_eq!(client.agreed().version, "TLSv1.3");
    assert!(origin.only_request().fields.lists("x-forwarded-proto", "https"));
    let plain = at(&gateway).get("/");
    assert_eq!((plain.status, plain.code()), (400, "https-expected".to_owned()));
}

#[test]
fn a_service_is_told_no_address_of_a_client_that_has_none() {
    let origin = Origin::answering(|_| reply("ok"));
    let document = "
        listeners: { web: { bind: 'unix:web.sock' } }
        gateway:
          forwarded: { x-real-ip: true, forwarded: true }
        routes: { all: { match: /**, to: 'http://{origin}' } }
    ";
    let gateway = TestGateway::start(document, &[&origin]);
    at(&gateway)
        .send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\n\r\n")
        .response();
    let fields = origin.only_request().fields;
    for absent in ["x-forwarded-for", "x-real-ip", "x-forwarded-port"] {
        assert_eq!(fields.get(absent), None, "{absent}");
    }
    assert_eq!(fields.get("x-forwarded-proto"), Some("http"));
    assert_eq!(fields.get("x-forwarded-host"), Some("a"));
    assert_eq!(fields.get("forwarded"), Some("for=unknown;host=\"a\";proto=http"));
}

#[test]
fn a_proxy_at_the_socket_is_believed_if_unix_is_trusted() {
    let said = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.9, 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\r\n";
    for (trusted, addresses, shown) in
        [("unix", Some("198.51.100.9, 192.0.2.1"), "192.0.2.1"), ("0.0.0.0/0", None, "unix")]
    {
        let origin = Origin::answering(|_| reply("ok"));
        let listener = format!(
            "trusted-proxies: [{trusted}], filters: [ headers: {{ request: {{ set: {{ x-client: '{{client}}' }} }} }} ]"
        );
        let gateway = behind(&listener, &origin);
        at(&gateway).send(said).response();
        let fields = origin.only_request().fields;
        assert_eq!(fields.get("x-forwarded-for"), addresses, "{trusted}");
        assert_eq!(fields.get("x-client"), Some(shown), "{trusted}");
    }
}

#[test]
fn the_proxy_protocol_gives_clients_their_addresses() {
    let header = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";
    for size in [1, 13, header.len()] {
        let origin = Origin::answering(|_| reply("ok"));
        let gateway = behind("proxy-protocol-from: [unix]", &origin);
        let mut client = at(&gateway);
        for part in header.as_bytes().chunks(size) {
            client.send(part);
        }
        client.send(REQUEST.repeat(2));
        assert_eq!((client.response().text(), client.response().text()), ("ok".into(), "ok".into()));
        for request in origin.requests() {
            assert_eq!(request.fields.get("x-forwarded-for"), Some("192.0.2.7"));
        }
    }
    let gateway = behind("proxy-protocol-from: [unix]", &Origin::refusing());
    let mut silent = at(&gateway);
    assert!(silent.send(REQUEST).wire().take_all().unwrap_or_default().is_empty(), "who must speak it does");
    let mut nobody = at(&gateway);
    nobody.send("PROXY TCP6 :: :: 1 2\r\n").send(REQUEST);
    assert_eq!(nobody.response().status, 502, "an address that is none makes nobody somebody");
}

#[test]
fn a_service_that_wants_the_proxy_protocol_hears_that_there_is_no_address() {
    for (version, expected) in [("v1", &b"PROXY UNKNOWN\r\n"[..]), ("v2", b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0")]
    {
        let origin = Origin::scripted(move |c: &mut Conversation| {
            assert_eq!(c.wire().take(expected.len()).unwrap(), expected);
            if c.request().is_some() {
                c.send(reply("ok"));
            }
        });
        let document = format!(
            "
            listeners: {{ web: {{ bind: 'unix:web.sock' }} }}
            services: {{ s: {{ endpoints: ['{{origin}}'], proxy-protocol: {version} }} }}
            routes: {{ all: {{ match: /**, to: s }} }}
            "
        );
        let gateway = TestGateway::start(&document, &[&origin]);
        assert_eq!(at(&gateway).get("/").text(), "ok", "{version}");
    }
}

#[test]
fn filters_and_matches_know_clients_of_unix_sockets_as_unix() {
    let document = "
        listeners:
          web: { bind: 'unix:web.sock' }
          tcp: { bind: '127.0.0.1:0' }
        routes:
          here: { match: { path: /, client: unix }, to: { respond: { body: local } } }
          there: { match: /, to: { respond: { body: remote } } }
          only: { match: /only, filters: [ ip-allow: [unix] ], to: { respond: { body: ok } } }
          never: { match: /never, filters: [ ip-deny: [unix] ], to: { respond: { body: ok } } }
    ";
    let gateway = TestGateway::start(document, &[]);
    let mut local = at(&gateway);
    let mut remote = Client::connect(gateway.listener("tcp"));
    assert_eq!((local.get("/").text(), remote.get("/").text()), ("local".into(), "remote".into()));
    assert_eq!((local.get("/only").status, remote.get("/only").status), (200, 403));
    assert_eq!((local.get("/never").status, remote.get("/never").status), (403, 200));
}

#[test]
fn the_access_log_calls_them_unix() {
    let document = "
        gateway:
          access-log: {log}
        listeners: { web: { bind: 'unix:web.sock' } }
        routes: { all: { match: /**, to: { respond: { body: ok } } } }
    ";
    let gateway = TestGateway::start(document, &[]);
    at(&gateway).get("/");
    let log = || fs::read_to_string(gateway.log()).unwrap_or_default();
    eventually("a line is written", || log().contains(r#""client":"unix""#));
}

#[test]
fn all_clients_of_a_socket_share_the_limits_of_one_client() {
    let gate = Gate::new();
    let passed = gate.clone();
    let origin = Origin::scripted(move |c: &mut Conversation| {
        if c.request().is_some() {
            passed.pass();
            c.send(reply("ok"));
        }
    });
    let gateway = behind("limits: { connections-per-client: 2 }", &origin);
    let mut clients = [at(&gateway), at(&gateway)];
    for client in &mut clients {
        client.send(REQUEST);
    }
    eventually("both are served", || origin.requests().len() == 2);
    let third = at(&gateway).response();
    assert_eq!((third.status, third.code()), (503, "too-many-connections".to_owned()));
    gate.open_for(2);
    clients.iter_mut().for_each(|c| assert_eq!(c.response().text(), "ok"));
}

#[test]
fn workers_share_the_socket() {
    static SERVED: AtomicUsize = AtomicUsize::new(0);
    let document = "
        gateway:
          workers: 3
        listeners: { web: { bind: 'unix:web.sock' } }
        routes: { all: { match: /**, to: { respond: { body: ok } } } }
    ";
    let mut gateway = TestGateway::start(document, &[]);
    let path = gateway.file("web.sock");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(Client::at_socket(&path).get("/").text(), "ok");
                    SERVED.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(SERVED.load(Ordering::Relaxed), 400);
    gateway.stop();
    assert!(is_shut(&path));
}

#[test]
fn the_file_of_a_process_that_has_gone_is_replaced_and_anything_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    drop(UnixListener::bind(path("stale")).unwrap());
    let _live = UnixListener::bind(path("live")).unwrap();
    fs::write(path("file"), "precious").unwrap();
    let document = |name: &str| {
        format!(
            "
            listeners: {{ web: {{ bind: 'unix:{}' }} }}
            routes: {{ all: {{ match: /**, to: {{ respond: {{ body: ok }} }} }} }}
            ",
            path(name).display()
        )
    };
    let gateway = TestGateway::start(&document("stale"), &[]);
    assert_eq!(Client::at_socket(&path("stale")).get("/").text(), "ok");
    for (name, why) in [
        ("live", "something else listens there already"),
        ("file", "a file that is no socket is there"),
        ("none/web.sock", "its folder does not exist"),
    ] {
        let refusal = gateway.reload(&document(name)).unwrap_err();
        assert!(refusal.contains(why), "{refusal}");
    }
    assert_eq!(fs::read(path("file")).unwrap(), b"precious");
    assert_eq!(Client::at_socket(&path("stale")).get("/").text(), "ok", "the last good one serves on");
}

#[test]
fn sockets_come_go_and_change_with_reloads() {
    let document = |sockets: &[&str]| {
        let listeners: String =
            sockets.iter().map(|s| format!("  {s}: {{ bind: 'unix:{s}.sock' }}\n")).collect();
        format!(
            "listeners:\n{listeners}routes:\n  all: {{ match: /**, to: {{ respond: {{ body: ok }} }} }}\n"
        )
    };
    let mut gateway = TestGateway::start(&document(&["a"]), &[]);
    let (a, b) = (gateway.file("a.sock"), gateway.file("b.sock"));
    let mut kept = Client::at_socket(&a);
    for _ in 0..3 {
        gateway.reload(&document(&["a", "b"])).unwrap();
        let mut idle = Client::at_socket(&b);
        assert_eq!((idle.get("/").text(), kept.get("/").text()), ("ok".into(), "ok".into()));
        gateway.reload(&document(&["a"])).unwrap();
        idle.expect_end();
        eventually("its file is gone", || is_shut(&b));
        assert_eq!(kept.get("/").text(), "ok");
    }
    let twice = "
        listeners: { a: { bind: 'unix:a.sock' }, b: { bind: { unix: a.sock } } }
        routes: { all: { match: /**, to: { respond: { body: ok } } } }
    ";
    assert!(gateway.reload(twice).unwrap_err().contains("listener `a` has this address already"));
    gateway.stop();
    assert!(is_shut(&a));
}

#[test]
fn who_may_connect_is_what_the_document_says_also_after_a_reload() {
    let document = |mode: &str| {
        let group = fs::metadata("/proc/self").unwrap().gid();
        format!(
            "
            listeners: {{ web: {{ bind: {{ unix: web.sock, mode: \"{mode}\", group: {group} }} }} }}
            routes: {{ all: {{ match: /**, to: {{ respond: {{ body: ok }} }} }} }}
            "
        )
    };
    let gateway = TestGateway::start(&document("0600"), &[]);
    let mode = || fs::metadata(gateway.file("web.sock")).unwrap().permissions().mode() & 0o777;
    let mut kept = at(&gateway);
    assert_eq!((mode(), kept.get("/").status), (0o600, 200));
    gateway.reload(&document("0666")).unwrap();
    assert_eq!((mode(), kept.get("/").status), (0o666, 200), "nobody is cut off for that");
    let nonsense = document("0666").replace("\"0666\"", "0660");
    let refusal = gateway.reload(&nonsense).unwrap_err();
    assert!(refusal.contains("write them in quotes"), "{refusal}");
}

#[test]
fn the_file_stays_when_another_process_has_taken_its_place() {
    let mut gateway = behind("", &Origin::refusing());
    let path = gateway.file("web.sock");
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    gateway.stop();
    UnixStream::connect(&path).unwrap();
}

#[test]
fn what_waits_in_the_queue_is_served_before_the_gateway_stops() {
    let gate = Gate::new();
    let passed = gate.clone();
    let origin = Origin::scripted(move |c: &mut Conversation| {
        if c.request().is_some() {
            passed.pass();
            c.send(reply("slow"));
        }
    });
    let mut gateway = behind("", &origin);
    let path = gateway.file("web.sock");
    let mut client = at(&gateway);
    client.send(REQUEST);
    eventually("the service has it", || origin.requests().len() == 1);
    let stopping = gateway.stop_beside();
    eventually("nobody new gets in", || is_shut(&path));
    gate.open();
    assert_eq!(client.response().text(), "slow");
    stopping.join().unwrap();
}
