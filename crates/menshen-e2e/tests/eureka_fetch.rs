//! How a Eureka registry is fetched: whole, then what has changed, from the next server where one fails, once for all
//! services.

use std::io::Read;
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::read::GzEncoder;
use menshen_e2e::{Admin, Client, Origin, TestGateway, eventually, reply, reply_with};

/// What a server says to whoever asks for this: the whole, or what has changed.
#[derive(Clone, Default)]
struct Says {
    whole: String,
    delta: Option<String>,
}

/// A server and what it says.
fn server(says: Says) -> (Origin, Arc<Mutex<Says>>) {
    let says = Arc::new(Mutex::new(says));
    let now = says.clone();
    let origin = Origin::answering(move |request| {
        let says = now.lock().unwrap().clone();
        match (&*request.target, says.delta) {
            ("/eureka/apps/", _) => reply(&says.whole),
            ("/eureka/apps/delta", Some(delta)) => reply(&delta),
            _ => reply_with("403 Forbidden", "", ""),
        }
    });
    (origin, says)
}

fn instance(id: &str, at: &Origin, action: &str) -> String {
    let port = at.address().port();
    format!(
        r#"{{"instanceId":"{id}","app":"USERS","hostName":"127.0.0.1","status":"UP","actionType":"{action}","port":{{"$":{port},"@enabled":"true"}}}}"#
    )
}

fn apps(instances: &[String], hash: &str) -> String {
    let instances = instances.join(",");
    format!(
        r#"{{"applications":{{"versions__delta":"1","apps__hashcode":"{hash}","application":[{{"name":"USERS","instance":[{instances}]}}]}}}}"#
    )
}

