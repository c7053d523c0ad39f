//! Registries that fail, lie or never end: what is known stays, and no request fails (figures D1 and D2 in small).

use std::time::Duration;

use menshen_e2e::{
    Admin, Client, Load, Manner, Origin, Registry, TestGateway, eventually, reply, reply_with,
};
use serde_json::Value;

/// The two kinds, each with its way to say where instances are.
#[derive(Clone, Copy)]
struct Kind {
    scheme: &'static str,
    settings: &'static str,
    instance: fn(usize, &str) -> String,
    whole: fn(String) -> String,
}

const EUREKA: Kind = Kind {
    scheme: "eureka",
    settings: "eureka: { servers: 'http://ADDRESS/eureka/', refresh: 200ms, timeout: TIMEOUT }",
    instance: |n, port| {
        format!(
            r#"{{"instanceId":"i{n}","app":"USERS","hostName":"127.0.0.1","ipAddr":"127.0.0.1","status":"UP","port":{{"$":{port},"@enabled":"true"}}}}"#
        )
    },
    whole: |instances| {
        format!(
            r#"{{"applications":{{"versions__delta":"-1","application":[{{"name":"USERS","instance":[{instances}]}}]}}}}"#
        )
    },
};

const CONSUL: Kind = Kind {
    scheme: "consul",
    settings: "consul: { address: 'http://ADDRESS', wait: 1s, timeout: TIMEOUT }",
    instance: |n, port| {
        format!(
            r#"{{"Node":{{"Node":"n","Address":"127.0.0.1"}},"Service":{{"ID":"i{n}","Port":{port}}},"Checks":[]}}"#
        )
    },
    whole: |instances| format!("[{instances}]"),
};

impl Kind {
    fn says(self, origins: &[&Origin]) -> Manner {
        let one = |(n, o): (usize, &&Origin)| (self.instance)(n, &o.address().port().to_string());
        let all: Vec<String> = origins.iter().enumerate().map(one).collect();
        Manner::says(self.reply(&(self.whole)(all.join(","))))
    }

    /// Each answer has an index of its own, so that no question is held back.
    fn reply(self, body: &str) -> String {
        reply_with("200 OK", &format!("X-Consul-Index: {}\r\n", body.len() + 1), body)
    }

