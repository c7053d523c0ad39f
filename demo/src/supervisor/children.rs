//! The processes of the demo: started, watched, stopped.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::Trouble;
use super::plan::{Output, Part};

const LOOK_EVERY: Duration = Duration::from_millis(50);
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// What runs, in the order in which it was started. Dropping it kills what is left.
#[derive(Default)]
pub struct Children {
    running: Vec<(&'static str, Child)>,
}

impl Children {
    /// Starts a part. It is in a process group of its own, so that Ctrl-C reaches the demo alone, which then stops
    /// the parts in order.
    pub fn start(&mut self, part: &Part) -> Result<(), Trouble> {
        let output = match part.output {
            Output::Shown => Stdio::inherit(),
            Output::Dropped => Stdio::null(),
        };
        let mut command = Command::new(&part.program);
        command.args(&part.arguments).stdin(Stdio::null()).stdout(output).process_group(0).kill_on_drop(true);
        let child = command.spawn().map_err(|error| {
            Trouble::new(format!("{} cannot be started from {}: {error}", part.name, part.program.display()))
        })?;
        self.running.push((part.name, child));
        Ok(())
    }

    /// Process ids, in the order of starting.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        self.running.iter().filter_map(|(_, child)| child.id())
    }

    /// Returns when one of them has ended, which none should.
    pub async fn first_death(&mut self) -> Trouble {
        loop {
            for (name, child) in &mut self.running {
                if let Ok(Some(status)) = child.try_wait() {
                    return died(name, status);
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Stops all of them, the last started first, and waits until they are gone.
    pub async fn stop_all(&mut self) {
        while let Some((name, mut child)) = self.running.pop() {
            terminate(&child);
            if timeout(ENDS_WITHIN, child.wait()).await.is_err() {
                eprintln!("demo: {name} does not end by itself and is killed");
                child.kill().await.ok();
            }
        }
    }
}

fn terminate(child: &Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have just ended.
        kill_process(pid, Signal::TERM).ok();
    }
}

fn died(name: &str, status: ExitStatus) -> Trouble {
    Trouble::new(format!(
        "{name} ended by itself ({status}), so everything was stopped; see its last lines above, then start the demo again"
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn part(name: &'static str, program: &str, arguments: &[&str]) -> Part {
        Part {
            name,
            address: ([127, 0, 0, 1], 0).into(),
            probe: "/",
            program: program.into(),
            arguments: arguments.iter().map(Into::into).collect(),
            output: Output::Dropped,
        }
    }

    #[tokio::test]
    async fn the_first_to_die_is_named() {
        let mut children = Children::default();
        children.start(&part("steady", "sleep", &["60"])).unwrap();
        children.start(&part("fragile", "false", &[])).unwrap();
        let trouble = children.first_death().await.to_string();
        assert!(trouble.starts_with("fragile ended by itself (exit status: 1)"), "{trouble}");
    }

    #[tokio::test]
    async fn stopping_waits_until_all_are_gone() {
        let mut children = Children::default();
        children.start(&part("one", "sleep", &["60"])).unwrap();
        children.start(&part("two", "sleep", &["60"])).unwrap();
        let pids: Vec<u32> = children.pids().collect();
        let began = Instant::now();
        children.stop_all().await;
        assert!(began.elapsed() < ENDS_WITHIN, "none had to be killed");
        assert_eq!(pids.len(), 2);
        for pid in pids {
            assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{pid} is still there");
        }
    }

    #[tokio::test]
    async fn a_missing_program_is_named_with_its_part() {
        let trouble = Children::default().start(&part("gateway", "/nowhere/menshen", &[])).unwrap_err();
        assert!(trouble.to_string().starts_with("gateway cannot be started from /nowhere/menshen"));
    }
}
