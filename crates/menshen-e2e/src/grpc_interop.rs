//! The interop client and server of grpc-go, where they are installed
//! (<https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md>).

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::eventually;
use crate::real::{free, listens, program, skip};

/// The server, running, and the client beside it.
#[derive(Debug)]
pub struct GrpcInterop {
    client: PathBuf,
    server: Child,
    address: SocketAddr,
    home: TempDir,
}

impl GrpcInterop {
    /// Starts the server. `None` when the programs are not installed: then standard error says that this test was skipped.
    ///
    /// # Panics
    /// When they are there and the server does not start.
    pub fn start() -> Option<Self> {
        let (Some(client), Some(server)) = (program("grpc-interop-client"), program("grpc-interop-server"))
        else {
            return skip(
                "there is no interop client of grpc-go here; `.ci/grpc-interop` builds it where Go is",
            );
        };
        let [address] = free();
        let server = Command::new(server)
            .args(["-port", &address.port().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let this = Self { client, server, address, home: tempfile::tempdir().expect("a directory") };
        eventually("the server listens", || listens(address));
        Some(this)
    }

    /// Where the server is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs a case through this address; over TLS with this authority, for the name `localhost`.
    ///
    /// # Panics
    /// When the case fails.
    #[track_caller]
    pub fn run(&self, case: &str, address: SocketAddr, authority: Option<&Path>) {
        let log = self.home.path().join("log");
        let mut command = Command::new(&self.client);
        command.args(["-test_case", case, "-server_host", "127.0.0.1"]);
        command.args(["-server_port", &address.port().to_string()]);
        if let Some(file) = authority {
            command
                .args(["-use_tls", "-use_test_ca", "-server_host_override", "localhost", "-ca_file"])
                .arg(file);
        }
        let output = File::create(&log).expect("a file");
        let mut client = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).spawn();
        let client = client.as_mut().expect("the client starts");
        let mut status = None;
        eventually(case, || {
            status = client.try_wait().expect("a process");
            status.is_some()
        });
        let told = std::fs::read_to_string(log).unwrap_or_default();
        assert!(status.is_some_and(|status| status.success()), "{case}: {told}");
    }
}

impl Drop for GrpcInterop {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
