//! The built binary, as people use it.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
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

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), text).unwrap();
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
            if let Some((_, rest)) = line.split_once("listening on http://") {
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
