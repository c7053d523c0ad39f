//! A worker: one thread, one runtime, its own listeners, pools, timers and counters. It takes snapshots from
//! control and never waits for another thread.

mod handshakes;
mod spare;
mod warm_up;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use rustc_hash::FxBuildHasher;
use tokio::runtime::LocalOptions;
use tokio::sync::{Notify, watch};

use crate::accept;
use crate::access_log::{AccessLog, LogEnds};
use crate::buffer::Buffers;
use crate::chain::Chain;
use crate::clock::Clock;
use crate::concurrency::queue::Queues;
use crate::condition::UnixSeconds;
use crate::listener::{ListenerAddress, Sockets};
use crate::pool::Pools;
use crate::routes::RouteTable;
use crate::snapshot::{Listener, Route, RouteId, Snapshot};
use crate::stats::{RouteStats, WorkerStats};
use crate::timers::Timers;
use crate::turns::Turns;
use crate::{Exchange, Finished, wait};
use spare::Spare;

/// How often a worker looks after its pools, log and clock.
const TICK: Duration = Duration::from_millis(200);

/// What the process wants of its workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Wish {
    /// Serve.
    #[default]
    Serve,
    /// Accept nothing new, finish what is under way, stop at this moment at the latest.
    Drain {
        /// The deadline.
        until: Instant,
    },
}

/// What a worker needs to start.
pub struct Seat {
    /// Its number, from 0.
    pub index: usize,
    /// Where snapshots come from.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// What the process wants.
    pub wish: watch::Receiver<Wish>,
    /// Its counters.
    pub stats: Arc<WorkerStats>,
    /// Where access-log lines go.
    pub log: Option<LogEnds>,
}

/// The state of a worker.
pub struct Worker {
    /// Its number.
    pub(crate) index: usize,
    pub(crate) buffers: Buffers,
    pub(crate) timers: Rc<Timers>,
    /// Whose turn it is to move much.
    pub(crate) turns: Turns,
    pub(crate) pools: Pools,
    /// Requests that wait until one more may go to a service.
    pub(crate) queues: Queues,
    pub(crate) clock: Clock,
    stats: Arc<WorkerStats>,
    log: AccessLog,
    spare: Spare,
    random: RefCell<fastrand::Rng>,
    wish: Cell<Wish>,
    recent: Cell<Instant>,
    connections: Cell<usize>,
    emptied: Notify,
}

/// A worker's view of one listener in one generation of the configuration.
pub struct Live {
    snapshot: Arc<Snapshot>,
    listener: Arc<Listener>,
    worker: Rc<Worker>,
}

/// A listener of a worker over generations.
pub(crate) struct Slot {
    live: RefCell<Rc<Live>>,
    closed: Cell<bool>,
    acceptor: RefCell<Option<Waker>>,
}

impl Slot {
    pub(crate) fn live(&self) -> Rc<Live> {
        self.live.borrow().clone()
    }

    fn has_sockets(&self, sockets: &Arc<Sockets>) -> bool {
        Arc::ptr_eq(&self.live.borrow().listener.sockets, sockets)
    }

    pub(crate) fn new(live: Rc<Live>) -> Self {
        Self { live: RefCell::new(live), closed: Cell::new(false), acceptor: RefCell::default() }
    }

    /// Takes no new connections; those there are end after what is under way.
    fn close(&self) {
        self.closed.set(true);
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.wake();
        }
    }

    /// The one who accepts wants to know.
    pub(crate) fn wake_when_closed(&self, waker: &Waker) {
        wait::remember(&mut self.acceptor.borrow_mut(), waker);
    }

    /// True when the listener is no longer configured; its connections end after what is under way.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }
}

impl Live {
    /// The configuration.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The listener.
    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    /// A route of the listener.
    pub fn route(&self, id: RouteId) -> &Route {
        self.listener.routes.get(id)
    }

    /// The wall clock in seconds since 1970.
    pub fn clock(&self) -> UnixSeconds {
        self.worker.clock.seconds()
    }

    /// The number of the worker, for [`crate::stats::PerWorker`].
    pub fn worker_index(&self) -> usize {
        self.worker.index
    }

    /// A random number.
    pub fn random(&self) -> u64 {
        self.worker.random()
    }

    /// Now, at most one exchange old, as threads tell each other.
    pub(crate) fn moment(&self) -> u64 {
        crate::moment::micros(self.worker.recent())
    }

