//! A real Consul, where it is installed.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::real::{free, listens, program, skip};
use crate::{Client, Response, eventually};

/// What may ask for anything.
const TOKEN: &str = "7a3c1c5e-0c86-4d3a-8a0e-2f6a52b1d9aa";

/// A running Consul: one server that refuses whoever has no token.
#[derive(Debug)]
pub struct ConsulServer {
    child: Child,
    address: SocketAddr,
    home: TempDir,
}

impl ConsulServer {
    /// What the server lets in.
    pub const TOKEN: &str = TOKEN;

    /// Starts one. `None` when it is not installed: then standard error says that this test was skipped.
    ///
    /// # Panics
    /// When it is there and does not start.
    pub fn start() -> Option<Self> {
        let Some(program) = program("consul") else {
            return skip("there is no Consul here; `.ci/consul` builds it where Go is");
        };
        let home = tempfile::tempdir().expect("a directory");
        let ports = free();
        let child = spawn(&program, &config(&home, ports));
        let this = Self { child, address: ports[0], home };
        eventually("Consul has a leader", || this.has_leader());
        Some(this)
    }

    fn has_leader(&self) -> bool {
        listens(self.address)
            && self.ask("GET", "status/leader", "").text().len() > 2
            // The token is good somewhat later.
            && self.ask("GET", "catalog/services", "").status == 200
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A file with this text, which is there as long as the server.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// Sends a request to its API and reads the answer.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Response {
        let length = body.len();
        Client::plain(self.address)
            .send(format!(
                "{method} /v1/{path} HTTP/1.1\r\nHost: consul\r\nX-Consul-Token: {TOKEN}\r\n\
                 Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
            .response()
    }

    /// Registers an instance at this address with these tags; its check says what [`Self::says`] says, at first that it passes.
    ///
    /// # Panics
    /// When the server does not take it.
    #[track_caller]
    pub fn register(&self, service: &str, id: &str, at: SocketAddr, tags: &[&str]) {
        let tags: Vec<String> = tags.iter().map(|tag| format!("\"{tag}\"")).collect();
        let body = format!(
            r#"{{"Name":"{service}","ID":"{id}","Address":"{}","Port":{},"Tags":[{}],
              "Check":{{"CheckID":"{id}","TTL":"1h","Status":"passing"}}}}"#,
            at.ip(),
            at.port(),
            tags.join(",")
        );
        self.tell("agent/service/register", &body);
    }

    /// What the check of an instance says from now on: `pass`, `warn` or `fail`.
    ///
    /// # Panics
    /// When the server does not know it.
    #[track_caller]
    pub fn says(&self, id: &str, what: &str) {
        self.tell(&format!("agent/check/{what}/{id}"), "");
    }

    /// Takes an instance off.
    ///
    /// # Panics
    /// When the server does not know it.
    #[track_caller]
    pub fn deregister(&self, id: &str) {
        self.tell(&format!("agent/service/deregister/{id}"), "");
    }

    #[track_caller]
    fn tell(&self, path: &str, body: &str) {
        let response = self.ask("PUT", path, body);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
    }

    /// Ends it: nobody answers any more.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for ConsulServer {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "Consul said:\n{log}");
        }
    }
}

fn spawn(program: &Path, config: &Path) -> Child {
    let log = File::create(config.with_file_name("log")).expect("a file");
    Command::new(program)
        .args(["agent", "-dev", "-config-file"])
        .arg(config)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file"))
        .stderr(log)
        .spawn()
        .expect("Consul starts")
}

fn config(home: &TempDir, [http, server, lan, wan]: [SocketAddr; 4]) -> PathBuf {
    let path = home.path().join("config.json");
    let text = format!(
        r#"{{ "bind_addr": "127.0.0.1", "ports": {{ "http": {}, "server": {}, "serf_lan": {}, "serf_wan": {}, "dns": -1,
              "grpc": -1, "grpc_tls": -1 }},
              "acl": {{ "enabled": true, "default_policy": "deny", "tokens": {{ "initial_management": "{TOKEN}",
              "agent": "{TOKEN}" }} }} }}"#,
        http.port(),
        server.port(),
        lan.port(),
        wan.port()
    );
    std::fs::write(&path, text).expect("a file");
    path
}
