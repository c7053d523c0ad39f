//! A real certificate authority that speaks ACME: Pebble, with the DNS server that belongs to it, where they are installed.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::real::{free, listens, program, skip};
use crate::{Authority, Dialer, Leaf, Response, eventually};

/// How Pebble is set up.
#[derive(Clone, Copy, Debug)]
pub struct PebbleSettings {
    /// How long its certificates are good, in seconds.
    pub validity: u64,
    /// How many requests of 100 it refuses for their nonce, to see whether clients ask again.
    pub nonce_reject: u8,
    /// Whether accounts need a customer account, which then is `kid-1` with [`Pebble::EAB_KEY`].
    pub external_accounts: bool,
}

impl Default for PebbleSettings {
    fn default() -> Self {
        Self { validity: 90 * 24 * 3600, nonce_reject: 5, external_accounts: false }
    }
}

/// A running Pebble; all names are at 127.0.0.1 for it.
#[derive(Debug)]
pub struct Pebble {
    pebble: Child,
    dns: Child,
    api: SocketAddr,
    management: SocketAddr,
    dns_management: SocketAddr,
    /// Where it asks over plain HTTP.
    pub http: SocketAddr,
    /// Where it asks over TLS.
    pub tls: SocketAddr,
    settings: PebbleSettings,
    authority: String,
    home: TempDir,
}

impl Pebble {
    /// The key of the customer account.
    pub const EAB_KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

    /// Starts one. `None` when it is not installed: then standard error says that this test was skipped.
    ///
    /// # Panics
    /// When it is there and does not start.
    pub fn start(settings: PebbleSettings) -> Option<Self> {
        let (Some(pebble), Some(dns)) = (program("pebble"), program("pebble-challtestsrv")) else {
            return skip("there is no Pebble here; `.ci/setup` installs it where Go is");
        };
        let home = tempfile::tempdir().expect("a directory");
        let authority = Authority::new("pebble's own");
        let leaf = authority.server(&["localhost"]);
        let [api, management, http, tls, dns_address, dns_management] = free();
        let config = config(&home, &leaf, &settings, [api, management, http, tls]);
        let dns = run_dns(&dns, home.path(), dns_address, dns_management);
        let pebble = run_pebble(&pebble, &config, dns_address, &settings);
        let authority = authority.pem();
        let this =
            Self { pebble, dns, api, management, dns_management, http, tls, settings, authority, home };
        this.wait();
        Some(this)
    }

    fn wait(&self) {
        for address in [self.api, self.management, self.dns_management] {
            eventually("Pebble listens", || listens(address));
        }
    }

    /// The URL of its directory.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.api.port())
    }

    /// The root that its server is believed by, as PEM.
    pub fn ca(&self) -> String {
        self.authority.clone()
    }

    /// The URL under which the DNS server takes records.
    pub fn dns_url(&self) -> String {
        format!("http://{}", self.dns_management)
    }

    /// What it said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("pebble.log")).unwrap_or_default()
    }

    /// How often it was asked for this path.
    pub fn requests(&self, path: &str) -> usize {
        self.log().lines().filter(|l| l.contains(&format!("{path} ->"))).count()
    }

    /// How often it was asked for something below this path.
    pub fn requests_below(&self, path: &str) -> usize {
        self.log().lines().filter(|l| l.contains(path) && l.contains(" ->")).count()
    }

    /// How many orders it has taken.
    pub fn orders(&self) -> usize {
        self.log().lines().filter(|l| l.contains("Added order ")).count()
    }

    /// Says from now on that this certificate should have been replaced long ago (ARI).
    ///
    /// # Panics
    /// When it does not take that.
    pub fn wants_renewal_of(&self, certificate: &[u8]) {
        let pem = pem(certificate).replace('\n', "\\n");
        let window =
            r#"{\"suggestedWindow\":{\"start\":\"2020-01-01T00:00:00Z\",\"end\":\"2020-01-02T00:00:00Z\"}}"#;
        let body = format!(r#"{{"certificate":"{pem}","ariResponse":"{window}"}}"#);
        let response = self.manage("/set-renewal-info/", &body);
        assert_eq!(response.status, 200, "{}", response.text());
    }

    fn manage(&self, path: &str, body: &str) -> Response {
        let mut client = Dialer::new().dial(self.management, "localhost").expect("the management of Pebble");
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: test\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        client.response()
    }

    /// Ends it, so that nobody answers any more, and starts it anew: it has forgotten all accounts and certificates.
    ///
    /// # Panics
    /// When it does not start again.
    pub fn restart(&mut self) {
        self.stop();
        let program = program("pebble").expect("it was there");
        let dns = std::fs::read_to_string(self.home.path().join("dns")).expect("its address");
        let dns = dns.parse().expect("an address");
        self.pebble = run_pebble(&program, &self.home.path().join("config.json"), dns, &self.settings);
        self.wait();
    }

    /// Ends it: nobody answers any more.
    pub fn stop(&mut self) {
        let _ = self.pebble.kill();
        let _ = self.pebble.wait();
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.stop();
        let _ = self.dns.kill();
        let _ = self.dns.wait();
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "Pebble said:\n{}", self.log());
        }
    }
}

fn run_dns(program: &Path, home: &Path, address: SocketAddr, management: SocketAddr) -> Child {
    std::fs::write(home.join("dns"), address.to_string()).expect("a file");
    let log = File::create(home.join("dns.log")).expect("a file");
    Command::new(program)
        .args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
        .args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""])
        .args(["-dnsserver", &address.to_string(), "-management", &management.to_string()])
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file"))
        .stderr(log)
        .spawn()
        .expect("the DNS server starts")
}

fn run_pebble(program: &Path, config: &Path, dns: SocketAddr, settings: &PebbleSettings) -> Child {
    let log = config.with_file_name("pebble.log");
    let log = File::options().create(true).append(true).open(log).expect("a file");
    Command::new(program)
        .args(["-strict", "-config"])
        .arg(config)
        .args(["-dnsserver", &dns.to_string()])
        .env("PEBBLE_VA_NOSLEEP", "1")
        .env("PEBBLE_WFE_NONCEREJECT", settings.nonce_reject.to_string())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file"))
        .stderr(log)
        .spawn()
        .expect("Pebble starts")
}

fn config(home: &TempDir, leaf: &Leaf, settings: &PebbleSettings, ports: [SocketAddr; 4]) -> PathBuf {
    let [api, management, http, tls] = ports;
    let write = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (certificate, key) = (write("api.pem", &leaf.pem()), write("api.key", &leaf.key_pem()));
    let accounts = match settings.external_accounts {
        false => String::new(),
        true => format!(
            r#", "externalAccountBindingRequired": true, "externalAccountMACKeys": {{ "kid-1": "{}" }}"#,
            Pebble::EAB_KEY
        ),
    };
    let text = format!(
        r#"{{ "pebble": {{ "listenAddress": "{api}", "managementListenAddress": "{management}",
              "certificate": "{certificate}", "privateKey": "{key}", "httpPort": {}, "tlsPort": {},
              "retryAfter": {{ "authz": 1, "order": 1 }}, "keyAlgorithm": "ecdsa",
              "profiles": {{ "default": {{ "description": "for tests", "validityPeriod": {} }} }} {accounts} }} }}"#,
        http.port(),
        tls.port(),
        settings.validity
    );
    PathBuf::from(write("config.json", &text))
}

fn pem(der: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let byte = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for i in 0..4 {
                let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
                text.push(if i <= three.len() { char::from(letter) } else { '=' });
            }
        }
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}
