//! A command of the operator that makes and removes records in DNS.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// How much of what a command says is told.
const MOST_SAID: usize = 500;

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
        let failed = |why: String| format!("the hook `{program} {verb} {record} …` {why}");
        let output = match tokio::time::timeout(self.timeout, command.output()).await {
            Err(_) => return Err(failed(format!("took longer than {}s", self.timeout.as_secs_f32()))),
            Ok(Err(error)) => return Err(failed(format!("cannot be run: {error}"))),
            Ok(Ok(output)) => output,
        };
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(MOST_SAID).collect();
        let said = if said.is_empty() { "it said nothing".to_owned() } else { said };
        Err(failed(format!("failed ({}): {said}", output.status)))
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
}