    fn asking(self, registry: &Registry, timeout: &str) -> TestGateway {
        let settings = self.settings.replace("ADDRESS", &registry.address().to_string());
        let scheme = self.scheme;
        TestGateway::start(
            &format!(
                "
                gateway:
                  admin: 127.0.0.1:0
                registries: {{ {} }}
                services: {{ users: {{ discover: '{scheme}:users' }} }}
                routes: {{ all: {{ match: /**, to: users }} }}
                ",
                settings.replace("TIMEOUT", timeout)
            ),
            &[],
        )
    }
}

fn shown(gateway: &TestGateway) -> Value {
    serde_json::from_str(&Admin::of(gateway).get("/services/users").text()).expect("JSON")
}

fn expect_endpoints(gateway: &TestGateway, count: usize) {
    eventually(&format!("there are {count} endpoints"), || shown(gateway)["endpoint-count"] == count);
}

fn is_kept_whatever_it_says(kind: Kind) {
    let [a, b] = [Origin::answering(|_| reply("a")), Origin::answering(|_| reply("b"))];
    let registry = Registry::new(kind.says(&[&a, &b]));
    let gateway = kind.asking(&registry, "500ms");
    expect_endpoints(&gateway, 2);
    let load = Load::of(&gateway, 4, "/");
    let bad = [
        ("an error", Manner::says(reply_with("500 Internal Server Error", "", "oh no"))),
        ("too busy", Manner::says(reply_with("503 Service Unavailable", "Retry-After: 1\r\n", ""))),
        ("elsewhere", Manner::says(reply_with("302 Found", "Location: http://127.0.0.1:1/\r\n", ""))),
        ("a page", Manner::says(reply("<html>login</html>"))),
        ("nothing", Manner::says(reply(""))),
        ("other types", Manner::says(reply(r#"{"applications":[1,2],"x":{"Service":7}}"#))),
        ("a cut text", Manner::says(reply(r#"[{"Service":{"ID":"a","Port""#))),
        (
            "a cut answer",
            Manner::says("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n["),
        ),
        ("no gzip", Manner::says(reply_with("200 OK", "Content-Encoding: gzip\r\n", "not packed"))),
        ("no HTTP", Manner::says(b"\x16\x03\x01\x00\x00\r\n\r\n")),
        ("silence", Manner::Silent),
        ("a closed door", Manner::Closes),
        (
            "no end",
            Manner::Endless(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..].into(),
                b"4\r\n    \r\n".repeat(100)[..].into(),
            ),
        ),
    ];
    for (what, manner) in bad {
        registry.set(manner);
        eventually(&format!("{what} is told, with service and source"), || {
            let shown = shown(&gateway);
            shown["state"] == "failing" && shown.to_string().contains(&format!("{}:users", kind.scheme))
        });
        load.goes_on(50);
        assert_eq!(shown(&gateway)["endpoint-count"], 2, "{what}");
        registry.set(kind.says(&[&a, &b]));
        eventually(&format!("all is well after {what}"), || shown(&gateway)["state"] == "good");
    }
    // Nobody left, it says; but they answer.
    registry.set(kind.says(&[]));
    std::thread::sleep(Duration::from_secs(1));
    load.goes_on(50);
    assert_eq!(shown(&gateway)["endpoint-count"], 2, "an empty set while all instances answer");
    assert_eq!(load.failures(), Vec::<String>::new());
}

#[test]
fn what_eureka_knew_is_kept_whatever_it_says() {
    is_kept_whatever_it_says(EUREKA);
}

#[test]
fn what_consul_knew_is_kept_whatever_it_says() {
    is_kept_whatever_it_says(CONSUL);
}

fn flaps(kind: Kind) {
    let origins = ["a", "b", "c"].map(|name| Origin::answering(move |_| reply(name)));
    let [a, b, c] = &origins;
    let registry = Registry::new(kind.says(&[a, b, c]));
    let gateway = kind.asking(&registry, "2s");
    expect_endpoints(&gateway, 3);
    let load = Load::of(&gateway, 4, "/");
    for set in [[a, b], [b, c], [a, c]].iter().cycle().take(30) {
        registry.set(kind.says(set));
        std::thread::sleep(Duration::from_millis(100));
    }
    registry.set(kind.says(&[a, b, c]));
    expect_endpoints(&gateway, 3);
    assert_eq!(load.failures(), Vec::<String>::new());
}

#[test]
fn a_set_in_eureka_that_changes_all_the_time_costs_no_request() {
    flaps(EUREKA);
}

#[test]
fn a_set_in_consul_that_changes_all_the_time_costs_no_request() {
    flaps(CONSUL);
}

#[test]
fn a_registry_of_a_hundred_thousand_instances_is_read_beside_the_traffic() {
    let [a, b] = [Origin::answering(|_| reply("a")), Origin::answering(|_| reply("b"))];
    let registry = Registry::new(EUREKA.says(&[&a]));
    let gateway = EUREKA.asking(&registry, "30s");
    expect_endpoints(&gateway, 1);
    let load = Load::of(&gateway, 2, "/");
    let mut text = String::from(
        r#"{"applications":{"versions__delta":"-1","application":[{"name":"OTHERS","instance":["#,
    );
    for n in 0..100_000 {
        text += &(EUREKA.instance)(n, "80").replace("USERS", "OTHERS");
        text.push(',');
    }
    text.pop();
    let users = [&a, &b].map(|o| o.address().port().to_string());
    let users = [(EUREKA.instance)(0, &users[0]), (EUREKA.instance)(1, &users[1])].join(",");
    text += &format!(r#"]}},{{"name":"USERS","instance":[{users}]}}]}}}}"#);
    registry.set(Manner::says(reply(&text)));
    let before = b.whole_requests();
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while b.whole_requests() == before {
        assert!(std::time::Instant::now() < end, "the large registry is never read");
        load.goes_on(50);
    }
    assert_eq!(load.failures(), Vec::<String>::new());
}

#[test]
fn a_gateway_starts_without_its_registry_and_finds_it_later() {
    let a = Origin::answering(|_| reply("a"));
    let registry = Registry::new(Manner::Closes);
    let gateway = EUREKA.asking(&registry, "500ms");
    assert_eq!(Client::of(&gateway).get("/").status, 503);
    registry.set(EUREKA.says(&[&a]));
    eventually("the registry is found", || Client::of(&gateway).get("/").status == 200);
}
