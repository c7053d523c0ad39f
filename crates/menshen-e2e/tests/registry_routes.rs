//! Routes that are made of what registries list: they come and go with the list, and a registry that fails changes nothing.

use menshen_e2e::{
    Admin, Client, ConsulAgent, Load, Manner, Origin, Registry, TestGateway, eventually, reply, reply_with,
};

fn named(name: &'static str) -> Origin {
    Origin::answering(move |r| reply(&format!("{name} {}", r.target)))
}

/// What a Eureka server says of these apps with an instance each.
fn apps(apps: &[(&str, &Origin)]) -> Manner {
    let app = |(name, origin): &(&str, &Origin)| {
        let port = origin.address().port();
        format!(
            r#"{{"name":"{name}","instance":[{{"instanceId":"i","app":"{name}","hostName":"127.0.0.1","ipAddr":"127.0.0.1",
            "status":"UP","port":{{"$":{port},"@enabled":"true"}}}}]}}"#
        )
    };
    let apps: Vec<String> = apps.iter().map(app).collect();
    let body = format!(r#"{{"applications":{{"versions__delta":"-1","application":[{}]}}}}"#, apps.join(","));
    Manner::says(reply_with("200 OK", "", &body))
}

fn document(registry: &Registry, routes: &str, rest: &str) -> String {
    format!(
        "
        gateway:
          admin: 127.0.0.1:0
        registries:
          eureka: {{ servers: 'http://{}/eureka/', refresh: 100ms, timeout: 1s, deltas: off, routes: {routes} }}
        {rest}
        ",
        registry.address()
    )
}

fn asking(registry: &Registry, routes: &str) -> TestGateway {
    TestGateway::start(&document(registry, routes, ""), &[])
}

fn outcome(gateway: &TestGateway, target: &str) -> (u16, String) {
    let response = Client::of(gateway).get(target);
    (response.status, response.text())
}

fn becomes(gateway: &TestGateway, target: &str, status: u16) {
    eventually(&format!("{target} is answered with {status}"), || outcome(gateway, target).0 == status);
}

#[test]
fn each_service_has_a_route_that_comes_and_goes_with_it() {
    let [users, orders] = ["users", "orders"].map(named);
    let registry = Registry::new(apps(&[("USERS", &users)]));
    let gateway = asking(&registry, "{ linger: 300ms }");
    becomes(&gateway, "/users/1", 200);
    assert_eq!(outcome(&gateway, "/users/1?x"), (200, "users /1?x".to_owned()));
    assert_eq!(outcome(&gateway, "/orders/1").0, 404);
    assert_eq!(users.requests()[0].fields.get("x-forwarded-prefix"), Some("/users"));

    registry.set(apps(&[("USERS", &users), ("ORDERS", &orders)]));
    becomes(&gateway, "/orders/1", 200);
    let load = Load::of(&gateway, 2, "/users/");
    registry.set(apps(&[("USERS", &users)]));
    becomes(&gateway, "/orders/1", 404);
    let done = load.done();
    eventually("the others are answered", || load.done() > done + 50);
    assert_eq!(load.failures(), Vec::<String>::new());
}

#[test]
fn a_service_that_is_missing_for_a_moment_keeps_its_route() {
    let users = named("users");
    let registry = Registry::new(apps(&[("USERS", &users)]));
    let gateway = asking(&registry, "{}");
    becomes(&gateway, "/users/1", 200);
    let asked = registry.requests().len();
    registry.set(apps(&[]));
    eventually("it was asked again", || registry.requests().len() > asked + 5);
    assert_ne!(outcome(&gateway, "/users/1").0, 404);
}

#[test]
fn a_registry_that_fails_changes_nothing() {
    let users = named("users");
    let registry = Registry::new(apps(&[("USERS", &users)]));
    let gateway = asking(&registry, "{ linger: 0s }");
    becomes(&gateway, "/users/1", 200);
    let html = reply_with("200 OK", "", "<html>");
    for manner in [Manner::Closes, Manner::says(reply_with("500 Oh", "", "")), Manner::says(html)] {
        let asked = registry.requests().len();
        registry.set(manner);
        eventually("it was asked again", || registry.requests().len() > asked + 1);
        assert_eq!(outcome(&gateway, "/users/1").0, 200);
    }
}

