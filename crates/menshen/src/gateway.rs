//! A running gateway: worker threads, the control thread, the log writer.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use menshen_config::document::{Admin, LogTo};
use menshen_control::access_log::LogWriter;
use menshen_control::admin::Order;
use menshen_control::fixed::Fixed;
use menshen_control::publish::{First, Publisher, Shared};
use menshen_control::{Ground, Origin};
use menshen_proxy::{Listener, ListenerAddress, Seat, Snapshot, Wish};
use tokio::sync::{mpsc as orders, oneshot, watch};

use crate::control;

/// Why a gateway did not start. Its text is for people.
#[derive(Debug)]
pub struct StartError(String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_end())
    }
}

impl std::error::Error for StartError {}

impl From<String> for StartError {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    listeners: Vec<(String, ListenerAddress)>,
    urls: Vec<(String, String)>,
    admin: Option<SocketAddr>,
    drain: Duration,
    wish: watch::Sender<Wish>,
    orders: orders::Sender<Order>,
    workers: Vec<JoinHandle<()>>,
    ended: mpsc::Receiver<usize>,
    control: Option<JoinHandle<()>>,
    log: Option<LogWriter>,
}

impl Gateway {
    /// Reads the configuration, opens the listeners and starts serving.
    ///
    /// # Errors
    /// All problems of the configuration, or one line about what the system refused.
    pub fn start(origin: Origin) -> Result<Self, StartError> {
        let first = First::read(&origin)?;
        Self::start_with(origin, first)
    }

    /// As [`Gateway::start`], with a configuration that was read already.
    ///
    /// # Errors
    /// As [`Gateway::start`].
    pub fn start_with(origin: Origin, first: First) -> Result<Self, StartError> {
        let settings = &first.document.gateway;
        let Fixed { workers, admin, drain, log: _, store: _ } = Fixed::of(settings);
        let log_to = settings.access_log.as_ref().map_or(LogTo::default(), |l| l.to.clone());
        // A configuration with errors is told whole before anything else is tried.
        let admin = if first.problems.has_errors() { None } else { bind_admin(admin)? };

        let (log, ends) =
            LogWriter::start(workers, log_to).map_err(|e| format!("cannot start the log thread: {e}"))?;
        let ground = Arc::new(Ground::new(workers).in_folder(origin.folder()));
        let shared = Arc::new(Shared {
            ground,
            status: Default::default(),
            log: log.control.clone(),
            services: Default::default(),
        });
        let (snapshots, snapshot) = watch::channel(Arc::new(Snapshot::empty()));
        let publisher = Publisher::start(origin, first, snapshots, shared.clone())
            .map_err(|problems| problems.with_excerpts().to_string())?;
        let (listeners, urls) = (names(&snapshot.borrow()), urls(&snapshot.borrow()));

        let (wish, wished) = watch::channel(Wish::Serve);
        let (tell_ended, ended) = mpsc::channel();
        let mut threads = Vec::new();
        for (index, ends) in ends.into_iter().enumerate() {
            let seat = Seat {
                index,
                snapshots: snapshot.clone(),
                wish: wished.clone(),
                stats: shared.ground.worker_stats.clone(),
                log: Some(ends),
            };
            threads.push(worker(seat, tell_ended.clone())?);
        }
        let admin_address = admin.as_ref().and_then(|a| a.local_addr().ok());
        let (orders, ordered) = orders::channel(8);
        let control = control::start(publisher, admin, orders.clone(), ordered)
            .map_err(|e| format!("cannot start the control thread: {e}"))?;
        let gateway = Self {
            shared,
            listeners,
            urls,
            admin: admin_address,
            drain: drain.get(),
            wish,
            orders,
            workers: threads,
            ended,
            control: Some(control),
            log: Some(log),
        };
        gateway.wait_until_it_serves();
        Ok(gateway)
    }