    pub(crate) fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// A gateway without a network whose only route leads nowhere, behind these filters: for tests.
    pub fn alone(chain: Chain) -> Rc<Self> {
        let route = Route::to_nowhere("test".into(), Arc::new(chain), Arc::new(RouteStats::new(1)));
        let listener = Listener::unbound("test".into(), RouteTable::only(route));
        Self::detached(Arc::new(Snapshot::empty()), Arc::new(listener))
    }

    /// A view outside of a running worker, for tests of filters and for `menshen explain`.
    pub fn detached(snapshot: Arc<Snapshot>, listener: Arc<Listener>) -> Rc<Self> {
        Rc::new(Self {
            snapshot,
            listener,
            worker: Rc::new(Worker::new(0, Arc::new(WorkerStats::new(1)), None)),
        })
    }
}

/// Runs a worker on this thread until the process wants it to drain and it has.
///
/// # Errors
/// The runtime could not be made.
pub fn run(seat: Seat) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(1)
        .build_local(LocalOptions::default())?;
    let worker = Rc::new(Worker::new(seat.index, seat.stats, seat.log));
    runtime.block_on(worker.run(seat.snapshots, seat.wish));
    Ok(())
}

impl Worker {
    fn new(index: usize, stats: Arc<WorkerStats>, log: Option<LogEnds>) -> Self {
        Self {
            index,
            stats,
            buffers: Buffers::default(),
            timers: Timers::new(),
            turns: Turns::default(),
            pools: Pools::default(),
            queues: Queues::default(),
            clock: Clock::new(),
            log: AccessLog::new(log),
            spare: Spare::default(),
            random: RefCell::default(),
            wish: Cell::default(),
            recent: Cell::new(Instant::now()),
            connections: Cell::new(0),
            emptied: Notify::new(),
        }
    }

    async fn run(
        self: Rc<Self>,
        mut snapshots: watch::Receiver<Arc<Snapshot>>,
        mut wish: watch::Receiver<Wish>,
    ) {
        let worker = self.clone();
        tokio::task::spawn_local(async move { worker.timers.run().await });
        let worker = self.clone();
        tokio::task::spawn_local(async move { worker.turns.run().await });
        let worker = self.clone();
        tokio::task::spawn_local(async move { worker.look_after().await });
        let mut slots = Slots::default();
        self.apply(&mut slots, snapshots.borrow_and_update().clone());
        loop {
            tokio::select! {
                changed = snapshots.changed() => {
                    // Control has gone: traffic flows on with what is here.
                    if changed.is_err() {
                        break;
                    }
                    let snapshot = snapshots.borrow_and_update().clone();
                    self.apply(&mut slots, snapshot);
                }
                changed = wish.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let wanted = *wish.borrow_and_update();
                    if let Wish::Drain { until } = wanted {
                        return self.drain(&mut slots, until).await;
                    }
                }
            }
        }
        std::future::pending().await
    }

    /// Makes a snapshot the current one.
    fn apply(self: &Rc<Self>, slots: &mut Slots, snapshot: Arc<Snapshot>) {
        slots.apply(self, &snapshot);
        // Exchanges kept for reuse hold the generation that they last saw.
        self.forget_exchanges();
        self.warm_up(&snapshot);
        if let Some(cells) = self.stats.of(self.index) {
            cells.version.set(snapshot.version);
        }
    }

    async fn drain(&self, slots: &mut Slots, until: Instant) {
        self.wish.set(Wish::Drain { until });
        slots.close().await;
        self.timers.wake_all();
        let deadline = tokio::time::sleep_until(until.into());
        tokio::pin!(deadline);
        while self.connections.get() > 0 {
            tokio::select! {
                () = self.emptied.notified() => {}
                () = &mut deadline => {
                    // Tunnels and whoever is still here get a moment to see that it is over.
                    self.timers.wake_all();
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    break;
                }
            }
        }
        self.log.flush(self.stats.of(self.index));
        // They hold the worker, which holds them.
        self.forget_exchanges();
    }

    async fn look_after(&self) {
        let mut ticks = 0u64;
        loop {
            tokio::time::sleep(TICK).await;
            ticks += 1;
            self.clock.read();
            self.now();
            self.log.flush(self.stats.of(self.index));
            if ticks.is_multiple_of(5) {
                self.pools.sweep(Instant::now());
                give_memory_back();
            }
            if ticks.is_multiple_of(50) {
                self.buffers.shrink();
            }
        }
    }

    /// The monotonic clock.
    pub(crate) fn now(&self) -> Instant {
        let now = Instant::now();
        self.recent.set(now);
        now
    }

    /// The monotonic clock as it was last read: at most one exchange ago, which is good enough for setting timeouts.
    pub(crate) fn recent(&self) -> Instant {
        self.recent.get()
    }

    /// A moment at least this far away: exact for short times; for long ones, which are most, without asking the clock.
    pub(crate) fn at_least(&self, wait: Duration) -> Instant {
        const LONG: Duration = Duration::from_secs(2);
        // While nothing else happens, the clock is read each tick.
        if wait < LONG { self.now() + wait } else { self.recent() + wait + TICK }
    }

    pub(crate) fn random(&self) -> u64 {
        self.random.borrow_mut().u64(..)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.wish.get() != Wish::Serve
    }

    /// True when the deadline of a drain has passed.
    pub(crate) fn must_stop_now(&self) -> bool {
        matches!(self.wish.get(), Wish::Drain { until } if Instant::now() >= until)
    }

    pub(crate) fn entered(&self) {
        self.connections.set(self.connections.get() + 1);
        if let Some(cells) = self.stats.of(self.index) {
            cells.accepted.add(1);
            cells.connections.add(1);
        }
    }

    pub(crate) fn left(&self) {
        self.connections.set(self.connections.get().saturating_sub(1));
        if let Some(cells) = self.stats.of(self.index) {
            cells.connections.sub(1);
        }
        if self.connections.get() == 0 {
            self.emptied.notify_one();
        }
    }

    pub(crate) fn refused(&self) {
        if let Some(cells) = self.stats.of(self.index) {
            cells.refused.add(1);
        }
    }

    /// A client was told to calm down.
    pub(crate) fn calmed_down(&self) {
        if let Some(cells) = self.stats.of(self.index) {
            cells.calmed_down.add(1);
        }
    }

    pub(crate) fn note_panic(&self) {
        if let Some(cells) = self.stats.of(self.index) {
            cells.panics.add(1);
            cells.exchanges.sub(1);
            cells.failures.count(crate::Failure::Panicked.code());
        }
    }

    /// An exchange began.
    pub(crate) fn began(&self) {
        if let Some(cells) = self.stats.of(self.index) {
            cells.exchanges.add(1);
        }
    }

    /// An exchange ended.
    pub(crate) fn ended(&self, exchange: &Exchange, route: &Route, finished: &Finished) {
        let cells = self.stats.of(self.index);
        if let Some(cells) = cells {
            cells.exchanges.sub(1);
            cells.finished.add(1);
            if let Some(failure) = finished.failure {
                cells.failures.count(failure.code());
            }
        }
        if let Some(counted) = route.stats.of(self.index) {
            counted.count(finished.status);
            if let Some(status) = exchange.grpc_status() {
                counted.count_call(status);
            }
            counted.received.add(finished.received);
            counted.sent.add(finished.sent);
            counted.latency.record(finished.micros);
        }
        self.log.write(exchange, route, finished, cells);
    }
}

