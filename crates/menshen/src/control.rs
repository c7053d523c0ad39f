//! The control thread: reloads, name lookups, the admin listener.

use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use menshen_control::acme::{self, Change};
use menshen_control::admin::{self, Order};
use menshen_control::discovery;
use menshen_control::discovery::eureka::registration::{self, Phase};
use menshen_control::health;
use menshen_control::publish::Publisher;
use menshen_control::resolve;
use menshen_control::rollout;
use menshen_control::watch::Watch;
use tokio::sync::mpsc;

/// How often the log says that a certificate is about to end.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long the keeper of certificates and the registration may take to tidy up, each.
const TIDYING: Duration = Duration::from_secs(5);

/// Starts the thread. It ends when the last sender of orders but its own is gone.
pub(crate) fn start(
    publisher: Publisher,
    admin: Option<TcpListener>,
    orders: mpsc::Sender<Order>,
    ordered: mpsc::Receiver<Order>,
) -> std::io::Result<JoinHandle<()>> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build()?;
    // The admin listener must not keep the channel open by itself.
    let weak = orders.downgrade();
    drop(orders);
    std::thread::Builder::new().name("menshen-control".to_owned()).spawn(move || {
        runtime.block_on(async move {
            if let (Some(listener), Some(orders)) = (admin, weak.upgrade()) {
                let shared = publisher.shared().clone();
                let orders = relay(orders.downgrade());
                tokio::spawn(async move {
                    match tokio::net::TcpListener::from_std(listener) {
                        Ok(listener) => drop(admin::serve(listener, shared, orders).await),
                        Err(error) => tracing::error!(%error, "the admin listener cannot be served"),
                    }
                });
            }
            let shared = publisher.shared().clone();
            let (changes, changed) = mpsc::channel(4);
            let keeper = tokio::spawn(acme::run(shared.clone(), changes));
            let (sets, sets_changed) = mpsc::channel(1);
            tokio::spawn(discovery::run(shared.ground.clone(), sets));
            let checks = tokio::spawn(health::run(shared.ground.clone()));
            let ground = shared.ground.clone();
            let registering = tokio::spawn(async move { registration::run(&ground.registering).await });
            let starting = shared.clone();
            tokio::spawn(async move { starting.tell_when_ready().await });
            tokio::spawn(resolve::run(shared.ground.clone()));
            tokio::spawn(rollout::run(shared.ground.clone()));
            run(publisher, ordered, changed, sets_changed).await;
            checks.abort();
            // Others must not be told of a gateway that has ended.
            shared.ground.registering.is_at(Phase::Gone);
            let _ = tokio::time::timeout(TIDYING, registering).await;
            // It sees that nobody publishes any more, and takes away what it has put up elsewhere.
            let _ = tokio::time::timeout(TIDYING, keeper).await;
            acme::let_go(&shared.ground);
        });
    })
}

/// Waits for the thread to end; all senders of orders must be gone.
pub(crate) fn stop(thread: JoinHandle<()>) {
    let _ = thread.join();
}

/// Orders of the admin listener, passed on as long as the gateway takes some.
fn relay(to: mpsc::WeakSender<Order>) -> mpsc::Sender<Order> {
    let (orders, mut ordered) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Some(order) = ordered.recv().await {
            let Some(to) = to.upgrade() else { return };
            let _ = to.send(order).await;
        }
    });
    orders
}

async fn run(
    mut publisher: Publisher,
    mut ordered: mpsc::Receiver<Order>,
    mut certificates_changed: mpsc::Receiver<Change>,
    mut sets_changed: mpsc::Receiver<()>,
) {
    let mut watch = publisher.origin().watched().and_then(|directory| match Watch::start(&directory) {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!(%error, directory = %directory.display(), "cannot watch the configuration; use SIGHUP");
            None
        }
    });
    // What was written before the watch began is seen by nobody else.
    if watch.is_some() {
        drop(reload_if_changed(&mut publisher).await);
    }
    let mut sweep = tokio::time::interval(Duration::from_secs(1));
    // Certificates lie in other folders; they are renewed a few times a year.
    let mut files = tokio::time::interval(Duration::from_secs(5));
    // A reload has said it already.
    let mut certificates = tokio::time::interval_at(tokio::time::Instant::now() + DAY, DAY);
    loop {
        tokio::select! {
            order = ordered.recv() => match order {
                Some(Order::Reload(answer)) => drop(answer.send(reload(&mut publisher).await)),
                None => return,
            },
            Some(change) = certificates_changed.recv() => publisher.apply(change),
            Some(()) = sets_changed.recv() => publisher.take_discovered(),
            () = changed(&mut watch) => drop(reload_if_changed(&mut publisher).await),
            _ = sweep.tick() => publisher.sweep(),
            _ = certificates.tick() => publisher.warn_of_expiry(),
            _ = files.tick() => {
                if publisher.has_other_files() {
                    drop(reload(&mut publisher).await);
                }
                publisher.warn_of_ended_lists();
            }
        }
    }
}

async fn changed(watch: &mut Option<Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

async fn reload(publisher: &mut Publisher) -> Result<u64, String> {
    let version = publisher.reload()?;
    publisher.shared().settled(version).await;
    Ok(version)
}

/// Other files of the directory change too; only those of the configuration matter.
async fn reload_if_changed(publisher: &mut Publisher) -> Result<u64, String> {
    if publisher.is_unchanged() {
        return Ok(publisher.shared().status().version);
    }
    reload(publisher).await
}
