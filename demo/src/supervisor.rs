//! Runs the services and the gateway as one: all up, or none.

mod children;
mod places;
mod plan;
mod ready;
mod trouble;

use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

pub use trouble::Trouble;

use children::Children;
use plan::{Part, plan};

/// Starts everything, waits for Ctrl-C, SIGTERM or a closed terminal, and stops everything.
pub async fn run(menshen: Option<PathBuf>, config: Option<PathBuf>) -> Result<(), Trouble> {
    let parts = plan(menshen, config)?;
    for part in &parts {
        ready::port_is_free(part)?;
    }
    let mut children = Children::default();
    let outcome = tokio::select! {
        outcome = run_until_trouble(&parts, &mut children) => outcome,
        outcome = asked_to_end() => outcome,
    };
    children.stop_all().await;
    outcome
}

/// Never returns well: it ends with a child that died or never got ready.
async fn run_until_trouble(parts: &[Part], children: &mut Children) -> Result<(), Trouble> {
    for part in parts {
        children.start(part)?;
    }
    tokio::select! {
        outcome = ready::all_answer(parts) => outcome?,
        trouble = children.first_death() => return Err(trouble),
    }
    introduce(parts, children);
    Err(children.first_death().await)
}

/// Returns when the demo is told to end, in whatever way.
async fn asked_to_end() -> Result<(), Trouble> {
    let listen = |kind| signal(kind).map_err(|error| Trouble::new(format!("no signals: {error}")));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

/// What runs where, and what to try.
fn introduce(parts: &[Part], children: &Children) {
    println!();
    println!("  {:<16} {:<22} pid", "name", "address");
    for (part, pid) in parts.iter().zip(children.pids()) {
        println!("  {:<16} {:<22} {pid}", part.name, format!("http://{}", part.address));
    }
    let gateway = plan::GATEWAY;
    println!();
    println!("Try, in another terminal:");
    println!("  curl -i http://{gateway}/api/user/1");
    println!(
        r#"  curl -i http://{gateway}/api/user -H 'content-type: application/json' -d '{{"name":"Grace"}}'"#
    );
    println!("  curl -i http://{gateway}/api/article/2");
    println!();
    println!("Below is the gateway's request log. Ctrl-C stops everything.");
}
