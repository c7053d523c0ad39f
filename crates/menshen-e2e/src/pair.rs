//! Which protocols the client and the service of a test speak. A test says nothing about it: the suite runs again for
//! every pair, in a process that is told the pair by its environment (tests/suite/pairs.rs).

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::{Authority, Keeper};

/// The variable with the pair, such as `h2 https`.
const PAIR: &str = "MENSHEN_TEST_PAIR";

/// The variable with the folder of the certificate that listeners and services show.
const CERTIFICATES: &str = "MENSHEN_TEST_CERTIFICATES";

/// A protocol between two neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// HTTP/1.1.
    #[default]
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 over TLS.
    H2,
    /// HTTP/2 without TLS.
    H2c,
}

impl Link {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Http, Self::Https, Self::H2, Self::H2c];

    /// As URLs say it.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2 => "h2",
            Self::H2c => "h2c",
        }
    }

    /// True when TLS is spoken.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::H2)
    }

    /// True when HTTP/2 is spoken.
    pub fn is_h2(self) -> bool {
        matches!(self, Self::H2 | Self::H2c)
    }

    fn of(scheme: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|link| link.scheme() == scheme)
    }
}

/// The protocols of this process's tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// What clients speak.
    pub client: Link,
    /// What services speak.
    pub service: Link,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.client.scheme(), self.service.scheme())
    }
}

impl Pair {
    /// Everything that clients speak with everything that services do; HTTP/2 without TLS once toward a service, because
    /// a service sees no other difference.
    pub fn all() -> impl Iterator<Item = Self> {
        let services = |client| match client {
            Link::H2c => &Link::ALL[..],
            _ => &Link::ALL[..3],
        };
        let with = move |client| services(client).iter().map(move |&service| Self { client, service });
        Link::ALL.into_iter().flat_map(with)
    }

    /// That of this process: HTTP/1.1 on both sides unless its environment says otherwise.
    ///
    /// # Panics
    /// When the environment names no pair.
    pub fn current() -> Self {
        static CURRENT: OnceLock<Pair> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let Ok(text) = std::env::var(PAIR) else { return Self::default() };
            let links = text.split_once(' ').and_then(|(c, s)| Some((Link::of(c)?, Link::of(s)?)));
            let (client, service) = links.unwrap_or_else(|| panic!("{PAIR}: `{text}` is no pair"));
            Self { client, service }
        })
    }

    /// What a process is told whose tests run over this pair. Services are believed by the authorities of its system.
    pub fn environment(self, certificates: &Certificates) -> [(&'static str, String); 3] {
        let folder = certificates.0.path().display();
        [
            (PAIR, self.to_string()),
            (CERTIFICATES, folder.to_string()),
            ("SSL_CERT_FILE", format!("{folder}/ca.pem")),
        ]
    }
}

/// A folder with the certificate that listeners and services show, and its authority.
#[derive(Debug)]
pub struct Certificates(tempfile::TempDir);

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}

impl Certificates {
    /// New ones.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new("pairs");
        let leaf = authority.server(&["127.0.0.1"]);
        for (name, text) in
            [("ca.pem", authority.pem()), ("own.pem", leaf.pem()), ("own.key", leaf.key_pem())]
        {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        Self(folder)
    }
}

fn folder() -> PathBuf {
    PathBuf::from(std::env::var_os(CERTIFICATES).expect("a folder with certificates"))
}

/// How services of this process speak TLS, if they do.
pub(crate) fn keeper() -> Option<&'static Keeper> {
    static KEEPER: OnceLock<Option<Keeper>> = OnceLock::new();
    let service = Pair::current().service;
    let make = || service.is_tls().then(|| Keeper::from_files(&folder(), service));
    KEEPER.get_or_init(make).as_ref()
}

/// A document whose listeners and services speak the protocols of this process.
pub(crate) fn translated(document: &str) -> String {
    let Pair { client, service } = Pair::current();
    let mut text = document.to_owned();
    if service != Link::Http {
        text = text.replace("http://{origin", &format!("{}://{{origin", service.scheme()));
        text = with_protocol(&text, service);
    }
    if client.is_tls() { with_tls(&text) } else { text }
}

/// Says the protocol of services that are written in full.
fn with_protocol(text: &str, service: Link) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let end = line.split_once("endpoints: [").filter(|(_, rest)| rest.contains("{origin"));
        let end =
            end.and_then(|(before, rest)| Some(before.len() + "endpoints: [".len() + rest.find(']')? + 1));
        let Some(end) = end else {
            lines.push(line.to_owned());
            continue;
        };
        let (start, rest) = line.split_at(end);
        let indentation = line.len() - line.trim_start().len();
        let separator = match line.trim_start().starts_with("endpoints:") {
            true => format!("\n{}", " ".repeat(indentation)),
            false => ", ".to_owned(),
        };
        lines.push(format!("{start}{separator}protocol: {}{rest}", service.scheme()));
    }
    lines.join("\n")
}

/// Gives every listener the certificate.
fn with_tls(text: &str) -> String {
    let folder = folder();
    let tls =
        format!("tls: {{ certificates: [{{ chain: {0}/own.pem, key: {0}/own.key }}] }}", folder.display());
    let mut lines = Vec::new();
    for line in text.lines() {
        let indentation = " ".repeat(line.len() - line.trim_start().len());
        lines.push(match line.trim_start().starts_with("bind:") {
            true => format!("{line}\n{indentation}{tls}"),
            false => ["'127.0.0.1:0'", "127.0.0.1:0"]
                .into_iter()
                .find_map(|address| {
                    let bind = format!("bind: {address}");
                    line.contains(&bind).then(|| line.replace(&bind, &format!("{bind}, {tls}")))
                })
                .unwrap_or_else(|| line.to_owned()),
        });
    }
    lines.join("\n")
}