/// Memory that a burst of requests has left goes back to the system when the allocator next handles a large piece;
/// an idle worker would never ask for one.
fn give_memory_back() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(1 << 20)));
}

/// The listeners of a worker by address.
#[derive(Default)]
struct Slots {
    by_address: HashMap<ListenerAddress, (Rc<Slot>, tokio::task::JoinHandle<()>), FxBuildHasher>,
}

impl Slots {
    /// Opens, updates and closes listeners so that they are those of the snapshot.
    fn apply(&mut self, worker: &Rc<Worker>, snapshot: &Arc<Snapshot>) {
        for listener in snapshot.listeners.iter() {
            let live = Rc::new(Live {
                snapshot: snapshot.clone(),
                listener: listener.clone(),
                worker: worker.clone(),
            });
            let address = listener.sockets.address();
            match self.by_address.get(address) {
                Some((slot, _)) if slot.has_sockets(&listener.sockets) => drop(slot.live.replace(live)),
                _ => {
                    let slot = Rc::new(Slot::new(live));
                    let task = tokio::task::spawn_local(accept::run(worker.clone(), slot.clone()));
                    self.by_address.insert(address.clone(), (slot, task));
                }
            }
        }
        let is_configured = |a: &ListenerAddress| snapshot.listeners.iter().any(|l| l.sockets.address() == a);
        self.by_address.retain(|address, (slot, _)| {
            let keep = is_configured(address);
            if !keep {
                slot.close();
            }
            keep
        });
        worker.timers.wake_all();
    }

    /// Closes all listeners, after taking what already waits in their queues.
    async fn close(&mut self) {
        for (_, (slot, task)) in self.by_address.drain() {
            slot.close();
            let _ = task.await;
        }
    }
}
