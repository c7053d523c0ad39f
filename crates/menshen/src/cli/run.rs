//! `menshen run` and `menshen quick`.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use menshen::{First, Gateway, Origin};
use menshen_config::document::{LogLevel, Url};
use menshen_config::{Refusal, Source};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

#[derive(Args)]
pub(super) struct Quick {
    /// Where requests go, such as http://127.0.0.1:3000.
    url: String,
    /// Where to listen.
    #[arg(short, long, default_value = "127.0.0.1:8001")]
    bind: SocketAddr,
}

pub(super) fn quick(options: &Quick) -> Result<ExitCode, String> {
    let Quick { url, bind } = options;
    let url: Url = url.parse().map_err(|e: Refusal| match e.hint {
        Some(hint) => format!("{}; {hint}", e.message),
        None => e.message,
    })?;
    let text = format!(
        "gateway: {{ admin: off }}\nlisteners: {{ quick: {{ bind: \"{bind}\", filters: [request-id] }} }}\n\
         routes: {{ all: {{ match: /**, to: \"{url}\" }} }}\n"
    );
    run(Origin::Texts(vec![Source::new("quick", text)]))
}

pub(super) fn run(origin: Origin) -> Result<ExitCode, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    // Before anything else: a SIGHUP that nobody listens for would end the process.
    let signals = {
        let _inside = runtime.enter();
        Signals::open().map_err(|e| format!("cannot listen for signals: {e}"))?
    };
    let first = First::read(&origin)?;
    start_own_log(first.document.gateway.log.unwrap_or_default());
    raise_file_limit();
    let gateway = Gateway::start_with(origin, first).map_err(|e| e.to_string())?;
    for (name, url) in gateway.urls() {
        tracing::info!("listening on {url} ({name})");
    }
    if let Some(admin) = gateway.admin() {
        tracing::info!("admin on http://{admin} (/readyz, /metrics)");
    }
    tell_supervisor();
    runtime.block_on(serve(gateway, signals))
}

/// The signals that mean something here.
struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    fn open() -> std::io::Result<Self> {
        let term = signal(SignalKind::terminate())?;
        Ok(Self { term, int: signal(SignalKind::interrupt())?, hup: signal(SignalKind::hangup())? })
    }
}

/// Serves until a signal or a fault ends it.
async fn serve(gateway: Gateway, mut signals: Signals) -> Result<ExitCode, String> {
    let mut watch = tokio::time::interval(Duration::from_millis(500));
    let mut gateway = gateway;
    loop {
        tokio::select! {
            _ = signals.term.recv() => break,
            _ = signals.int.recv() => break,
            _ = signals.hup.recv() => gateway = reload(gateway).await,
            _ = watch.tick() => if let Some(worker) = gateway.ended_worker() {
                return Err(format!("worker {worker} ended unexpectedly"));
            },
        }
    }
    tracing::info!("stopping: finishing what is under way (again to stop at once)");
    let stopped = tokio::task::spawn_blocking(move || gateway.stop());
    tokio::select! {
        _ = stopped => Ok(ExitCode::SUCCESS),
        () = second(&mut signals.term, &mut signals.int) => std::process::exit(130),
    }
}

async fn second(term: &mut Signal, int: &mut Signal) {
    tokio::select! { _ = term.recv() => (), _ = int.recv() => () }
}

async fn reload(gateway: Gateway) -> Gateway {
    let reloaded = tokio::task::spawn_blocking(move || {
        gateway.reopen_log();
        // A refusal is logged by the control thread.
        let _ = gateway.reload();
        gateway
    });
    match reloaded.await {
        Ok(gateway) => gateway,
        Err(e) => std::panic::resume_unwind(e.into_panic()),
    }
}

/// Libraries that warn of what peers do: nobody from outside may fill the log.
const TALKATIVE: [&str; 2] = ["rustls", "tokio_rustls"];

/// The own log goes to stderr; the access log has its own place.
fn start_own_log(level: LogLevel) {
    let filter = EnvFilter::try_from_env("MENSHEN_LOG").unwrap_or_else(|_| EnvFilter::new(directives(level)));
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if std::io::stderr().is_terminal() { log.init() } else { log.with_ansi(false).init() }
}

/// What is logged unless `MENSHEN_LOG` says otherwise.
fn directives(level: LogLevel) -> String {
    if level == LogLevel::Off {
        return level.to_string();
    }
    let quiet = TALKATIVE.map(|name| format!(",{name}=error"));
    format!("{level}{}", quiet.concat())
}

/// Every connection needs a file descriptor: take as many as the system allows.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if setrlimit(Resource::Nofile, raised).is_err() {
        tracing::warn!("cannot raise the limit of open files from {:?}", limit.current);
    }
}

/// Tells systemd that we are ready, where it asked for that.
fn tell_supervisor() {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Ok(socket) = std::os::unix::net::UnixDatagram::unbound() {
        let _ = socket.send_to(b"READY=1", path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_quiet_and_off_is_off() {
        assert_eq!(directives(LogLevel::Info), "info,rustls=error,tokio_rustls=error");
        assert_eq!(directives(LogLevel::Off), "off");
        assert!(EnvFilter::try_new(directives(LogLevel::Debug)).is_ok());
    }
}
