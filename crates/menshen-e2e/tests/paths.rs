//! Paths and hosts that can be read in two ways (dangers 7): what decides is what the service gets.

use menshen_e2e::{Client, Origin, TestGateway};

const ROUTES: &str = "
    routes:
      all: { match: /**, to: 'http://{origin}' }
      pub: { match: /pub/**, to: 'http://{origin}' }
      stripped: { match: /stripped/**, to: 'http://{origin}', strip: /stripped }
      admin: { match: /admin/**, to: { respond: { status: 403, body: protected } } }
      slashes: { match: '/slashes/{name}', to: 'http://{origin}', encoded-slashes: allow }
";

/// What becomes of a target: the answer of the protected route, a failure, or the target that the service gets.
fn outcome(client: &mut Client, target: &str, host: &str) -> String {
    let response = client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")).response();
    match (response.status, response.text().strip_prefix("GET ")) {
        (200, Some(seen)) => seen.trim_end().to_owned(),
        (403, _) => "protected".to_owned(),
        _ => response.outcome(),
    }
}

#[test]
fn a_target_is_refused_protected_or_passed_on_as_it_was_judged() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(ROUTES, &[&origin]);
    let mut client = Client::of(&gateway);
    for (target, expected) in [
        ("/admin", "protected"),
        ("/admin/", "protected"),
        ("/admin?", "protected"),
        ("/admin/a/b", "protected"),
        ("/admin;x=1", "protected"),
        ("/admin;/x", "protected"),
        ("//admin", "protected"),
        ("///admin//x", "protected"),
        ("/%61dmin", "protected"),
        ("/%61%64min/x", "protected"),
        ("/pub/../admin", "protected"),
        ("/pub//../admin", "protected"),
        ("/pub/x/../../admin", "protected"),
        ("/./admin", "protected"),
        ("/../../admin", "protected"),
        ("/stripped/../admin", "protected"),
        ("http://pub/admin", "protected"),
        ("HTTP://PUB/admin", "protected"),
        ("/pub/%2e%2e/admin", "400 hidden-dot-segment"),
        ("/pub/%2E./admin", "400 hidden-dot-segment"),
        ("/pub/.%2e/admin", "400 hidden-dot-segment"),
        ("/pub/%2e/admin", "400 hidden-dot-segment"),
        ("/pub/..;/admin", "400 hidden-dot-segment"),
        ("/pub/..;x=y/admin", "400 hidden-dot-segment"),
        ("/pub/.;/x", "400 hidden-dot-segment"),
        ("/stripped/%2e%2e/admin", "400 hidden-dot-segment"),
        ("/;/admin", "400 nameless-segment"),
        ("/;x=y//admin", "400 nameless-segment"),
        ("/pub/;jsessionid=1", "/pub/;jsessionid=1"),
        ("/pub/..%2fadmin", "400 encoded-slash"),
        ("/pub/..%2Fadmin", "400 encoded-slash"),
        ("/pub%2fx", "400 encoded-slash"),
        ("/%2fadmin", "400 encoded-slash"),
        ("/pub/..%5cadmin", "400 backslash"),
        ("/pub/..\\admin", "400 backslash"),
        ("\\admin", "400 bad-target-form"),
        ("/admin%00", "400 escaped-control-byte"),
        ("/admin%09", "400 escaped-control-byte"),
        ("/pub/%0d%0aX:y", "400 escaped-control-byte"),
        ("/pub/%7f", "400 escaped-control-byte"),
        ("/a/%zz", "400 bad-escape"),
        ("/a/%2", "400 bad-escape"),
        ("/a/%", "400 bad-escape"),
        ("/a/%u002e", "400 bad-escape"),
        ("/%c0%ae%c0%ae/admin", "400 path-not-utf8"),
        ("/%ff", "400 path-not-utf8"),
        ("http://other/admin", "400 authority-differs"),
        ("http://pub:81/admin", "400 authority-differs"),
        ("http://x@pub/admin", "400 bad-target-form"),
        ("ftp://pub/admin", "400 bad-target-form"),
        ("admin", "400 bad-target-form"),
        ("*", "400 bad-target-form"),
        ("?x", "400 bad-target-form"),
        ("/ADMIN", "/ADMIN"),
        ("/admin%20", "/admin%20"),
        ("/administrator", "/administrator"),
        ("/pub%252e%252e/admin", "/pub%252e%252e/admin"),
        ("/pub/a/../b", "/pub/b"),
        ("/pub/./a//b", "/pub/a/b"),
        ("/pub/%7Eme/%41", "/pub/~me/A"),
        ("/pub/%c3%a4%20", "/pub/%c3%a4%20"),
        ("/pub/a;b=c/d", "/pub/a;b=c/d"),
        ("/pub/..a/.b/...", "/pub/..a/.b/..."),
        ("/pub?q=/../admin%2f%00&%zz", "/pub?q=/../admin%2f%00&%zz"),
        ("/stripped/x?y", "/x?y"),
        ("/stripped/admin", "/admin"),
        ("/slashes/a%2Fb", "/slashes/a%2Fb"),
        ("/slashes/..%2fadmin", "/slashes/..%2fadmin"),
        ("/slashes/a%2fb/c", "400 encoded-slash"),
        ("http://pub/x", "/x"),
        ("http://pub", "/"),
        ("/", "/"),
    ] {
        assert_eq!(outcome(&mut client, target, "pub"), expected, "{target}");
    }
}

/// The path as the most lenient service would read it: parameters cut off, then escapes decoded, any slash taken for
/// one, empty segments merged, dots resolved.
fn read_by_a_lenient_service(path: &str) -> String {
    let bare: Vec<&str> = path.split('/').map(|s| s.split(';').next().unwrap_or_default()).collect();
    let bare = bare.join("/");
    let bytes = bare.as_bytes();
    let mut decoded = Vec::new();
    let mut i = 0;
    while let Some(&b) = bytes.get(i) {
        let escape =
            bare.get(i + 1..i + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| b == b'%');
        decoded.push(escape.unwrap_or(b));
        i += if escape.is_some() { 3 } else { 1 };
    }
    let text = String::from_utf8_lossy(&decoded).replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    for segment in text.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    format!("/{}", segments.join("/"))
}

#[test]
fn no_target_that_reaches_the_service_means_the_protected_path_to_it() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(ROUTES, &[&origin]);
    let pieces = [
        "/", "/", "/", "admin", "admin", "pub", "..", ".", "%2e", "%2E", "%2f", "%5c", "\\", ";", ";x",
        "%3b", "%61dmin", "%25", "%00", "a", "?", "%",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let mut client = Client::of(&gateway);
    let mut passed = 0;
    for _ in 0..4000 {
        let target: String =
            std::iter::once("/").chain((0..random(7) + 1).map(|_| pieces[random(pieces.len())])).collect();
        if target.starts_with("/slashes") || target.starts_with("/stripped") {
            continue;
        }
        let seen = outcome(&mut client, &target, "pub");
        if let Some((path, _)) = seen.starts_with('/').then(|| seen.split_once('?').unwrap_or((&seen, ""))) {
            passed += 1;
            let meant = read_by_a_lenient_service(path);
            assert!(
                meant != "/admin" && !meant.starts_with("/admin/"),
                "{target} came as {path}, which may mean {meant}"
            );
        }
    }
    assert!(passed > 500, "only {passed} targets reached the service");
}

#[test]
fn hosts_match_whatever_their_case_port_and_trailing_dot() {
    let origin = Origin::echo();
    let many: String = (0..150)
        .map(|i| format!("  h{i}: {{ match: {{ host: h{i}.example.com, path: /** }}, to: {{ respond: {{ body: 'host {i}' }} }} }}\n"))
        .collect();
    let gateway = TestGateway::start(
        &format!("routes:\n  all: {{ match: /**, to: 'http://{{origin}}' }}\n{many}"),
        &[&origin],
    );
    let mut client = Client::of(&gateway);
    let mut body =
        |host: &str| client.send(format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n")).response().text();
    for i in [0, 99, 100, 101, 149] {
        for host in [
            format!("h{i}.example.com"),
            format!("H{i}.EXAMPLE.com"),
            format!("h{i}.example.com:8080"),
            format!("h{i}.example.com."),
            format!("H{i}.example.com.:80"),
        ] {
            assert_eq!(body(&host), format!("host {i}"), "{host}");
        }
    }
    for host in ["h150.example.com", "xh1.example.com", "h1.example.com.evil.com", "h1"] {
        assert_eq!(body(host), "GET /x\n", "{host}");
    }
}