    fn wait_until_it_serves(&self) {
        let end = Instant::now() + Duration::from_secs(10);
        while !self.shared.serves() && Instant::now() < end {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// The listeners with their real addresses, as of the start.
    pub fn listeners(&self) -> &[(String, ListenerAddress)] {
        &self.listeners
    }

    /// The listeners with the URLs under which they are reached, as of the start.
    pub fn urls(&self) -> &[(String, String)] {
        &self.urls
    }

    /// The address of the admin listener.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Reads the configuration again and waits until all workers serve it; its version is the result.
    ///
    /// # Errors
    /// Why it was refused; the last good one keeps serving.
    pub fn reload(&self) -> Result<u64, String> {
        let (answer, result) = oneshot::channel();
        self.orders.blocking_send(Order::Reload(answer)).map_err(|_| "the gateway is stopping".to_owned())?;
        result.blocking_recv().map_err(|_| "the gateway is stopping".to_owned())?
    }

    /// Opens the access log anew, for log rotation.
    pub fn reopen_log(&self) {
        self.shared.log.reopen();
    }

    /// The number of a worker that ended although nobody asked it to; the process should not go on then.
    pub fn ended_worker(&self) -> Option<usize> {
        self.ended.try_recv().ok()
    }

    /// Stops: readiness goes, nothing new is accepted, what is under way finishes within the drain time.
    pub fn stop(mut self) {
        self.shut_down(self.drain);
    }

    fn shut_down(&mut self, drain: Duration) {
        self.shared.stopping();
        self.wish.send_replace(Wish::Drain { until: Instant::now() + drain });
        for thread in self.workers.drain(..) {
            let _ = thread.join();
        }
        let (closed, _) = orders::channel(1);
        self.orders = closed;
        if let Some(control) = self.control.take() {
            control::stop(control);
        }
        if let Some(log) = self.log.take() {
            log.finish(Duration::from_secs(2));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shut_down(Duration::ZERO);
    }
}

fn names(snapshot: &Snapshot) -> Vec<(String, ListenerAddress)> {
    snapshot.listeners.iter().map(|l| (l.name.to_string(), l.sockets.address().clone())).collect()
}

fn urls(snapshot: &Snapshot) -> Vec<(String, String)> {
    let url = |l: &Listener| {
        let scheme = if l.tls.is_some() { "https" } else { "http" };
        match l.sockets.address() {
            ListenerAddress::Tcp(address) => format!("{scheme}://{address}"),
            ListenerAddress::Unix(path) => format!("{scheme}+unix:{}", path.display()),
        }
    };
    snapshot.listeners.iter().map(|l| (l.name.to_string(), url(l))).collect()
}

fn bind_admin(wanted: Admin) -> Result<Option<TcpListener>, StartError> {
    let address = match wanted {
        Admin::Off => return Ok(None),
        Admin::At(address) => address,
    };
    let listener = TcpListener::bind(address).map_err(|e| {
        let why = match e.kind() {
            std::io::ErrorKind::AddrInUse => "something else listens there already (another gateway?)".to_owned(),
            std::io::ErrorKind::PermissionDenied => "no permission for this port".to_owned(),
            _ => e.to_string(),
        };
        format!("gateway.admin: cannot listen on {address}: {why}; set `gateway: {{ admin: HOST:PORT }}` or `admin: off`")
    })?;
    listener.set_nonblocking(true).map_err(|e| StartError(e.to_string()))?;
    Ok(Some(listener))
}

fn worker(seat: Seat, ended: mpsc::Sender<usize>) -> Result<JoinHandle<()>, StartError> {
    let index = seat.index;
    let body = move || {
        let stopping = seat.wish.clone();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| menshen_proxy::run(seat)));
        if !matches!(outcome, Ok(Ok(()))) || *stopping.borrow() == Wish::Serve {
            let _ = ended.send(index);
        }
    };
    let thread = std::thread::Builder::new().name(format!("menshen-{index}"));
    thread.spawn(body).map_err(|e| StartError(format!("cannot start worker {index}: {e}")))
}
