//! Services found in Consul, played by an agent that does what Consul's documentation says.

use std::time::{Duration, Instant};

use menshen_e2e::{Admin, Client, ConsulAgent, Load, Origin, TestGateway, eventually, reply};
use serde_json::Value;

fn named(name: &'static str) -> Origin {
    Origin::answering(move |_| reply(name))
}

fn asking(agents: &[&ConsulAgent], settings: &str, query: &str) -> TestGateway {
    let agents: Vec<String> = agents.iter().map(|a| format!("'{}'", a.url())).collect();
    TestGateway::start_with(
        &format!(
            "
            gateway:
              admin: 127.0.0.1:0
            registries: {{ consul: {{ address: [{}], {settings} }} }}
            services: {{ users: {{ discover: 'consul:{query}' }} }}
            routes: {{ all: {{ match: /**, to: users }} }}
            ",
            agents.join(", ")
        ),
        &[],
        &[],
    )
}

fn shown(gateway: &TestGateway) -> Value {
    serde_json::from_str(&Admin::of(gateway).get("/services/users").text()).expect("JSON")
}

fn serves(gateway: &TestGateway) {
    eventually("the first answer of the agent", || Client::of(gateway).get("/").status == 200);
}

#[test]
fn instances_come_and_go_as_soon_as_the_agent_says_so() {
    let (agent, [a, b, c]) = (ConsulAgent::new(), ["a", "b", "c"].map(named));
    agent.register("users", "a", a.address(), "passing", &[]);
    agent.register("users", "b", b.address(), "passing", &[]);
    let gateway = asking(&[&agent], "wait: 60s", "users");
    serves(&gateway);
    let load = Load::of(&gateway, 4, "/");
    a.gets_requests();
    b.gets_requests();

    let asked = Instant::now();
    agent.register("users", "c", c.address(), "passing", &[]);
    c.gets_requests();
    assert!(asked.elapsed() < Duration::from_secs(4), "a change ends the wait: {:?}", asked.elapsed());

    agent.register("users", "a", a.address(), "critical", &[]);
    std::thread::sleep(Duration::from_secs(1));
    let late = a.whole_requests();
    load.goes_on(100);
    assert_eq!(a.whole_requests(), late, "requests for an instance whose check fails");
    agent.deregister("users", "b");
    agent.register("users", "a", a.address(), "passing", &[]);
    a.gets_requests();
    assert_eq!(load.failures(), Vec::<String>::new());
}

#[test]
fn questions_are_held_back_and_not_asked_again_and_again() {
    let (agent, a) = (ConsulAgent::new(), named("a"));
    agent.register("users", "a", a.address(), "passing", &[]);
    let gateway = asking(&[&agent], "wait: 60s", "users");
    serves(&gateway);
    std::thread::sleep(Duration::from_secs(1));
    let targets: Vec<String> = agent.requests().into_iter().map(|r| r.target).collect();
    assert_eq!(targets.len(), 2, "{targets:?}");
    assert_eq!(targets[0], "/v1/health/service/users?passing=true");
    assert!(targets[1].starts_with("/v1/health/service/users?passing=true&index=11&wait="), "{targets:?}");
}

#[test]
fn an_index_that_goes_backwards_loses_no_change() {
    let (agent, [a, b]) = (ConsulAgent::new(), ["a", "b"].map(named));
    agent.register("users", "a", a.address(), "passing", &[]);
    let gateway = asking(&[&agent], "wait: 60s", "users");
    serves(&gateway);
    eventually("the gateway waits for a change", || agent.requests().len() == 2);
    agent.restore();
    eventually("the gateway asks again", || agent.requests().len() > 2);
    agent.register("users", "b", b.address(), "passing", &[]);
    let load = Load::of(&gateway, 2, "/");
    b.gets_requests();
    assert_eq!(load.failures(), Vec::<String>::new());
}

#[test]
fn tags_datacenter_and_token_are_asked_for() {
    let (agent, [a, b]) = (ConsulAgent::new(), ["a", "b"].map(named));
    agent.demand_token("s3cret");
    agent.register("users", "a", a.address(), "passing", &["v1"]);
    agent.register("users", "b", b.address(), "passing", &["v1", "v2"]);
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let settings = format!("wait: 60s, token: 'file:{}', datacenter: west", token.display());
    let gateway = asking(&[&agent], &settings, "users?tag=v1&tag=v2");
    serves(&gateway);
    assert_eq!(Client::of(&gateway).get("/").text(), "b");
    assert_eq!(a.whole_requests(), 0);
    assert!(agent.requests()[0].target.ends_with("?passing=true&tag=v1&tag=v2&dc=west"));
    assert!(!shown(&gateway).to_string().contains("s3cret"));
}

#[test]
fn a_refused_token_is_told_and_what_is_known_stays() {
    let (agent, a) = (ConsulAgent::new(), named("a"));
    agent.register("users", "a", a.address(), "passing", &[]);
    let gateway = asking(&[&agent], "wait: 60s", "users");
    serves(&gateway);
    agent.demand_token("other");
    eventually("the refusal is told", || {
        let shown = shown(&gateway).to_string();
        shown.contains("ACL not found") && shown.contains("service:read") && shown.contains("consul:users")
    });
    assert_eq!(Client::of(&gateway).get("/").status, 200);
}

#[test]
fn the_next_agent_is_asked_when_one_fails() {
    let (agents, [a, b]) = ([ConsulAgent::new(), ConsulAgent::new()], ["a", "b"].map(named));
    for agent in &agents {
        agent.register("users", "a", a.address(), "passing", &[]);
    }
    let gateway = asking(&[&agents[0], &agents[1]], "wait: 60s", "users");
    serves(&gateway);
    let load = Load::of(&gateway, 4, "/");
    let asked = agents.iter().position(|agent| !agent.requests().is_empty()).expect("one was asked");
    agents[asked].break_down(true);
    agents[1 - asked].register("users", "b", b.address(), "passing", &[]);
    b.gets_requests();
    assert_eq!(load.failures(), Vec::<String>::new());
}
