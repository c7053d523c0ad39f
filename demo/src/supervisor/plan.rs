//! What the demo consists of.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;

use super::{Trouble, places};

/// Where the gateway listens, as `demo/menshen.yaml` says.
pub const GATEWAY: SocketAddr = loopback(8001);
const USER_1: SocketAddr = loopback(9001);
const USER_2: SocketAddr = loopback(9002);
const ARTICLES: SocketAddr = loopback(9003);

/// One process of the demo.
pub struct Part {
    /// Its name in messages.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// A path that it answers with 200 when it is ready.
    pub probe: &'static str,
    /// Its executable.
    pub program: PathBuf,
    /// What it is started with.
    pub arguments: Vec<OsString>,
    /// What to do with what it prints.
    pub output: Output,
}

/// What happens to a process's standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// It is shown in the terminal.
    Shown,
    /// It is thrown away.
    Dropped,
}

/// All parts, in the order in which they are started.
pub fn plan(menshen: Option<PathBuf>, config: Option<PathBuf>) -> Result<Vec<Part>, Trouble> {
    let menshen = menshen.map_or_else(|| places::sibling("menshen"), Ok)?;
    let config = config.map_or_else(places::config, Ok)?;
    let article_options = ["--listen", &ARTICLES.to_string(), "--gateway", &format!("http://{GATEWAY}")];
    Ok(vec![
        user_service("user-1", USER_1, USER_2)?,
        user_service("user-2", USER_2, USER_1)?,
        Part {
            name: "article-service",
            address: ARTICLES,
            probe: "/health",
            program: places::sibling("article-service")?,
            arguments: article_options.map(OsString::from).to_vec(),
            output: Output::Dropped,
        },
        Part {
            name: "gateway",
            address: GATEWAY,
            probe: "/api/user/1",
            program: menshen,
            arguments: vec!["run".into(), "-c".into(), config.into()],
            output: Output::Shown,
        },
    ])
}

fn user_service(name: &'static str, address: SocketAddr, peer: SocketAddr) -> Result<Part, Trouble> {
    let options = ["--listen", &address.to_string(), "--instance", name, "--peer", &format!("http://{peer}")];
    Ok(Part {
        name,
        address,
        probe: "/health",
        program: places::sibling("user-service")?,
        arguments: options.map(OsString::from).to_vec(),
        output: Output::Dropped,
    })
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}