#[test]
fn what_was_listed_has_routes_after_a_restart_without_the_registry() {
    let users = named("users");
    let registry = Registry::new(apps(&[("USERS", &users)]));
    let store = tempfile::tempdir().unwrap();
    let document = document(&registry, "{}", "")
        .replace("admin: 127.0.0.1:0", &format!("store: {}", store.path().display()));
    let mut gateway = TestGateway::start(&document, &[]);
    becomes(&gateway, "/users/1", 200);
    let kept = store.path().join("listed/eureka.json");
    let discovered = store.path().join("discovered");
    eventually("it is kept", || {
        kept.is_file()
            && std::fs::read_dir(&discovered)
                .is_ok_and(|d| d.flatten().any(|f| f.path().extension().is_some_and(|e| e == "json")))
    });
    gateway.stop();
    registry.set(Manner::Closes);
    let gateway = TestGateway::start(&document, &[]);
    assert_eq!(outcome(&gateway, "/users/1"), (200, "users /1".to_owned()));
}

#[test]
fn routes_and_services_that_are_written_win_and_filters_are_those_of_the_registry() {
    let [users, orders, own] = ["users", "orders", "own"].map(named);
    let registry = Registry::new(apps(&[("USERS-V2", &users), ("ORDERS-V1", &orders), ("SECRET", &own)]));
    let routes = "{ ignore: secret, name: '(?<name>.+)-(?<version>v[0-9]+)', path: '/${version}/${name}/**', filters: [ { headers: { request: { set: { X-By: registry } } } } ] }";
    let rest = "routes: { own: { match: '/v1/orders/**', to: 'http://{origin}' } }";
    let gateway = TestGateway::start(&document(&registry, routes, rest), &[&own]);
    becomes(&gateway, "/v2/users/1", 200);
    assert_eq!(outcome(&gateway, "/v2/users/1").1, "users /1");
    assert_eq!(users.requests()[0].fields.get("x-by"), Some("registry"));
    assert_eq!(outcome(&gateway, "/v1/orders/1").1, "own /v1/orders/1");
    assert_eq!(outcome(&gateway, "/secret/").0, 404);
}

#[test]
fn a_reload_keeps_what_is_listed_and_follows_what_is_written_now() {
    let users = named("users");
    let registry = Registry::new(apps(&[("USERS", &users)]));
    let gateway = asking(&registry, "{}");
    becomes(&gateway, "/users/1", 200);
    gateway.reload(&document(&registry, "{ path: '/api/${service}/**' }", "")).unwrap();
    assert_eq!(outcome(&gateway, "/api/users/1"), (200, "users /1".to_owned()), "at once");
    assert_eq!(outcome(&gateway, "/users/1").0, 404);
    let refusal = gateway.reload(&document(&registry, "{ path: '/${srv}/**' }", "")).unwrap_err();
    assert!(refusal.contains("nothing is called `${srv}`"), "{refusal}");
    assert_eq!(outcome(&gateway, "/api/users/1").0, 200);
    gateway.reload(&document(&registry, "", "")).unwrap();
    assert_eq!(outcome(&gateway, "/api/users/1").0, 404);
}

#[test]
fn services_of_consul_have_routes_as_soon_as_the_agent_lists_them() {
    let [users, orders] = ["users", "orders"].map(named);
    let agent = ConsulAgent::new();
    agent.register("users", "a", users.address(), "passing", &[]);
    let gateway = TestGateway::start(
        &format!(
            "
            gateway:
              admin: 127.0.0.1:0
            registries: {{ consul: {{ address: '{}', wait: 60s, routes: {{ linger: 0s }} }} }}
            ",
            agent.url()
        ),
        &[],
    );
    becomes(&gateway, "/users/1", 200);
    agent.register("orders", "a", orders.address(), "passing", &[]);
    becomes(&gateway, "/orders/1", 200);
    agent.deregister("orders", "a");
    becomes(&gateway, "/orders/1", 404);
    assert_eq!(outcome(&gateway, "/consul/").0, 404, "Consul itself");
    assert_eq!(outcome(&gateway, "/users/1").0, 200);
}

#[test]
fn routes_are_counted_by_their_registry_and_name() {
    let users = named("users");
    let registry = Registry::new(apps(&[("USERS", &users), ("A B", &users)]));
    let gateway = asking(&registry, "{}");
    becomes(&gateway, "/users/1", 200);
    let admin = Admin::of(&gateway);
    assert_eq!(admin.metric("menshen_requests_total{route=\"eureka:users\",status=\"200\"}"), 1);
    assert_eq!(admin.metric("menshen_registry_routes{registry=\"eureka\"}"), 1);
    assert_eq!(admin.metric("menshen_registry_services_without_route{registry=\"eureka\"}"), 1);
}
