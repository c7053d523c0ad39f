//! Services found in a real Consul.

use std::time::Duration;

use menshen_e2e::{Client, ConsulServer, Load, Origin, TestGateway, eventually, reply};

fn named(name: &'static str) -> Origin {
    Origin::answering(move |_| reply(name))
}

fn in_front_of(server: &ConsulServer, token: &str, rest: &str) -> TestGateway {
    TestGateway::start(
        &format!(
            "
            gateway:
              admin: 127.0.0.1:0
            registries:
              consul:
                address: '{}'
                token: 'file:{}'
                {rest}
            ",
            server.url(),
            server.file("token", token).display()
        ),
        &[],
    )
}

const USERS: &str = "
            services: { users: { discover: 'consul:users?tag=v2' } }
            routes: { all: { match: /**, to: users } }
";

#[test]
fn instances_come_and_go_under_load_and_nobody_notices() {
    let Some(mut server) = ConsulServer::start() else { return };
    let [a, b, c, old] = ["a", "b", "c", "old"].map(named);
    server.register("users", "a", a.address(), &["v2"]);
    server.register("users", "b", b.address(), &["v2", "east"]);
    server.register("users", "old", old.address(), &["v1"]);
    let gateway = in_front_of(&server, ConsulServer::TOKEN, USERS);
    eventually("the first answer", || Client::of(&gateway).get("/").status == 200);
    let load = Load::of(&gateway, 4, "/");
    a.gets_requests();
    b.gets_requests();

    server.register("users", "c", c.address(), &["v2"]);
    c.gets_requests();

    server.says("a", "fail");
    std::thread::sleep(Duration::from_secs(1));
    let late = a.whole_requests();
    load.goes_on(100);
    assert_eq!(a.whole_requests(), late, "requests for an instance whose check fails");
    server.says("a", "pass");
    a.gets_requests();

    server.deregister("b");
    std::thread::sleep(Duration::from_secs(1));
    let late = b.whole_requests();
    load.goes_on(100);
    assert_eq!(b.whole_requests(), late, "requests for an instance that left");

    server.kill();
    std::thread::sleep(Duration::from_secs(1));
    load.goes_on(100);
    assert_eq!(load.failures(), Vec::<String>::new());
    assert_eq!(old.whole_requests(), 0, "it has another tag");
}

#[test]
fn a_token_that_is_not_good_is_told_and_nobody_is_found() {
    let Some(server) = ConsulServer::start() else { return };
    let a = named("a");
    server.register("users", "a", a.address(), &["v2"]);
    let gateway = in_front_of(&server, "00000000-0000-0000-0000-00000000dead", USERS);
    let shown = || menshen_e2e::Admin::of(&gateway).get("/services/users").text();
    eventually("it is told", || shown().contains("403"));
    assert_eq!(Client::of(&gateway).get("/").outcome(), "503 no-endpoint");
}

#[test]
fn its_services_get_routes_that_come_and_go_with_them() {
    let Some(server) = ConsulServer::start() else { return };
    let [a, b] = ["a", "b"].map(named);
    server.register("users", "a", a.address(), &[]);
    let gateway = in_front_of(&server, ConsulServer::TOKEN, "routes: { ignore: [consul], linger: 0s }");
    let get = |path: &str| Client::of(&gateway).get(path);
    eventually("the route of users", || get("/users/1").text() == "a");
    assert_eq!(get("/consul/").status, 404, "Consul lists itself, and is ignored");
    server.register("orders", "b", b.address(), &[]);
    eventually("the route of orders", || get("/orders/1").text() == "b");
    server.deregister("b");
    eventually("it has gone", || get("/orders/1").outcome() == "404 no-route");
    assert_eq!(get("/users/1").text(), "a");
}
