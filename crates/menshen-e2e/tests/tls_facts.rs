//! What templates, conditions and the log know of a TLS connection, and what depends on there being one.

use menshen_e2e::{Authority, Client, Dialer, Origin, TestGateway, eventually, reply};

const DOCUMENT: &str = "
    gateway:
      access-log: { to: '{log}', fields: { tls: '{tls.version} {tls.cipher} {tls.server-name}', who: '{tls.client.subject}' } }
    listeners:
      plain:
        bind: '127.0.0.1:0'
        filters:
          - redirect: 'https://{host}{path}{?query}'
            when: { path: /page/** }
          - secure-headers
      https:
        bind: '127.0.0.2:0'
        tls:
          certificates: [{ chain: a.pem, key: a.key, clients: { ca: people.pem, need: optional } }]
        filters:
          - secure-headers
          - headers:
              request:
                set:
                  x-client-cert: 'Hash={tls.client.fingerprint};Subject=\"{tls.client.subject}\";{tls.client.san}'
                  x-client-subject: '{tls.client.subject}'
    routes:
      all: { match: /**, to: 'http://{origin}' }
      alice: { match: { path: /door, tls: { client.san: 'URI:spiffe://test/alice' } }, to: { respond: { body: 'hello alice' } } }
      known: { match: { path: /door, tls: { client.subject: present } }, to: { respond: { body: 'hello you' } } }
      old: { match: { path: /version, tls: { version: TLSv1.2 } }, to: { respond: { body: old } } }
      new: { match: { path: /version, tls: { version: { prefix: TLSv1. } } }, to: { respond: { body: new } } }
";

struct House {
    people: Authority,
    origin: Origin,
    gateway: TestGateway,
}

fn house() -> House {
    let (servers, people) = (Authority::new("servers"), Authority::new("people"));
    let leaf = servers.server(&["a.example"]);
    let origin = Origin::answering(|r| reply(&r.fields.to_string()));
    let files = [("a.pem", leaf.pem()), ("a.key", leaf.key_pem()), ("people.pem", people.pem())];
    let gateway = TestGateway::start_with(DOCUMENT, &[&origin], &files);
    House { people, origin, gateway }
}

impl House {
    fn ask(&self, dialer: &Dialer, target: &str) -> String {
        dialer.get(self.gateway.listener("https"), "a.example", target).unwrap().text()
    }
}

#[test]
fn a_service_is_told_who_the_client_is_by_its_certificate() {
    let house = house();
    let alice = house.people.client("alice");
    house.ask(&Dialer::showing(&alice), "/");
    let fields = house.origin.only_request().fields;
    let told = fields.get("x-client-cert").unwrap();
    let (hash, rest) = told.strip_prefix("Hash=").unwrap().split_once(';').unwrap();
    assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    assert_eq!(rest, "Subject=\"CN=alice\";URI:spiffe://test/alice");
    assert_eq!(fields.get("x-client-subject"), Some("CN=alice"));
}

#[test]
fn what_a_client_says_of_itself_is_replaced() {
    let house = house();
    for connection in ["https", "plain"] {
        let address = house.gateway.listener(connection);
        let mut client = match connection {
            "https" => Dialer::new().dial(address, "a.example").unwrap(),
            _ => Client::connect(address),
        };
        client.ask("GET /", &["Host: a.example", "X-Client-Subject: CN=admin"]);
    }
    let told: Vec<Option<String>> =
        house.origin.requests().iter().map(|r| r.fields.get("x-client-subject").map(str::to_owned)).collect();
    // The plain listener of this document has no such filter; the other one leaves nothing of it.
    assert_eq!(told, [None, Some("CN=admin".to_owned())]);
}

#[test]
fn routes_can_ask_for_a_certificate_or_a_version() {
    let house = house();
    let [alice, bob] = ["alice", "bob"].map(|name| Dialer::showing(&house.people.client(name)));
    assert_eq!(house.ask(&alice, "/door"), "hello alice");
    assert_eq!(house.ask(&bob, "/door"), "hello you");
    assert!(house.ask(&Dialer::new(), "/door").contains("a.example"), "the service was asked");
    assert_eq!(house.ask(&Dialer::of_tls12(), "/version"), "old");
    assert_eq!(house.ask(&Dialer::of_tls13(), "/version"), "new");
    let plain = Client::connect(house.gateway.listener("plain")).get("/version");
    assert!(plain.text().contains("host"), "without TLS nothing holds");
}

#[test]
fn browsers_are_told_to_come_back_by_https_only_where_they_came_by_it() {
    let house = house();
    let field = "strict-transport-security";
    let plain = Client::connect(house.gateway.listener("plain")).get("/");
    assert_eq!(plain.fields.get(field), None);
    assert_eq!(plain.fields.get("x-frame-options"), Some("DENY"));
    let secure = Dialer::new().get(house.gateway.listener("https"), "a.example", "/").unwrap();
    assert_eq!(secure.fields.get(field), Some("max-age=31536000"));
}

#[test]
fn plain_http_is_sent_to_https() {
    let house = house();
    let response = Client::connect(house.gateway.listener("plain")).get("/page/a?b=c");
    assert_eq!((response.status, response.fields.get("location")), (308, Some("https://gateway/page/a?b=c")));
    assert_eq!(response.fields.get("strict-transport-security"), None);
}

#[test]
fn the_service_is_told_that_the_client_came_by_https() {
    let house = house();
    house.ask(&Dialer::new(), "/");
    let fields = house.origin.only_request().fields;
    assert_eq!(fields.get("x-forwarded-proto"), Some("https"));
}

#[test]
fn the_log_knows_of_it() {
    let house = house();
    house.ask(&Dialer::showing(&house.people.client("alice")), "/");
    let mut log = String::new();
    eventually("there is a line", || {
        log = std::fs::read_to_string(house.gateway.log()).unwrap_or_default();
        log.ends_with('\n')
    });
    let line: serde_json::Value = serde_json::from_str(&log).unwrap();
    let tls = line["tls"].as_str().unwrap();
    assert!(tls.starts_with("TLSv1.3 TLS_") && tls.ends_with(" a.example"), "{tls}");
    assert_eq!(line["who"], "CN=alice");
}
