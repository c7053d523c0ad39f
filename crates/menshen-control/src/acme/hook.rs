//! A command of the operator that makes and removes records in DNS.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, Command};

/// How much of what a command says is told.
const MOST_SAID: usize = 500;
/// How long is waited for more of that once it has ended.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A command and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The program.
    pub program: Box<str>,
    /// Its first arguments.
    pub arguments: Box<[Box<str>]>,
    /// How long it may take.
    pub timeout: Duration,
    /// How long a record needs until the whole world sees it.
    pub wait: Duration,
}

/// What is to be done with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Present,
    Cleanup,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Present => "present",
            Self::Cleanup => "cleanup",
        })
    }
}

impl Hook {
    /// Runs it for a record.
    ///
    /// # Errors
    /// What went wrong, with what the command said.
    pub(super) async fn run(&self, verb: Verb, record: &str, value: &str) -> Result<(), String> {
        let program = &self.program;
        let mut command = Command::new(&**program);
        command.args(self.arguments.iter().map(|a| &**a)).args([&verb.to_string(), record, value]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        // Whatever it starts ends with it.
        command.process_group(0);
        let failed = |why: String| format!("the hook `{program} {verb} {record} …` {why}");
        let mut child = command.spawn().map_err(|error| failed(format!("cannot be run: {error}")))?;
        let family = Family(child.id());
        let (mut said, mut stderr) = (Vec::new(), child.stderr.take());
        let ended = tokio::time::timeout(self.timeout, async {
            // Who is told nothing is not held up by what it left behind that still could say something.
            let reading = listen(&mut stderr, &mut said);
            tokio::pin!(reading);
            tokio::select! {
                status = child.wait() => {
                    let _ = tokio::time::timeout(LAST_WORDS, reading).await;
                    status
                }
                () = &mut reading => child.wait().await,
            }
        });
        let status = match ended.await {
            Err(_) => return Err(failed(format!("took longer than {}s", self.timeout.as_secs_f32()))),
            Ok(Err(error)) => return Err(failed(format!("cannot be run: {error}"))),
            Ok(Ok(status)) => status,
        };
        // What it has left running on purpose stays.
        family.leave();
        if status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&said);
        let said: String = said.trim().chars().take(MOST_SAID).collect();
        let said = if said.is_empty() { "it said nothing".to_owned() } else { said };
        Err(failed(format!("failed ({status}): {said}")))
    }
}

/// Reads all of it and keeps the beginning.
async fn listen(from: &mut Option<ChildStderr>, said: &mut Vec<u8>) {
    let Some(from) = from else { return };
    let mut piece = [0; 1024];
    while let Ok(n @ 1..) = from.read(&mut piece).await {
        let room = (4 * MOST_SAID).saturating_sub(said.len());
        said.extend_from_slice(piece.get(..n.min(room)).unwrap_or_default());
    }
}

/// A command with all that it has started: killed when this is dropped.
struct Family(Option<u32>);

impl Family {
    fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        let pid = self.0.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            // It may have ended.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration) -> Hook {
        let arguments = ["-c", script, "hook"].map(Into::into).into();
        Hook { program: "sh".into(), arguments, timeout, wait: Duration::ZERO }
    }

    fn run(hook: &Hook) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(hook.run(Verb::Present, "_acme-challenge.a.example", "va lue$(x)"))
    }

    #[test]
    fn a_command_gets_what_to_do_as_three_arguments_and_no_shell_sees_them() {
        let hook = shell(
            r#"[ "$1|$2|$3|$#" = 'present|_acme-challenge.a.example|va lue$(x)|3' ]"#,
            Duration::from_secs(20),
        );
        run(&hook).unwrap();
    }

    #[test]
    fn what_a_command_says_is_told_when_it_fails() {
        let why = run(&shell("echo no such zone >&2; exit 3", Duration::from_secs(20))).unwrap_err();
        assert_eq!(
            why,
            "the hook `sh present _acme-challenge.a.example …` failed (exit status: 3): no such zone"
        );
    }

    #[test]
    fn a_command_that_is_not_there_or_does_not_end_is_told() {
        let hook = Hook { program: "/nowhere/hook".into(), ..shell("", Duration::from_secs(1)) };
        assert!(run(&hook).unwrap_err().contains("cannot be run: No such file"));
        let why = run(&shell("exec sleep 1000", Duration::from_millis(50))).unwrap_err();
        assert!(why.ends_with("took longer than 0.05s"), "{why}");
    }

    #[test]
    fn what_a_command_has_started_ends_with_it_when_it_takes_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("alive");
        let script = format!("mkfifo {0}; (exec sleep 1000 > {0}) & cat {0}", fifo.display());
        // The fifo has an end when nobody holds it open for writing any more.
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || {
                while !fifo.exists() {
                    std::thread::yield_now();
                }
                std::fs::read(fifo).unwrap()
            }
        });
        run(&shell(&script, Duration::from_millis(500))).unwrap_err();
        assert!(reader.join().unwrap().is_empty());
    }

    #[test]
    fn what_stays_behind_does_not_hold_up_a_command_that_has_ended() {
        let started = std::time::Instant::now();
        run(&shell("sleep 30 & echo done >&2", Duration::from_secs(20))).unwrap();
        let why = run(&shell("sleep 30 & echo no zone >&2; exit 3", Duration::from_secs(20))).unwrap_err();
        assert!(why.ends_with("failed (exit status: 3): no zone"), "{why}");
        assert!(started.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn a_command_that_does_not_stop_talking_is_cut_short() {
        let why = run(&shell("yes no | head -c 5000000 >&2; exit 1", Duration::from_secs(20))).unwrap_err();
        assert!(why.len() < MOST_SAID + 200, "{}", why.len());
    }
}
