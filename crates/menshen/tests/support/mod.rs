//! The built binary, as people use it.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Outcome {
    pub ok: bool,
    pub out: String,
    pub err: String,
}

impl Outcome {
    /// What went to standard error as one line, where it is one.
    pub fn line(&self) -> &str {
        let line = self.err.trim_end();
        assert!(!line.contains('\n'), "more than one line: {self:?}");
        line
    }
}

/// A certificate for these names that is good for a long time, and its key.
pub fn certificate(names: &[&str]) -> (String, String) {
    certificate_until(names, 2200)
}

/// A certificate that ends with the start of this year, and its key.
pub fn certificate_until(names: &[&str], year: i32) -> (String, String) {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// The certificate of an authority, and its list of nobody revoked.
fn authority_with_list() -> (String, String) {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertifiedIssuer::self_signed(params, key).unwrap();
    let list = rcgen::CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2020, 1, 1),
        next_update: rcgen::date_time_ymd(2200, 1, 1),
        crl_number: 1.into(),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    (authority.pem(), list.signed_by(&authority).unwrap().pem().unwrap())
}

/// A folder with files, in which `menshen` is run.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with this `menshen.yaml`.
    pub fn with(config: impl AsRef<[u8]>) -> Self {
        let folder = Self::new();
        folder.write("menshen.yaml", config);
        folder
    }

    /// The same, with the descriptors that the examples and the pages name.
    pub fn with_descriptors(config: impl AsRef<[u8]>) -> Self {
        let folder = Self::with(config);
        folder.write("greeter.pb", std::fs::read(root().join("examples/greeter.pb")).unwrap());
        folder
    }

    /// The same, with the certificates and descriptors that the examples and the pages name.
    pub fn with_certificates(config: impl AsRef<[u8]>) -> Self {
        let folder = Self::with_descriptors(config);
        std::fs::create_dir(folder.path().join("certs")).unwrap();
        for (name, names) in [
            ("web", &["www.example.com", "example.com"][..]),
            ("api", &["api.example.com"]),
            ("menshen", &["menshen.example.com"]),
        ] {
            let (chain, key) = certificate(names);
            folder.write(&format!("certs/{name}.pem"), chain);
            folder.write(&format!("certs/{name}.key"), key);
        }
        for authority in ["people", "services"] {
            let (certificate, revoked) = authority_with_list();
            folder.write(&format!("certs/{authority}.pem"), certificate);
            folder.write(&format!("certs/{authority}.crl"), revoked);
        }
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        if name.ends_with(".key") {
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
        }
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// Runs `menshen` with these arguments to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Outcome { ok: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs `menshen` as somebody who is not root.
    pub fn run_as_nobody(&self, arguments: &[&str]) -> Outcome {
        let mut command = self.command(arguments);
        if rustix::process::geteuid().is_root() {
            // The binary may lie where only root can go.
            let program = self.path().join("menshen");
            std::fs::copy(env!("CARGO_BIN_EXE_menshen"), &program).unwrap();
            std::fs::set_permissions(self.path(), PermissionsExt::from_mode(0o755)).unwrap();
            command = Command::new(program);
            command.args(arguments).current_dir(self.path()).uid(65534).gid(65534);
        }
        // Another test that starts a process just now may still hold the new file open for writing.
        let output = loop {
            match command.output() {
                Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                output => break output.unwrap(),
            }
        };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Outcome { ok: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_menshen"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_remove("MENSHEN_LOG")
            .env_remove("NOTIFY_SOCKET");
        command.stdin(Stdio::null());
        command
    }

    /// Starts `menshen` and waits until it listens.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut seen = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended without listening: {seen}");
            seen.push_str(&line);
            if let Some((_, rest)) = line.split_once("listening on ").and_then(|(_, l)| l.split_once("://")) {
                break rest.split(' ').next().unwrap().to_owned();
            }
        };
        Running { child, log, address }
    }
}

/// A gateway that runs until it is dropped.
pub struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
    /// Of the first listener.
    pub address: String,
}

impl Running {
    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Reads its own log until a line has this in it, and returns what was read.
    pub fn says(&mut self, text: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "it never said `{text}`: {seen}");
            seen.push_str(&line);
            if line.contains(text) {
                return seen;
            }
        }
    }

    /// Waits for its end.
    pub fn ends_well(mut self) -> bool {
        self.child.wait().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
