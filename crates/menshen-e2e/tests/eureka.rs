//! Services found in a real Eureka server, and the gateway as an instance there.

use std::time::{Duration, Instant};

use menshen_e2e::{Client, EurekaServer, Load, Origin, TestGateway, eventually, reply};

/// How often the gateways of these tests ask.
const POLL: Duration = Duration::from_millis(500);

/// An instance that says its name.
fn named(name: &'static str) -> Origin {
    Origin::answering(move |_| reply(name))
}

fn in_front_of(server: &EurekaServer, query: &str) -> TestGateway {
    TestGateway::start(
        &format!(
            "
            registries: {{ eureka: {{ servers: '{}', refresh: 500ms }} }}
            services: {{ users: {{ discover: 'eureka:{query}' }} }}
            routes: {{ all: {{ match: /**, to: users }} }}
            ",
            server.url()
        ),
        &[],
    )
}

#[test]
fn instances_come_and_go_under_load_and_nobody_notices() {
    let Some(mut server) = EurekaServer::start() else { return };
    let (a, b, c) = (named("a"), named("b"), named("c"));
    server.register("USERS", "a", a.address(), "UP", "");
    server.register("USERS", "b", b.address(), "UP", "");
    let gateway = in_front_of(&server, "users");
    eventually("the first answer of the registry", || Client::of(&gateway).get("/").status == 200);

    let load = Load::of(&gateway, 4, "/");
    a.gets_requests();
    b.gets_requests();
    server.register("USERS", "c", c.address(), "UP", "");
    c.gets_requests();

    server.remove("USERS", "a");
    let gone = Instant::now();
    std::thread::sleep(POLL + Duration::from_secs(1));
    let (late, after) = (a.whole_requests(), gone.elapsed());
    load.goes_on(100);
    assert_eq!(a.whole_requests(), late, "requests for an instance that left {after:?} ago");

    server.register("USERS", "a", a.address(), "UP", "");
    a.gets_requests();

    server.kill();
    std::thread::sleep(POLL * 2);
    load.goes_on(100);
    for origin in [&a, &b, &c] {
        origin.gets_requests();
    }
    assert_eq!(load.failures(), Vec::<String>::new());
}

#[test]
fn only_instances_that_are_up_get_requests() {
    let Some(server) = EurekaServer::start() else { return };
    let (up, starting, over) = (named("up"), named("starting"), named("over"));
    server.register("USERS", "up", up.address(), "UP", "");
    server.register("USERS", "starting", starting.address(), "STARTING", "");
    server.register("USERS", "over", over.address(), "UP", "");
    let gateway = in_front_of(&server, "USERS.vip?by=vip");
    eventually("the first answer of the registry", || Client::of(&gateway).get("/").status == 200);
    let load = Load::of(&gateway, 4, "/");
    up.gets_requests();
    over.gets_requests();

    let taken_out = server.ask("PUT", "apps/USERS/over/status?value=OUT_OF_SERVICE", "");
    assert_eq!(taken_out.status, 200);
    std::thread::sleep(POLL + Duration::from_secs(1));
    let late = over.whole_requests();
    load.goes_on(100);
    assert_eq!(over.whole_requests(), late, "requests for an instance that was taken out");

    assert_eq!(server.ask("DELETE", "apps/USERS/over/status?value=UP", "").status, 200);
    over.gets_requests();
    server.register("USERS", "starting", starting.address(), "UP", "");
    starting.gets_requests();
    assert_eq!(load.failures(), Vec::<String>::new());
}

#[test]
fn a_gateway_is_an_instance_from_ready_to_stop() {
    let Some(server) = EurekaServer::start() else { return };
    let origin = named("behind the edge");
    let mut edge = TestGateway::start(
        &format!(
            "
            registries:
              eureka:
                servers: '{}'
                zone: z1
                register: {{ app: edge, renew: 1s, metadata: {{ weight: '7' }} }}
            routes: {{ all: {{ match: /**, to: 'http://{{origin}}' }} }}
            ",
            server.url()
        ),
        &[&origin],
    );
    let port = edge.address().port();
    let status = || {
        let instance = server.ask("GET", &format!("apps/EDGE/127.0.0.1:edge:{port}"), "");
        let find = |name: &str| {
            let text = instance.text();
            let start = text.find(&format!("\"{name}\":\""))? + name.len() + 4;
            Some(text[start..].split('"').next()?.to_owned())
        };
        (instance.status, find("status"), find("zone"), find("weight"))
    };
    let up = (200, Some("UP".to_owned()), Some("z1".to_owned()), Some("7".to_owned()));
    eventually("the gateway is registered", || status() == up);

    // Found by another gateway, and called.
    let gateway = in_front_of(&server, "EDGE");
    eventually("the other gateway finds it", || Client::of(&gateway).get("/").status == 200);
    assert_eq!(Client::of(&gateway).get("/").text(), "behind the edge");

    // A server that has forgotten it is told again with the next renewal.
    server.remove("EDGE", &format!("127.0.0.1:edge:{port}"));
    eventually("the gateway is registered again", || status() == up);

    edge.stop();
    assert_eq!(status().0, 404, "a gateway that has stopped is no instance any more");
}
