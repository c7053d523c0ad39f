//! A real browser without a window: Chromium, where it is installed.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::real::{self, skip};

use crate::eventually;

/// What Chromium is called, by distribution.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// It opens what it is told to and nothing else: no updates, no synchronisation, no questions.
const OPTIONS: [&str; 16] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--password-store=basic",
];

/// A browser that runs until it is closed or dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    /// Everything that it writes is in here.
    home: TempDir,
}

impl Browser {
    /// Opens this URL with a profile of its own. `None` when there is no Chromium: then standard error says that
    /// this test was skipped.
    ///
    /// # Panics
    /// When Chromium is there and does not start.
    pub fn open(url: &str) -> Option<Self> {
        let Some(program) = program() else {
            return skip("there is no Chromium here; `apt-get install chromium` installs it");
        };
        let home = tempfile::tempdir().expect("a directory");
        let log = File::create(home.path().join("log")).expect("a file");
        let child = Command::new(program)
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", home.path().join("profile").display()))
            .arg(url)
            .envs(["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"].map(|name| (name, home.path())))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("Chromium starts");
        Some(Self { child, home })
    }

    /// What it said about itself so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// Ends it and waits until none of its processes is left.
    ///
    /// # Panics
    /// When one stays.
    pub fn close(mut self) {
        self.kill();
        eventually("all processes of the browser have ended", || !self.has_processes());
    }

    /// Kills the whole family, unless that was done before.
    fn kill(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }

    /// True while there are processes that were told about its home.
    fn has_processes(&self) -> bool {
        let home = self.home.path().as_os_str().as_encoded_bytes();
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut command_lines = processes.filter_map(|p| std::fs::read(p.path().join("cmdline")).ok());
        command_lines.any(|line| line.windows(home.len()).any(|part| part == home))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> Option<PathBuf> {
    NAMES.into_iter().find_map(real::program)
}
