//! Certificates that get themselves, from a real authority: Pebble.

use menshen_e2e::{Admin, Client, Dialer, Pebble, PebbleSettings, TestGateway, eventually};

/// Where Pebble says when to renew.
const RENEWAL_INFO: &str = "/draft-ietf-acme-ari-03/renewalInfo/";

/// A gateway with a listener that speaks plain HTTP and one that speaks TLS, where Pebble asks.
fn document(pebble: &Pebble, names: &str, more: &str) -> String {
    format!(
        "
        gateway:
          admin: 127.0.0.1:0
          store: store
          acme: {{ email: ops@example.com, terms: agreed, directory: '{}', ca: ca.pem{more} }}
        listeners:
          plain: {{ bind: '{}', filters: [ redirect: 'https://{{host}}{{path}}' ] }}
          web: {{ bind: '{}', tls: {{ certificates: [ {{ acme: [{names}] }} ] }} }}
        routes: {{ all: {{ match: /**, to: {{ respond: {{ body: one }} }} }} }}
        ",
        pebble.directory(),
        pebble.http,
        pebble.tls,
    )
}

/// The same without a plain listener where Pebble would ask.
fn without_plain(document: &str) -> String {
    document.lines().filter(|l| !l.trim_start().starts_with("plain:")).map(|l| format!("{l}\n")).collect()
}

fn start(document: &str, pebble: &Pebble) -> TestGateway {
    TestGateway::start_with(document, &[], &[("ca.pem", pebble.ca())])
}

/// The certificate that is shown for a name.
fn shown(pebble: &Pebble, name: &str) -> Result<Vec<u8>, String> {
    let client = Dialer::new().forgetful().dial(pebble.tls, name)?;
    Ok(client.agreed().certificate.as_ref().expect("a certificate").to_vec())
}

fn is_from_pebble(certificate: &[u8]) -> bool {
    certificate.windows(19).any(|w| w == b"Pebble Intermediate")
}

/// Waits until a certificate from Pebble is shown for a name.
fn wait_for(pebble: &Pebble, name: &str) -> Vec<u8> {
    let mut found = None;
    eventually("a certificate is shown", || {
        found = shown(pebble, name).ok().filter(|c| is_from_pebble(c));
        found.is_some()
    });
    found.unwrap()
}

/// What `GET /status` says about certificates.
fn status(gateway: &TestGateway) -> serde_json::Value {
    let status: serde_json::Value = serde_json::from_str(&Admin::of(gateway).get("/status").text()).unwrap();
    status["acme"].clone()
}

/// Waits until the only certificate could not be got, and says why.
fn wait_for_failure(gateway: &TestGateway) -> String {
    eventually("getting it fails", || status(gateway)["certificates"][0]["state"] == "failing");
    let certificate = &status(gateway)["certificates"][0];
    assert!(certificate["next-try"].is_string(), "{certificate}");
    certificate["problem"].as_str().unwrap().to_owned()
}

#[test]
fn a_certificate_is_got_by_http_01_past_routes_and_filters() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let document = document(&pebble, "www.example.com, example.com", "")
        .replace("store: store", "store: store\n          access-log: '{log}'");
    let gateway = start(&document, &pebble);
    let certificate = wait_for(&pebble, "www.example.com");
    assert_eq!(shown(&pebble, "example.com"), Ok(certificate), "one certificate for both names");
    assert_eq!(Dialer::new().get(pebble.tls, "example.com", "/").unwrap().text(), "one");
    eventually("the status says so", || status(&gateway)["certificates"][0]["state"] == "valid");
    let mut token = None;
    eventually("the log has what the authority asked for", || {
        let log = std::fs::read_to_string(gateway.log()).unwrap_or_default();
        let line = log.lines().find(|l| l.contains(r#""route":"(plain)","status":200"#)).unwrap_or_default();
        token =
            line.split('"').find(|part| part.starts_with("/.well-known/acme-challenge/")).map(str::to_owned);
        token.is_some()
    });
    let asked = format!("GET {} HTTP/1.1\r\nHost: example.com\r\n\r\n", token.unwrap());
    let reply = Client::connect(pebble.http).send(asked).response();
    assert_eq!(reply.status, 308, "a token that is not under way any more goes where everything goes");
    let got = r#"menshen_acme_attempts_total{names="example.com,www.example.com",outcome="got"}"#;
    assert_eq!(Admin::of(&gateway).metric(got), 1);
    assert!(Admin::of(&gateway).get("/metrics").text().contains("menshen_acme_renewal_seconds{"));
}

#[test]
fn many_lost_nonces_do_not_matter() {
    let Some(pebble) = Pebble::start(PebbleSettings { nonce_reject: 20, ..Default::default() }) else {
        return;
    };
    let _gateway = start(&document(&pebble, "a.example.com", ""), &pebble);
    wait_for(&pebble, "a.example.com");
}

#[test]
fn a_certificate_is_got_by_tls_alpn_01_and_other_certificates_are_shown_meanwhile() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let own = menshen_e2e::Authority::new("own").server(&["own.example.com"]);
    let document = document(&pebble, "a.example.com, b.example.com", ", challenge: tls-alpn-01")
        .replace("certificates: [", "certificates: [ { chain: own.pem, key: own.key },");
    let files = [("ca.pem", pebble.ca()), ("own.pem", own.pem()), ("own.key", own.key_pem())];
    let gateway = TestGateway::start_with(&without_plain(&document), &[], &files);
    assert_eq!(shown(&pebble, "own.example.com"), Ok(own.der().to_vec()));
    let certificate = wait_for(&pebble, "b.example.com");
    assert_eq!(shown(&pebble, "a.example.com"), Ok(certificate));
    assert_eq!(shown(&pebble, "own.example.com"), Ok(own.der().to_vec()));
    let protocol = r#"menshen_tls_refused_handshakes_total{reason="protocol"}"#;
    assert_eq!(Admin::of(&gateway).metric(protocol), 0);
    assert!(Dialer::new().offering(&["acme-tls/1"]).dial(pebble.tls, "a.example.com").is_err());
    let refused = || Admin::of(&gateway).metric(protocol) == 1;
    eventually("the authority asks no more, so nobody is answered", refused);
}

#[test]
fn a_wildcard_is_got_by_dns_01_with_a_hook_that_cleans_up() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    // What an operator would write, with bash for a client of HTTP.
    let hook = r#"
        log=$1; host=${2%:*}; port=${2#*:}; verb=$3; record=$4; value=$5
        case $verb in
            present) path=/set-txt; body="{\"host\":\"$record.\",\"value\":\"$value\"}" ;;
            cleanup) path=/clear-txt; body="{\"host\":\"$record.\"}" ;;
        esac
        exec 3<>"/dev/tcp/$host/$port"
        printf 'POST %s HTTP/1.0\r\nContent-Length: %s\r\n\r\n%s' "$path" "${#body}" "$body" >&3
        read -r reply <&3
        echo "$verb $record" >> "$log"
        case $reply in *' 200 '*) ;; *) echo "$reply" >&2; exit 1 ;; esac
    "#;
    let folder = tempfile::tempdir().unwrap();
    let (script, log) = (folder.path().join("hook"), folder.path().join("log"));
    std::fs::write(&script, hook).unwrap();
    let dns = pebble.dns_url();
    let dns = dns.trim_start_matches("http://");
    let challenge = format!(
        ", challenge: {{ dns-01: {{ hook: [bash, '{}', '{}', '{dns}'] }} }}",
        script.display(),
        log.display()
    );
    let document = document(&pebble, "'*.example.com', other.example.org", &challenge);
    let _gateway = start(&without_plain(&document), &pebble);
    let certificate = wait_for(&pebble, "anything.example.com");
    assert_eq!(shown(&pebble, "other.example.org"), Ok(certificate));
    let read = || std::fs::read_to_string(&log).unwrap_or_default();
    let mut lines: Vec<String> = read().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "cleanup _acme-challenge.example.com",
            "cleanup _acme-challenge.other.example.org",
            "present _acme-challenge.example.com",
            "present _acme-challenge.other.example.org",
        ]
    );
}

#[test]
fn after_a_restart_the_certificate_comes_from_the_store_and_nothing_is_ordered() {
    let Some(mut pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let store = tempfile::tempdir().unwrap();
    let document = document(&pebble, "a.example.com", "")
        .replace("store: store", &format!("store: '{}'", store.path().display()));
    let mut gateway = start(&document, &pebble);
    let first = wait_for(&pebble, "a.example.com");
    gateway.stop();
    let (orders, asked) = (pebble.orders(), pebble.requests(RENEWAL_INFO));
    assert_eq!(orders, 1, "{}", pebble.log());
    let gateway = start(&document, &pebble);
    assert_eq!(shown(&pebble, "a.example.com").as_ref(), Ok(&first), "from the first connection on");
    // Once the authority was asked when to renew, it would have been asked for a certificate too.
    eventually("the authority is asked", || pebble.requests(RENEWAL_INFO) > asked);
    assert_eq!(pebble.orders(), orders);
    drop(gateway);
    pebble.stop();
    let _gateway = start(&document, &pebble);
    assert_eq!(shown(&pebble, "a.example.com"), Ok(first), "without an authority too");
}

#[test]
fn a_renewal_is_for_new_connections_and_cuts_none() {
    let Some(pebble) = Pebble::start(PebbleSettings { validity: 10, ..Default::default() }) else { return };
    let gateway = start(&document(&pebble, "a.example.com", ", renew: 5s"), &pebble);
    let first = wait_for(&pebble, "a.example.com");
    let mut open = Dialer::new().dial(pebble.tls, "a.example.com").unwrap();
    assert_eq!(open.ask("GET /", &["Host: a.example.com"]).text(), "one");
    eventually("another one is shown", || shown(&pebble, "a.example.com").is_ok_and(|c| c != first));
    assert_eq!(open.ask("GET /", &["Host: a.example.com"]).text(), "one");
    assert_eq!(open.agreed().certificate.as_ref().map(|c| c.to_vec()), Some(first));
    assert_eq!(status(&gateway)["certificates"][0]["problem"], serde_json::Value::Null);
}

#[test]
fn when_to_renew_is_what_the_authority_says() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let store = tempfile::tempdir().unwrap();
    let document = document(&pebble, "a.example.com", "")
        .replace("store: store", &format!("store: '{}'", store.path().display()));
    let mut gateway = start(&document, &pebble);
    let certificate = wait_for(&pebble, "a.example.com");
    let renews = |gateway: &TestGateway| -> Option<u64> {
        let text = Admin::of(gateway).get("/metrics").text();
        let line = text.lines().find(|l| l.starts_with("menshen_acme_renewal_seconds{"))?;
        line.rsplit_once(' ')?.1.parse().ok()
    };
    eventually("it is known when", || renews(&gateway).is_some());
    let day = 24 * 3600;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // Pebble suggests a day around the moment at which a third is left.
    let first = renews(&gateway).unwrap();
    assert!((now + 54 * day..now + 62 * day).contains(&first), "in {} days", (first - now) / day);
    gateway.stop();
    pebble.wants_renewal_of(&certificate);
    let gateway = start(&document, &pebble);
    // It was got just now: an authority that always says "at once" is asked once an hour.
    eventually("it says at once", || renews(&gateway).is_some_and(|at| at < now + 2 * 3600));
}

#[test]
fn a_certificate_that_the_authority_wants_replaced_is_replaced() {
    let Some(pebble) = Pebble::start(PebbleSettings { validity: 8, ..Default::default() }) else { return };
    let store = tempfile::tempdir().unwrap();
    let document = document(&pebble, "a.example.com", "")
        .replace("store: store", &format!("store: '{}'", store.path().display()));
    let mut gateway = start(&document, &pebble);
    let first = wait_for(&pebble, "a.example.com");
    gateway.stop();
    pebble.wants_renewal_of(&first);
    let _gateway = start(&document, &pebble);
    eventually("another one is shown", || shown(&pebble, "a.example.com").is_ok_and(|c| c != first));
    assert!(pebble.log().contains("is a replacement of"), "the order says which one it replaces");
}

#[test]
fn while_the_authority_is_away_the_old_certificate_serves_the_names_that_it_is_for() {
    let Some(mut pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let gateway = start(&document(&pebble, "a.example.com", ""), &pebble);
    let old = wait_for(&pebble, "a.example.com");
    pebble.stop();
    gateway.reload(&document(&pebble, "a.example.com, b.example.com", "")).unwrap();
    let why = wait_for_failure(&gateway);
    assert!(why.contains("Connection refused") && why.contains("https://localhost:"), "{why}");
    assert_eq!(shown(&pebble, "a.example.com"), Ok(old.clone()));
    let refused = r#"menshen_tls_refused_handshakes_total{reason="no-certificate-yet"}"#;
    let before = Admin::of(&gateway).metric(refused);
    let b = shown(&pebble, "b.example.com");
    assert!(b.as_ref().is_err_and(|e| e.contains("InternalError")), "{b:?}");
    assert_eq!(Admin::of(&gateway).metric(refused), before + 1);
    let failing = r#"menshen_acme_failing{names="a.example.com,b.example.com"}"#;
    assert_eq!(Admin::of(&gateway).metric(failing), 1);
    pebble.restart();
    gateway.reload(&document(&pebble, "b.example.com, a.example.com", ", renew: 30d")).unwrap();
    let new = wait_for(&pebble, "b.example.com");
    assert_ne!(new, old);
    assert_eq!(
        shown(&pebble, "a.example.com"),
        Ok(new),
        "the account that Pebble had forgotten is made anew"
    );
}

#[test]
fn a_challenge_that_nobody_answers_is_told_with_its_name_and_reason() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let document = document(&pebble, "a.example.com", "")
        .replace(&format!("plain: {{ bind: '{}'", pebble.http), "plain: { bind: '127.0.0.1:0'");
    let gateway = start(&document, &pebble);
    let why = wait_for_failure(&gateway);
    assert!(why.starts_with("a.example.com: http-01: ") && why.contains("(connection)"), "{why}");
    assert!(shown(&pebble, "a.example.com").is_err(), "nothing falls back");
    let failed = r#"menshen_acme_attempts_total{names="a.example.com",outcome="failed"}"#;
    assert_eq!(Admin::of(&gateway).metric(failed), 1);
}

#[test]
fn a_hook_that_fails_is_told_with_what_it_said() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let challenge = ", challenge: { dns-01: { hook: [bash, -c, 'echo no such zone >&2; exit 4'] } }";
    let gateway = start(&document(&pebble, "a.example.com", challenge), &pebble);
    let why = wait_for_failure(&gateway);
    assert!(
        why.contains("present _acme-challenge.a.example.com …` failed (exit status: 4): no such zone"),
        "{why}"
    );
}

#[test]
fn an_order_under_way_does_not_hold_up_the_end_and_its_records_are_removed() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let hook = format!(r#"echo "$1 $2" >> {}; [ "$1" = cleanup ] || exec sleep 1000"#, log.display());
    let challenge =
        format!(", challenge: {{ dns-01: {{ hook: [bash, -c, '{hook}', hook], timeout: 1000s }} }}");
    let mut gateway = start(&document(&pebble, "a.example.com", &challenge), &pebble);
    let read = || std::fs::read_to_string(&log).unwrap_or_default();
    eventually("the hook is called", || read() == "present _acme-challenge.a.example.com\n");
    let started = std::time::Instant::now();
    gateway.stop();
    assert!(started.elapsed() < std::time::Duration::from_secs(4), "{:?}", started.elapsed());
    assert!(read().ends_with("\ncleanup _acme-challenge.a.example.com\n"), "{}", read());
}

#[test]
fn what_is_no_authority_is_told() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let document =
        |directory: &str| document(&pebble, "a.example.com", "").replace(&pebble.directory(), directory);
    let nothing = pebble.directory().replace("/dir", "/nothing");
    let gateway = start(&document(&nothing), &pebble);
    assert!(wait_for_failure(&gateway).contains("/nothing is no ACME directory"));
    // Nobody vouches for Pebble's own server where `ca` does not.
    let other = menshen_e2e::Authority::new("other");
    gateway.replace("ca.pem", other.pem());
    gateway.reload(&document(&pebble.directory())).unwrap();
    eventually("its server is not believed", || {
        let why = status(&gateway)["certificates"][0]["problem"].to_string();
        why.contains("UnknownIssuer") || why.contains("BadSignature")
    });
}

#[test]
fn a_new_mail_address_is_told_to_the_authority_without_a_new_account() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let first = document(&pebble, "a.example.com", "");
    let gateway = start(&first, &pebble);
    wait_for(&pebble, "a.example.com");
    gateway.reload(&first.replace("ops@example.com", "others@example.com")).unwrap();
    eventually("it is told", || pebble.requests("/my-account/") > 0);
    assert_eq!(pebble.log().matches("accounts in memory").count(), 1);
}

#[test]
fn a_customer_account_is_bound() {
    let Some(pebble) = Pebble::start(PebbleSettings { external_accounts: true, ..Default::default() }) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    let gateway = start(&document(&pebble, "a.example.com", ""), &pebble);
    assert!(wait_for_failure(&gateway).contains("externalAccountRequired"));
    std::fs::write(&key, format!("{}\n", Pebble::EAB_KEY)).unwrap();
    let account = format!(", account: {{ id: kid-1, key: 'file:{}' }}", key.display());
    gateway.reload(&document(&pebble, "a.example.com", &account)).unwrap();
    wait_for(&pebble, "a.example.com");
}

#[test]
fn a_new_certificate_is_shown_though_the_files_are_broken_by_now() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let challenge = ", challenge: { dns-01: { hook: [bash, -c, 'sleep 1000'] } }";
    let gateway = start(&document(&pebble, "a.example.com", challenge), &pebble);
    assert!(gateway.reload("nonsense").is_err());
    assert!(shown(&pebble, "a.example.com").is_err());
    // What was under way is given up for what is wanted now; the broken text stays without effect.
    gateway.reload(&document(&pebble, "a.example.com", "")).unwrap();
    assert!(gateway.reload("nonsense").is_err());
    wait_for(&pebble, "a.example.com");
}

#[test]
fn a_renewed_certificate_is_shown_though_other_files_are_broken_or_gone_by_now() {
    let Some(pebble) =
        Pebble::start(PebbleSettings { validity: 10, external_accounts: true, ..Default::default() })
    else {
        return;
    };
    let own = menshen_e2e::Authority::new("own").server(&["own.example.com"]);
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, Pebble::EAB_KEY).unwrap();
    let more = format!(", renew: 5s, account: {{ id: kid-1, key: 'file:{}' }}", key.display());
    let document = document(&pebble, "a.example.com", &more)
        .replace("certificates: [", "certificates: [ { chain: own.pem, key: own.key },");
    let files = [("ca.pem", pebble.ca()), ("own.pem", own.pem()), ("own.key", own.key_pem())];
    let gateway = TestGateway::start_with(&document, &[], &files);
    let first = wait_for(&pebble, "a.example.com");
    gateway.replace("own.pem", "half a fi");
    std::fs::remove_file(key).unwrap();
    eventually("another one is shown", || shown(&pebble, "a.example.com").is_ok_and(|c| c != first));
    assert_eq!(shown(&pebble, "own.example.com"), Ok(own.der().to_vec()));
    assert!(gateway.reload_files().is_err(), "what is broken is still told");
}

#[test]
fn a_store_has_one_owner_and_a_second_gateway_is_told() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let store = tempfile::tempdir().unwrap();
    let document = document(&pebble, "a.example.com", "")
        .replace("store: store", &format!("store: '{}'", store.path().display()));
    let _gateway = start(&document, &pebble);
    let second = document.replace("admin: 127.0.0.1:0", "admin: off");
    let second = without_plain(&second).replace(&pebble.tls.to_string(), "127.0.0.1:0");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), pebble.ca()).unwrap();
    let file = folder.path().join("menshen.yaml");
    std::fs::write(&file, second).unwrap();
    let why = menshen::Gateway::start(menshen::Origin::Path(file)).unwrap_err().to_string();
    assert!(why.contains("gateway.store") && why.contains("is in use by another process"), "{why}");
}

/// Something in front of Pebble that can answer in its place: a gateway. All names and URLs are those of this one.
struct Front {
    gateway: TestGateway,
    ca: String,
    api: String,
}

impl Front {
    fn of(pebble: &Pebble) -> Self {
        let authority = menshen_e2e::Authority::new("front");
        let leaf = authority.server(&["localhost"]);
        let api = pebble.directory().replace("https://localhost:", "127.0.0.1:").replace("/dir", "");
        let files = [("a.pem", leaf.pem()), ("a.key", leaf.key_pem()), ("pebble.pem", pebble.ca())];
        let gateway = TestGateway::start_with(&Self::document(&api, ""), &[], &files);
        Self { gateway, ca: authority.pem(), api }
    }

    fn document(api: &str, routes: &str) -> String {
        format!(
            "
            listeners: {{ web: {{ bind: 127.0.0.1:0, tls: {{ certificates: [{{ chain: a.pem, key: a.key }}] }} }} }}
            services: {{ pebble: {{ endpoints: ['{api}'], tls: {{ ca: pebble.pem, name: localhost }} }} }}
            routes:
              all: {{ match: /**, to: pebble }}
              {routes}
            "
        )
    }

    /// From now on this route, as it is written in YAML, answers in its place; without one it answers itself.
    fn answers(&self, route: &str) {
        self.gateway.reload(&Self::document(&self.api, route)).unwrap();
    }

    fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.gateway.address().port())
    }

    /// A gateway that gets its certificates from here.
    fn start(&self, pebble: &Pebble, names: &str) -> TestGateway {
        let document = document(pebble, names, "").replace(&pebble.directory(), &self.directory());
        TestGateway::start_with(&document, &[], &[("ca.pem", self.ca.clone())])
    }
}

/// In how many seconds the only certificate is tried again.
fn next_try(gateway: &TestGateway) -> i64 {
    let at = status(gateway)["certificates"][0]["next-try"].as_str().unwrap().to_owned();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    at.parse::<jiff::Timestamp>().unwrap().as_second() - i64::try_from(now).unwrap()
}

const LIMITED: &str = "limited: { match: /order-plz, to: { respond: { status: 429, headers: { retry-after: '7200', \
    content-type: application/problem+json }, body: '{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\
    \"too many orders\"}' } } }";

#[test]
fn an_authority_that_says_when_to_come_back_is_left_alone_until_then_also_over_reloads() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let front = Front::of(&pebble);
    front.answers(LIMITED);
    let gateway = front.start(&pebble, "a.example.com");
    assert_eq!(wait_for_failure(&gateway), "too many orders (rateLimited)");
    let seconds = next_try(&gateway);
    assert!((7_100..7_600).contains(&seconds), "{seconds}");
    front.answers("");
    // Another certificate is wanted too: that is no reason to ask sooner for the first one.
    let both = document(&pebble, "a.example.com ] }, { acme: [ b.example.com", "");
    gateway.reload(&both.replace(&pebble.directory(), &front.directory())).unwrap();
    wait_for(&pebble, "b.example.com");
    assert!(next_try(&gateway) > 7_000, "{}", status(&gateway));
    assert_eq!(pebble.orders(), 1);
}

#[test]
fn an_order_is_asked_after_when_the_authority_says() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let front = Front::of(&pebble);
    // Pebble says one second; whoever does not listen asks five times in it.
    let gateway = front.start(&pebble, "a.example.com");
    wait_for(&pebble, "a.example.com");
    let asked = pebble.requests_below("/my-order/");
    assert!(asked <= 4, "{asked} times: {}", pebble.log());
    drop(gateway);
}

#[test]
fn an_authority_that_is_overloaded_or_not_acme_is_told_with_its_status() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let front = Front::of(&pebble);
    front.answers(
        "down: { match: /nonce-plz, to: { respond: { status: 503, headers: { retry-after: '300' } } } }",
    );
    let gateway = front.start(&pebble, "a.example.com");
    let why = wait_for_failure(&gateway);
    assert!(why.ends_with("/nonce-plz answers 503 Service Unavailable"), "{why}");
    assert!(next_try(&gateway) >= 290);
    drop(gateway);
    front.answers("down: { match: /sign-me-up, to: { respond: { status: 502, body: '<html>' } } }");
    let gateway = front.start(&pebble, "a.example.com");
    let why = wait_for_failure(&gateway);
    assert!(why.ends_with("/sign-me-up answers 502 Bad Gateway"), "{why}");
    assert!(next_try(&gateway) < 100);
}

#[test]
fn one_that_takes_long_holds_up_no_other() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let challenge = format!(
        ", challenge: {{ dns-01: {{ hook: [bash, -c, 'echo \"$1 $2\" >> {}', hook], wait: 1000s }} }}",
        log.display()
    );
    let both = document(&pebble, "a.example.com ] }, { acme: [ b.example.com", &challenge);
    let mut gateway = start(&both, &pebble);
    let read = || std::fs::read_to_string(&log).unwrap_or_default();
    let is_there = |name: &str| read().contains(&format!("present _acme-challenge.{name}.example.com\n"));
    eventually("both records are there", || is_there("a") && is_there("b"));
    gateway.stop();
    assert_eq!(read().matches("cleanup _acme-challenge.").count(), 2, "{}", read());
}

#[test]
fn many_certificates_are_got_at_once_each_ordered_once() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let names: Vec<String> = (0..40).map(|i| format!("{{ acme: n{i}.example.com }}")).collect();
    // Two that share a name are asked for one after the other.
    let document = document(&pebble, "first.example.com ] }, TWO, MORE, { acme: [ last.example.com", "")
        .replace("TWO", "{ acme: [other.example.com, n39.example.com] }")
        .replace("MORE", &names.join(", "));
    let gateway = start(&document, &pebble);
    wait_for(&pebble, "last.example.com");
    eventually("all are there", || {
        let all = status(&gateway)["certificates"].as_array().unwrap().clone();
        all.len() == 43 && all.iter().all(|c| c["state"] == "valid")
    });
    assert_eq!(pebble.orders(), 43, "each was ordered once");
}

#[test]
fn a_mail_address_that_the_authority_refuses_keeps_no_certificate_away() {
    let Some(pebble) = Pebble::start(PebbleSettings::default()) else { return };
    let front = Front::of(&pebble);
    let gateway = front.start(&pebble, "a.example.com");
    wait_for(&pebble, "a.example.com");
    front.answers(
        "account: { match: /my-account/*, to: { respond: { status: 400, headers: { content-type: application/problem+json }, \
         body: '{\"type\":\"urn:ietf:params:acme:error:invalidContact\",\"detail\":\"forbidden domain\"}' } } }",
    );
    let other = document(&pebble, "b.example.com", "").replace(&pebble.directory(), &front.directory());
    gateway.reload(&other.replace("ops@example.com", "others@example.com")).unwrap();
    wait_for(&pebble, "b.example.com");
}
