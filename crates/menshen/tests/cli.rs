//! The command line: what it prints when all is well, and its one clear line when it is not.

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use support::{Folder, Outcome};

const GOOD: &str = "\
gateway: { admin: off, access-log: off }
listeners: { web: { bind: 127.0.0.1:0, filters: [request-id] } }
services: { users: { endpoints: [127.0.0.1:9001] } }
routes:
  users:
    match: /users/{id}
    to: users
    tests:
      - GET /users/7: 200
  hello:
    match: GET /hello
    to: { respond: { body: hello } }
    tests:
      - GET /hello: 200
      - POST /hello: 405
";

const BAD: &str = "\
listeners:
  web:
    bind: 127.0.0.1:8001
    filters: [corz]
services:
  users: { endpoints: [127.0.0.1] }
  articles: { endpoints: [127.0.0.1:9002] }
routes:
  a: { match: /users/**, to: article, strip: /user }
  b: { match: users, to: users }
  c: { match: /c, to: users, filter: [] }
";

fn refused(outcome: Outcome) -> Outcome {
    assert!(!outcome.ok, "it should have failed: {outcome:?}");
    outcome
}

fn accepted(outcome: Outcome) -> String {
    assert!(outcome.ok && outcome.err.is_empty(), "{outcome:?}");
    outcome.out
}

/// A configuration with these addresses.
fn at(listener: &str, admin: &str) -> String {
    let answer = "routes: { all: { match: /**, to: { respond: { body: hello } } } }";
    format!(
        "gateway: {{ admin: {admin}, access-log: off }}\nlisteners: {{ web: {{ bind: \"{listener}\" }} }}\n{answer}\n"
    )
}

fn taken() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[test]
fn check_counts_what_there_is() {
    let folder = Folder::with(GOOD);
    assert_eq!(
        accepted(folder.run(&["check"])),
        "menshen.yaml: good (1 listener, 1 service, 2 routes, 3 tests)\n"
    );
}

#[test]
fn check_tells_all_problems_at_once_with_file_line_column_and_hint() {
    let outcome = refused(Folder::with(BAD).run(&["check"]));
    for expected in [
        "menshen.yaml:4:15: error: listeners.web.filters[0]: no filter named `corz`; did you mean `cors`?",
        "menshen.yaml:6:24: error: services.users.endpoints[0]: `127.0.0.1` is not an address; add the port, as in `127.0.0.1:80`",
        "menshen.yaml:9:30: error: routes.a.to: no service named `article`; did you mean `articles`?",
        "menshen.yaml:10:15: error: routes.b.match: `users` is not a match; write a path such as `/users/**`, or `GET /users/**`",
        "menshen.yaml:11:30: error: routes.c: unknown key `filter`; did you mean `filters`?",
        "    4 |     filters: [corz]\n      |               ^^^^\n",
    ] {
        assert!(outcome.err.contains(expected), "missing: {expected}\nin: {}", outcome.err);
    }
    assert!(outcome.out.is_empty() && outcome.err.ends_with(" errors\n"), "{outcome:?}");
}

#[test]
fn check_runs_the_tests_beside_the_routes() {
    let folder = Folder::with(GOOD.replace("GET /hello: 200", "GET /hello: 204"));
    let outcome = refused(folder.run(&["check"]));
    assert_eq!(outcome.err, "FAIL  hello: GET /hello\n      expected status 204, got 200\n1 test failed\n");
}

#[test]
fn warnings_do_not_make_a_configuration_bad() {
    let folder = Folder::with(GOOD.replace("[request-id]", "[rate-limit: 9/s, cors: \"*\"]"));
    let outcome = folder.run(&["check"]);
    assert!(
        outcome.ok && outcome.err.contains("warning: ") && outcome.out.ends_with(", 1 warning)\n"),
        "{outcome:?}"
    );
}

#[test]
fn every_command_says_which_file_is_missing() {
    for command in ["check", "run", "routes", "test"] {
        let outcome = refused(Folder::new().run(&[command]));
        let expected = "menshen: menshen.yaml: there is no such file; name the configuration with `-c FILE` or write it there";
        assert_eq!(outcome.line(), expected);
    }
    assert!(refused(Folder::new().run(&["fmt"])).line().starts_with("menshen: menshen.yaml: "));
}

#[test]
fn every_command_refuses_a_file_that_is_not_utf8() {
    for command in ["check", "run", "routes", "test"] {
        let outcome = refused(Folder::with(b"routes: {}\n# caf\xe9\n").run(&[command]));
        assert_eq!(outcome.line(), "menshen: menshen.yaml:2: not UTF-8; save the file as UTF-8");
    }
    assert!(refused(Folder::with(b"caf\xe9").run(&["fmt"])).line().contains("UTF-8"));
}

#[test]
fn every_command_shows_where_the_yaml_is_broken() {
    for command in ["check", "run", "routes", "test", "fmt"] {
        let outcome = refused(Folder::with("routes:\n  a: { match: /a\n").run(&[command]));
        assert!(
            outcome.err.contains("menshen.yaml:") && outcome.err.contains("error: "),
            "{command}: {outcome:?}"
        );
    }
}

#[test]
fn an_empty_file_is_told_what_to_write() {
    let outcome = refused(Folder::with("").run(&["check"]));
    assert!(outcome.err.contains("there is no listener"), "{outcome:?}");
    assert!(outcome.err.contains("add `listeners: { web: { bind: 127.0.0.1:8001 } }`"), "{outcome:?}");
}

#[test]
fn the_files_of_a_folder_are_one_configuration() {
    let folder = Folder::new();
    let (listener, routes) = GOOD.split_once("routes:\n").unwrap();
    std::fs::create_dir(folder.path().join("conf")).unwrap();
    folder.write("conf/listener.yaml", listener);
    folder.write("conf/routes.yml", format!("routes:\n{routes}"));
    folder.write("conf/notes.txt", "not: [read");
    assert!(accepted(folder.run(&["check", "-c", "conf"])).contains("2 routes, 3 tests"));
    folder.write("conf/more.yaml", "routes: { users: { match: /other, to: users } }");
    let outcome = refused(folder.run(&["check", "-c", "conf"]));
    assert!(outcome.err.contains("conf/"), "{outcome:?}");
}

#[test]
fn a_folder_without_configuration_is_refused() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("conf")).unwrap();
    let outcome = refused(folder.run(&["check", "-c", "conf"]));
    assert_eq!(outcome.line(), "menshen: conf: the directory has no `*.yaml` file");
}

#[test]
fn fmt_writes_the_canonical_form_and_keeps_comments() {
    let folder =
        Folder::with("# mine\nroutes:\n    all:   {match: /**,to: \"http://127.0.0.1:3000\"}  # all\n");
    let before = folder.run(&["fmt", "--check"]);
    assert!(!before.ok && before.out == "menshen.yaml\n", "{before:?}");
    let shown = accepted(folder.run(&["fmt", "--stdout"]));
    assert!(folder.read("menshen.yaml").contains("   all:   {"));
    accepted(folder.run(&["fmt"]));
    assert_eq!(folder.read("menshen.yaml"), shown);
    assert!(shown.contains("# mine") && shown.contains("# all"), "{shown}");
    accepted(folder.run(&["fmt", "--check"]));
}

#[test]
fn fmt_long_writes_out_a_short_redirect() {
    let folder = Folder::with("routes:\n  old: { match: /old, to: { redirect: /new } }\n");
    let shown = accepted(folder.run(&["fmt", "--long", "--stdout"]));
    assert!(shown.contains("to: { redirect: { to: /new } }"), "{shown}");
}

#[test]
fn fmt_leaves_nothing_behind_beside_the_file() {
    let folder = Folder::with("routes:   {}\n");
    accepted(folder.run(&["fmt"]));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn routes_are_listed_in_order_of_precedence() {
    let config = "\
listeners: { web: { bind: 127.0.0.1:8001 } }
routes:
  any: { match: /**, to: http://127.0.0.1:1 }
  named: { match: { host: a.example.org }, to: http://127.0.0.1:1 }
  exact: { match: /b/c, to: http://127.0.0.1:1 }
  variable: { match: \"/b/{x}\", to: http://127.0.0.1:1 }
  tested: { match: { path: /b/c, headers: { x-a: present } }, to: http://127.0.0.1:1 }
  below: { match: { host: \"*.example.org\" }, to: http://127.0.0.1:1 }
";
    let list = accepted(Folder::with(config).run(&["routes"]));
    let names: Vec<&str> = list.lines().skip(1).filter_map(|l| l.split(' ').next()).collect();
    assert_eq!(names, ["named", "below", "tested", "exact", "variable", "any"]);
}

#[test]
fn routes_of_a_registry_are_those_that_a_gateway_has_known_last() {
    let folder = Folder::with(
        "\
registries: { eureka: { servers: http://127.0.0.1:1/eureka/, routes: {} } }
gateway: { store: store }
listeners: { web: { bind: 127.0.0.1:8001 } }
routes: { own: { match: /orders/**, to: http://127.0.0.1:1 } }
",
    );
    let list = accepted(folder.run(&["routes"]));
    assert!(list.contains("eureka: which services it has is not known here"), "{list}");
    std::fs::create_dir_all(folder.path().join("store/listed")).unwrap();
    let known = r#"{"from":"http://127.0.0.1:1/eureka","services":["ORDERS","USERS"]}"#;
    std::fs::write(folder.path().join("store/listed/eureka.json"), known).unwrap();
    let list = accepted(folder.run(&["routes"]));
    assert!(list.lines().any(|l| l.starts_with("eureka:users  *     /users/**")), "{list}");
    assert!(
        list.contains("eureka:orders has no route: route `own` has the same path `/orders/**`"),
        "{list}"
    );
    let told = accepted(folder.run(&["explain", "GET", "/users/7"]));
    assert!(told.contains("route      eureka:users\n") && told.contains("sent as    /7\n"), "{told}");
}

#[test]
fn explain_names_the_route_the_filters_and_the_target() {
    let told = accepted(Folder::with(GOOD).run(&["explain", "GET", "/users/7?x=1"]));
    for expected in [
        "route      users",
        "{id} = 7",
        "web.request-id",
        "leads to   service users",
        "sent as    /users/7?x=1",
    ] {
        assert!(told.contains(expected), "missing: {expected}\nin: {told}");
    }
    let told = accepted(Folder::with(GOOD).run(&["explain", "DELETE", "http://example.org/hello"]));
    assert!(
        told.contains("path matches, method does not") && told.contains("code       method-not-allowed"),
        "{told}"
    );
}

#[test]
fn explain_refuses_questions_that_make_no_sense() {
    let folder = Folder::with(GOOD);
    let line = |arguments: &[&str]| refused(folder.run(arguments)).line().to_owned();
    let nope = "menshen: `nope` is neither a path nor a URL; write `/nope` or `http://nope`";
    assert_eq!(line(&["explain", "GET", "nope"]), nope);
    let other = "menshen: no listener named `other`; there are: web";
    assert_eq!(line(&["explain", "GET", "/", "--listener", "other"]), other);
    assert_eq!(line(&["explain", "GET", "/", "-H", "x"]), "menshen: `x` is not a field; write `Name: value`");
}

#[test]
fn test_runs_the_tests_of_the_routes_that_are_named() {
    let folder = Folder::with(GOOD);
    let all =
        "ok    users: GET /users/7\nok    hello: GET /hello\nok    hello: POST /hello\n3 passed, 0 failed\n";
    assert_eq!(accepted(folder.run(&["test"])), all);
    assert!(accepted(folder.run(&["test", "hel"])).ends_with("2 passed, 0 failed\n"));
}

#[test]
fn a_test_that_fails_says_what_was_expected_and_what_came() {
    let folder = Folder::with(GOOD.replace("POST /hello: 405", "POST /hello: { status: 200, route: hello }"));
    let outcome = refused(folder.run(&["test"]));
    let expected = "FAIL  hello: POST /hello\n      expected status 200, got 405\n      expected route hello, got none\n      method-not-allowed: ";
    assert!(outcome.out.contains(expected), "{outcome:?}");
    assert!(outcome.out.ends_with("2 passed, 1 failed\n"), "{outcome:?}");
}

#[test]
fn each_test_starts_with_limits_that_nobody_has_used() {
    let limited = "{ match: /hello, to: { respond: {} }, filters: [rate-limit: 1/h], tests: [GET /hello: 200, GET /hello: 200] }";
    let listener = "listeners: { web: { bind: 127.0.0.1:0, filters: [{ rate-limit: 1/d per ip }] } }";
    let folder = Folder::with(format!("{listener}\nroutes:\n  a: {limited}\n"));
    assert!(accepted(folder.run(&["test"])).ends_with("2 passed, 0 failed\n"));
    assert!(accepted(folder.run(&["check"])).contains("2 tests"));
}

#[test]
fn schema_is_json_and_knows_every_filter() {
    let schema = accepted(Folder::new().run(&["schema"]));
    let _: serde_json::Value = serde_json::from_str(&schema).unwrap();
    for filter in menshen_filters::ALL {
        assert!(schema.contains(&format!("\"title\": \"{}\"", filter.name)), "no {}", filter.name);
    }
}

#[test]
fn quick_proxies_everything_to_one_url() {
    let (origin, address) = taken();
    let gateway = Folder::new().start(&["quick", &format!("http://{address}"), "--bind", "127.0.0.1:0"]);
    let mut client = gateway.connect();
    client.write_all(b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let (mut service, _) = origin.accept().unwrap();
    let mut head = [0; 2048];
    let length = service.read(&mut head).unwrap();
    assert!(head[..length].starts_with(b"GET /a?b=c HTTP/1.1\r\n"));
    service.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
    let mut reply = String::new();
    client.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.ends_with("\r\n\r\nhello"), "{reply}");
}

#[test]
fn quick_refuses_what_is_no_url() {
    let line = |url: &str| refused(Folder::new().run(&["quick", url])).line().to_owned();
    let hint = "is not a URL that can be called; write `http://host:port` or `https://host:port`";
    assert_eq!(line("127.0.0.1:3000"), format!("menshen: `127.0.0.1:3000` {hint}"));
    assert!(line("http://127.0.0.1:0").contains("is not a port"));
}

#[test]
fn quick_can_lead_to_a_service_over_tls() {
    let running = Folder::new().start(&["quick", "https://127.0.0.1:1", "--bind", "127.0.0.1:0"]);
    let mut client = running.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("connect-failed"), "{answer}");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let (_taken, address) = taken();
    let outcome = refused(Folder::with(at(&address, "off")).run(&["run"]));
    let expected = format!(
        "error: listeners.web.bind: cannot listen on {address}: something else listens there already; stop it, or bind another port"
    );
    assert!(outcome.err.contains(&expected), "{outcome:?}");
}

#[test]
fn an_admin_port_that_is_taken_is_named() {
    let (_taken, address) = taken();
    let outcome = refused(Folder::with(at("127.0.0.1:0", &address)).run(&["run"]));
    assert_eq!(
        outcome.line(),
        format!(
            "menshen: gateway.admin: cannot listen on {address}: something else listens there already (another gateway?); \
             set `gateway: {{ admin: HOST:PORT }}` or `admin: off`"
        )
    );
}

#[test]
fn a_second_instance_does_not_take_requests_from_the_first() {
    let first = Folder::with(at("127.0.0.1:0", "off")).start(&["run"]);
    let outcome = refused(Folder::with(at(&first.address, "off")).run(&["run"]));
    assert!(outcome.err.contains("something else listens there already"), "{outcome:?}");
}

#[test]
fn an_address_of_another_machine_is_named() {
    let outcome = refused(Folder::with(at("192.0.2.1:8001", "off")).run(&["run"]));
    let expected = "cannot listen on 192.0.2.1:8001: this machine does not have that address; bind 0.0.0.0 for all addresses";
    assert!(outcome.err.contains(expected), "{outcome:?}");
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let folder = Folder::with(GOOD);
    std::fs::set_permissions(folder.path().join("menshen.yaml"), PermissionsExt::from_mode(0o000)).unwrap();
    let outcome = refused(folder.run_as_nobody(&["check"]));
    assert_eq!(outcome.line(), "menshen: menshen.yaml: no permission to read it");
}

#[test]
fn a_port_that_may_not_be_taken_is_named() {
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    if first.trim().parse::<u16>().is_ok_and(|port| port <= 81) {
        return; // Here everybody may take port 81.
    }
    let outcome = refused(Folder::with(at("127.0.0.1:81", "off")).run_as_nobody(&["run"]));
    assert!(
        outcome.err.contains("cannot listen on 127.0.0.1:81: no permission for this port"),
        "{outcome:?}"
    );
}

#[test]
fn sighup_reads_the_configuration_again_and_sigterm_ends_well() {
    let folder = Folder::with(at("127.0.0.1:0", "off"));
    let mut gateway = folder.start(&["run"]);
    let ask = |gateway: &support::Running| {
        let mut client = gateway.connect();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut reply = String::new();
        client.read_to_string(&mut reply).unwrap();
        reply
    };
    assert!(ask(&gateway).ends_with("hello"));
    folder.write("menshen.yaml", "routes: [");
    gateway.signal(rustix::process::Signal::HUP);
    gateway.says("menshen.yaml:");
    assert!(ask(&gateway).ends_with("hello"), "the last good configuration goes on");
    gateway.signal(rustix::process::Signal::TERM);
    gateway.says("stopping");
    assert!(gateway.ends_well());
}

#[test]
fn what_waits_for_a_restart_is_logged_once() {
    let config = |settings: &str| at("127.0.0.1:0", &format!("off, {settings}"));
    let folder = Folder::with(config("workers: 1"));
    let mut gateway = folder.start(&["run"]);
    let mut reload = |settings: &str, expected: &str| {
        folder.write("menshen.yaml", config(settings));
        gateway.signal(rustix::process::Signal::HUP);
        gateway.says(expected)
    };
    let workers = "gateway.workers changed from 1 to 2: takes effect after a restart";
    reload("workers: 2", workers);
    let later = reload("workers: 2, drain: 1m", "gateway.drain changed from 30s to 1m");
    assert!(!later.contains(workers), "{later}");
}
