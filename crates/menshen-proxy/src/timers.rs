//! Deadlines of a worker. Setting one writes an integer; the queue is touched only when a deadline moves
//! before the moment at which it will be looked at anyway.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::wait;

/// Time in steps of [`TICK`] since the worker started.
type Tick = u64;

/// The precision of deadlines.
const TICK: Duration = Duration::from_millis(4);
const NEVER: Tick = u64::MAX;

/// All deadlines of a worker.
#[derive(Debug)]
pub(crate) struct Timers {
    start: Instant,
    queue: RefCell<BTreeMap<Tick, Vec<Weak<Deadline>>>>,
    sooner: Notify,
}

/// One moment by which something must have happened. It has one task waiting on it.
#[derive(Debug)]
pub(crate) struct Deadline {
    timers: Rc<Timers>,
    me: Weak<Deadline>,
    at: Cell<Tick>,
    /// When the queue will look at it.
    queued: Cell<Tick>,
    passed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Timers {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self { start: Instant::now(), queue: RefCell::default(), sooner: Notify::new() })
    }

    /// A deadline that is not set.
    pub(crate) fn deadline(self: &Rc<Self>) -> Rc<Deadline> {
        Rc::new_cyclic(|me| Deadline {
            timers: self.clone(),
            me: me.clone(),
            at: Cell::new(NEVER),
            queued: Cell::new(NEVER),
            passed: Cell::new(false),
            waker: RefCell::default(),
        })
    }

    fn tick_of(&self, at: Instant) -> Tick {
        ticks(at.saturating_duration_since(self.start) + (TICK - Duration::from_nanos(1)))
    }

    fn enqueue(&self, deadline: Weak<Deadline>, at: Tick) {
        let mut queue = self.queue.borrow_mut();
        let is_first = queue.first_key_value().is_none_or(|(first, _)| at < *first);
        queue.entry(at).or_default().push(deadline);
        drop(queue);
        if is_first {
            self.sooner.notify_one();
        }
    }

    /// Wakes tasks whose deadline has passed; runs as long as the worker.
    pub(crate) async fn run(&self) {
        loop {
            let next = self.queue.borrow().first_key_value().map(|(at, _)| *at);
            let Some(next) = next else {
                self.sooner.notified().await;
                continue;
            };
            let at = self.start + Duration::from_millis(next.saturating_mul(TICK.as_millis() as u64));
            tokio::select! {
                () = tokio::time::sleep_until(at.into()) => self.fire(Instant::now()),
                () = self.sooner.notified() => {}
            }
        }
    }

    fn fire(&self, now: Instant) {
        let now = ticks(now.saturating_duration_since(self.start));
        while let Some(due) = self.pop(now) {
            let (tick, list) = due;
            for deadline in list.iter().filter_map(Weak::upgrade) {
                if deadline.queued.get() == tick {
                    deadline.look(now);
                }
            }
        }
    }

    fn pop(&self, now: Tick) -> Option<(Tick, Vec<Weak<Deadline>>)> {
        let mut queue = self.queue.borrow_mut();
        let entry = queue.first_entry().filter(|e| *e.key() <= now)?;
        Some(entry.remove_entry())
    }

    /// Wakes every task that waits on a deadline, so that it looks around: the worker drains.
    pub(crate) fn wake_all(&self) {
        let all: Vec<_> = self.queue.borrow().values().flatten().filter_map(Weak::upgrade).collect();
        all.iter().for_each(|d| d.wake());
    }
}

/// Whole ticks in a duration.
fn ticks(time: Duration) -> Tick {
    const EACH_SECOND: u64 = 1000 / TICK.as_millis() as u64;
    let within = time.subsec_nanos() / TICK.subsec_nanos();
    time.as_secs().saturating_mul(EACH_SECOND).saturating_add(u64::from(within)).min(NEVER - 1)
}

impl Deadline {
    /// Sets the deadline to `after` from `now`.
    pub(crate) fn set(&self, now: Instant, after: Duration) {
        self.set_at(now + after);
    }

    /// Sets the deadline.
    pub(crate) fn set_at(&self, at: Instant) {
        let at = self.timers.tick_of(at);
        self.at.set(at);
        self.passed.set(false);
        if at < self.queued.get() {
            self.queued.set(at);
            self.timers.enqueue(self.me.clone(), at);
        }
    }

    /// Unsets the deadline, for whoever uses it next. It stays in the queue, which will find that nothing is due.
    pub(crate) fn clear(&self) {
        self.at.set(NEVER);
        self.passed.set(false);
        self.waker.replace(None);
    }

    /// Ready when the deadline has passed; else the task will be woken then.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.passed.get() {
            return Poll::Ready(());
        }
        wait::remember(&mut self.waker.borrow_mut(), cx.waker());
        Poll::Pending
    }

    fn look(&self, now: Tick) {
        if self.at.get() <= now {
            self.queued.set(NEVER);
            self.passed.set(true);
            self.wake();
        } else if self.at.get() != NEVER {
            self.queued.set(self.at.get());
            self.timers.enqueue(self.me.clone(), self.at.get());
        } else {
            self.queued.set(NEVER);
        }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    fn on_worker<T>(test: impl AsyncFnOnce(Rc<Timers>) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let timers = Timers::new();
            let driver = timers.clone();
            tokio::task::spawn_local(async move { driver.run().await });
            test(timers).await
        })
    }

    #[test]
    fn a_deadline_passes_not_before_its_time() {
        on_worker(async |timers| {
            let d = timers.deadline();
            let start = Instant::now();
            d.set(start, Duration::from_millis(30));
            poll_fn(|cx| d.poll(cx)).await;
            assert!(start.elapsed() >= Duration::from_millis(30));
        });
    }

    #[test]
    fn a_deadline_moved_later_does_not_pass_and_one_moved_sooner_does() {
        on_worker(async |timers| {
            let (later, sooner) = (timers.deadline(), timers.deadline());
            let now = Instant::now();
            later.set(now, Duration::from_millis(10));
            later.set(now, Duration::from_secs(60));
            sooner.set(now, Duration::from_secs(60));
            sooner.set(now, Duration::from_millis(20));
            poll_fn(|cx| sooner.poll(cx)).await;
            assert!(!later.passed.get());
            assert_eq!(later.queued.get(), later.at.get());
        });
    }
}
