//! Programs of others that tests are made with, where they are installed.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;

/// Where a program is: on the path, or where Go installs what it builds.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    folders.extend(std::env::var_os("GOBIN").map(PathBuf::from));
    folders.extend(std::env::var_os("GOPATH").map(|p| PathBuf::from(p).join("bin")));
    folders.extend(std::env::var_os("HOME").map(|p| PathBuf::from(p).join("go/bin")));
    folders.into_iter().map(|f| f.join(name)).find(|f| f.is_file())
}

/// Says on standard error that the test that is running was skipped, and why.
pub(crate) fn skip<T>(missing: &str) -> Option<T> {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Past the test harness, which shows what tests print only when they fail.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {missing}");
    None
}

/// True when somebody listens at an address. A connection to a free port may be given that port as its own and so
/// come to itself, which is no answer.
pub fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok_and(|stream| stream.local_addr().is_ok_and(|own| own != address))
}

/// Addresses that nobody listens at now.
pub(crate) fn free<const N: usize>() -> [SocketAddr; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|l| l.local_addr().expect("its address"))
}
