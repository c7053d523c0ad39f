//! A gateway in this process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use menshen::Gateway;
use tempfile::TempDir;

use crate::{Client, Origin};

/// What a document says that does not say otherwise. One worker, so that connections to services are reused
/// in an order that tests can tell; a store of its own, so that no test knows what another one knew.
const DEFAULTS: [(&str, &str); 5] =
    [("admin", "off"), ("access-log", "off"), ("workers", "1"), ("drain", "5s"), ("store", "store")];

/// A running gateway on a free port.
#[derive(Debug)]
pub struct TestGateway {
    gateway: Option<Gateway>,
    address: Option<SocketAddr>,
    origins: Vec<SocketAddr>,
    directory: TempDir,
}

impl TestGateway {
    /// A gateway that sends everything to this origin.
    pub fn in_front_of(origin: &Origin) -> Self {
        Self::start("routes: { all: { match: /**, to: 'http://{origin}' } }", &[origin])
    }

    /// A gateway with this document, whose indentation as a whole does not count. In it `{origin}` or `{origin-1}` is
    /// the address of the first origin, `{origin-2}` that of the second, `{log}` a file of this test. What it
    /// does not say about listeners, admin, access log and workers is added: one listener on a free port, no
    /// admin, no log, one worker. A `gateway:` section must be in block style.
    ///
    /// # Panics
    /// When the gateway does not start.
    #[track_caller]
    pub fn start(document: &str, origins: &[&Origin]) -> Self {
        Self::start_with(document, origins, &[])
    }

    /// The same with these files beside the document.
    ///
    /// # Panics
    /// When the gateway does not start.
    #[track_caller]
    pub fn start_with(document: &str, origins: &[&Origin], files: &[(&str, String)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).expect("a file");
        }
        let origins: Vec<SocketAddr> = origins.iter().map(|o| o.address()).collect();
        let file = directory.path().join("menshen.yaml");
        std::fs::write(&file, complete(document, &origins, &directory)).expect("a file");
        let gateway = match Gateway::start(menshen::Origin::Path(file)) {
            Ok(gateway) => gateway,
            Err(error) => panic!("the gateway does not start: {error}"),
        };
        let address = gateway.listeners().first().expect("a listener").1.tcp();
        Self { gateway: Some(gateway), address, origins, directory }
    }

    /// The address of the first listener.
    ///
    /// # Panics
    /// When that is a Unix socket.
    pub fn address(&self) -> SocketAddr {
        self.address.expect("an IP address")
    }

    /// Where a file beside the document is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The gateway itself.
    ///
    /// # Panics
    /// When it was stopped.
    pub fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().expect("the gateway runs")
    }

    /// The address of the listener of this name.
    ///
    /// # Panics
    /// When there is none, or it is a Unix socket.
    pub fn listener(&self, name: &str) -> SocketAddr {
        let listener = self.gateway().listeners().iter().find(|(n, _)| n == name);
        listener.and_then(|(_, address)| address.tcp()).expect("a listener of this name at an IP address")
    }

    /// Where `{log}` is.
    pub fn log(&self) -> PathBuf {
        self.directory.path().join("access.log")
    }

    /// Serves another document from now on.
    ///
    /// # Errors
    /// Why the gateway refuses it; it then goes on with the one before.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn reload(&self, document: &str) -> Result<u64, String> {
        let (file, new) = (self.directory.path().join("menshen.yaml"), self.directory.path().join("new"));
        std::fs::write(&new, complete(document, &self.origins, &self.directory)).expect("a file");
        std::fs::rename(new, file).expect("a file in place of another");
        self.gateway().reload()
    }

    /// Puts a file in the place of one beside the document.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn replace(&self, name: &str, text: impl AsRef<[u8]>) {
        let new = self.directory.path().join("new");
        std::fs::write(&new, text).expect("a file");
        std::fs::rename(new, self.directory.path().join(name)).expect("a file in place of another");
    }

    /// Reads its configuration again as it is, with the files beside it.
    ///
    /// # Errors
    /// Why the gateway refuses it.
    pub fn reload_files(&self) -> Result<u64, String> {
        self.gateway().reload()
    }

    /// Stops it as SIGTERM would, and waits until it has.
    pub fn stop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.stop();
        }
    }

    /// Stops it on another thread, which ends when the gateway has.
    ///
    /// # Panics
    /// When it was stopped before.
    pub fn stop_beside(&mut self) -> std::thread::JoinHandle<()> {
        let gateway = self.gateway.take().expect("the gateway runs");
        std::thread::spawn(move || gateway.stop())
    }

    /// Asserts that another client gets its own answer from an [`Origin::echo`] behind a catch-all route.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn expect_canary(&self) {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let target = format!("/canary-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let response = Client::of(self).get(&target);
        assert_eq!(
            (response.status, response.text()),
            (200, format!("GET {target}\n")),
            "the canary's answer"
        );
    }
}

fn complete(document: &str, origins: &[SocketAddr], directory: &TempDir) -> String {
    let mut text = without_indentation(document);
    if !says(&text, "listeners:") {
        text += "listeners: { http: { bind: '127.0.0.1:0' } }\n";
    }
    text = crate::pair::translated(&text);
    for (i, address) in origins.iter().enumerate() {
        text = text.replace(&format!("{{origin-{}}}", i + 1), &address.to_string());
    }
    if let Some(first) = origins.first() {
        text = text.replace("{origin}", &first.to_string());
    }
    text = text.replace("{log}", &directory.path().join("access.log").display().to_string());
    let (before, section) = text.split_once("gateway:\n").unwrap_or((&text, ""));
    let own =
        section.lines().take_while(|l| l.starts_with(' ')).map(|l| format!("{l}\n")).collect::<String>();
    let missing = DEFAULTS.iter().filter(|(key, _)| !says(&own, &format!("  {key}:")));
    let missing: String = missing.map(|(key, value)| format!("  {key}: {value}\n")).collect();
    format!("{before}\ngateway:\n{missing}{section}")
}

fn says(text: &str, key: &str) -> bool {
    text.lines().any(|line| line.starts_with(key))
}

fn without_indentation(text: &str) -> String {
    let lines = || text.lines().filter(|l| !l.trim().is_empty());
    let common = lines().map(|l| l.len() - l.trim_start().len()).min().unwrap_or(0);
    lines().map(|l| format!("{}\n", &l[common..])).collect()
}