fn asking(servers: &str) -> TestGateway {
    TestGateway::start(
        &format!(
            "
            gateway:
              admin: 127.0.0.1:0
            registries: {{ eureka: {{ {servers}, refresh: 200ms, timeout: 1s }} }}
            services: {{ users: {{ discover: 'eureka:users' }} }}
            routes: {{ all: {{ match: /**, to: users }} }}
            "
        ),
        &[],
    )
}

fn at(server: &Origin) -> String {
    format!("'http://{}/eureka/'", server.address())
}

fn asked(server: &Origin, target: &str) -> usize {
    server.requests().iter().filter(|r| r.target == target).count()
}

fn serves(gateway: &TestGateway) {
    eventually("the registry is known", || Client::of(gateway).get("/").status == 200);
}

#[test]
fn after_the_whole_only_changes_are_asked_for() {
    let [a, b] = ["a", "b"].map(|name| Origin::answering(move |_| reply(name)));
    let whole = apps(&[instance("a", &a, "ADDED")], "UP_1_");
    let (server, says) = server(Says { whole, delta: Some(apps(&[], "UP_1_")) });
    let gateway = asking(&format!("servers: {}", at(&server)));
    serves(&gateway);
    eventually("changes are asked for", || asked(&server, "/eureka/apps/delta") > 2);
    says.lock().unwrap().delta = Some(apps(&[instance("b", &b, "ADDED")], "UP_2_"));
    eventually("what was added gets requests", || Client::of(&gateway).get("/").text() == "b");
    // The change stays in the answers for some minutes; hash and set agree all the same.
    assert_eq!(asked(&server, "/eureka/apps/"), 1, "the whole was asked for again");
    let request = server.requests().pop().unwrap();
    assert_eq!(request.fields.get("accept-encoding"), Some("gzip"));
    assert_eq!(request.fields.get("accept"), Some("application/json"));
}

#[test]
fn the_whole_is_asked_for_again_when_the_hash_code_differs() {
    let [a, b] = ["a", "b"].map(|name| Origin::answering(move |_| reply(name)));
    let whole = apps(&[instance("a", &a, "ADDED")], "UP_1_");
    let (server, says) = server(Says { whole, delta: Some(apps(&[], "UP_1_")) });
    let gateway = asking(&format!("servers: {}", at(&server)));
    serves(&gateway);
    let both = [instance("a", &a, "ADDED"), instance("b", &b, "ADDED")];
    // The change itself was missed.
    *says.lock().unwrap() = Says { whole: apps(&both, "UP_2_"), delta: Some(apps(&[], "UP_2_")) };
    eventually("the set is whole", || Client::of(&gateway).get("/").text() == "b");
    assert!(asked(&server, "/eureka/apps/") > 1);
}

#[test]
fn a_server_without_deltas_is_asked_for_the_whole() {
    let [a, b] = ["a", "b"].map(|name| Origin::answering(move |_| reply(name)));
    let (server, says) = server(Says { whole: apps(&[instance("a", &a, "ADDED")], "UP_1_"), delta: None });
    let gateway = asking(&format!("servers: {}", at(&server)));
    serves(&gateway);
    says.lock().unwrap().whole = apps(&[instance("a", &a, "ADDED"), instance("b", &b, "ADDED")], "UP_2_");
    eventually("the set is whole", || Client::of(&gateway).get("/").text() == "b");
}

#[test]
fn the_next_server_is_asked_when_one_fails_and_the_own_zone_comes_first() {
    let a = Origin::answering(|_| reply("a"));
    let whole = apps(&[instance("a", &a, "ADDED")], "UP_1_");
    let (near, says) = server(Says { whole: whole.clone(), delta: None });
    let (far, _) = server(Says { whole, delta: None });
    let refusing = Origin::refusing();
    let zones = format!("zone: here, zones: {{ there: {}, here: [{}] }}", at(&far), at(&near));
    let gateway = asking(&zones);
    serves(&gateway);
    eventually("the near server is asked", || asked(&near, "/eureka/apps/") > 3);
    assert_eq!(far.requests().len(), 0, "the server of another zone was asked");
    says.lock().unwrap().whole = "no registry".to_owned();
    eventually("the far server is asked", || asked(&far, "/eureka/apps/") > 0);

    let gateway = asking(&format!("servers: [{}, {}]", at(&refusing), at(&far)));
    serves(&gateway);
}

#[test]
fn one_fetch_serves_all_services() {
    let a = Origin::answering(|_| reply("a"));
    let (server, _) =
        server(Says { whole: apps(&[instance("a", &a, "ADDED")], "UP_1_"), delta: Some(apps(&[], "UP_1_")) });
    let gateway = TestGateway::start(
        &format!(
            "
            gateway:
              admin: 127.0.0.1:0
            registries: {{ eureka: {{ servers: {}, refresh: 30s }} }}
            services:
              one: {{ discover: 'eureka:users' }}
              two: {{ discover: 'eureka:USERS?port=plain' }}
              three: {{ discover: 'eureka:Users?address=ip' }}
            routes:
              one: {{ match: /one/**, to: one }}
              two: {{ match: /two/**, to: two }}
              three: {{ match: /three/**, to: three }}
            ",
            at(&server)
        ),
        &[],
    );
    for path in ["/one", "/two", "/three"] {
        eventually("the service is known", || Client::of(&gateway).get(path).status == 200);
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn what_is_packed_is_unpacked_and_credentials_are_sent_but_never_shown() {
    let a = Origin::answering(|_| reply("a"));
    let whole = apps(&[instance("a", &a, "ADDED")], "UP_1_");
    let mut packed = Vec::new();
    GzEncoder::new(whole.as_bytes(), Compression::fast()).read_to_end(&mut packed).unwrap();
    let server = Origin::answering(move |request| {
        // anna:s3cret
        if request.fields.get("authorization") != Some("Basic YW5uYTpzM2NyZXQ=") {
            return reply_with("401 Unauthorized", "", "who are you?").into_bytes();
        }
        let length = packed.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), &packed].concat()
    });
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("password");
    std::fs::write(&secret, "s3cret\n").unwrap();
    let credentials =
        |user: &str| format!("servers: {}, user: {user}, password: 'file:{}'", at(&server), secret.display());
    let gateway = asking(&credentials("anna"));
    serves(&gateway);
    let gateway = asking(&credentials("bert"));
    let shown = || Admin::of(&gateway).get("/services/users").text();
    eventually("the refusal is told", || shown().contains("401 Unauthorized: who are you?"));
    assert!(!shown().contains("s3cret") && !shown().contains("Basic"), "{}", shown());
}
