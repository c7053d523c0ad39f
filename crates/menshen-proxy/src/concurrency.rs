//! How many requests are under way at a service at once, over all workers, and who waits when there are enough.

mod adaptive;
pub(crate) mod queue;
mod seat;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use atomic_waker::AtomicWaker;

use adaptive::Adaptive;
pub use adaptive::AdaptivePolicy;
pub(crate) use seat::Seat;

use crate::stats::PerWorker;

/// How many requests may be under way at once.
#[derive(Clone, Debug)]
pub struct ConcurrencyPolicy {
    /// The limit.
    pub limit: Limit,
    /// The limit at each endpoint.
    pub per_endpoint: Option<u32>,
    /// Who waits.
    pub queue: Option<QueuePolicy>,
}

/// The limit of requests under way.
#[derive(Clone, Debug)]
pub enum Limit {
    /// So many.
    Fixed(u32),
    /// As many as the service can do without getting slower.
    Adaptive(AdaptivePolicy),
}

/// Requests that wait for others to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePolicy {
    /// How many may wait, over all workers.
    pub length: u32,
    /// How long one may wait.
    pub wait: Duration,
}

/// Who goes first when not all can be served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Gets a part of the limit only, and waits behind all others.
    Low,
    /// As most.
    #[default]
    Normal,
    /// Waits in front of all others.
    High,
}

impl Priority {
    /// How many there are.
    pub(crate) const COUNT: usize = 3;

    /// The priority of this name.
    pub fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"low" => Some(Self::Low),
            b"normal" => Some(Self::Normal),
            b"high" => Some(Self::High),
            _ => None,
        }
    }

    /// Its part of a limit; that of low priority is 80%, rounded up.
    fn share(self, limit: u32) -> u32 {
        match self {
            Self::Low => limit - limit / 5,
            Self::Normal | Self::High => limit,
        }
    }
}

/// A worker's requests that wait.
#[derive(Debug, Default)]
struct Waiting {
    count: AtomicU32,
    /// The first of them.
    first: AtomicWaker,
}

/// What is known of the requests under way at a service.
#[derive(Debug)]
pub(crate) struct Concurrency {
    in_flight: AtomicU32,
    waiting: AtomicU32,
    workers: PerWorker<Waiting>,
    count: usize,
    turn: AtomicUsize,
    adaptive: Adaptive,
}

/// A request that is under way; it is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<super::service::ServiceState>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.concurrency.release();
    }
}

impl Concurrency {
    pub(crate) fn new(workers: usize, start: Instant) -> Self {
        Self {
            in_flight: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            workers: PerWorker::new(workers),
            count: workers.max(1),
            turn: AtomicUsize::new(0),
            adaptive: Adaptive::new(start),
        }
    }

    /// The limit as it is now.
    pub(crate) fn limit(&self, policy: &ConcurrencyPolicy) -> u32 {
        match &policy.limit {
            Limit::Fixed(limit) => *limit,
            Limit::Adaptive(policy) => self.adaptive.limit(policy),
        }
    }

    /// The limit that moves by itself, once it has moved.
    pub(crate) fn adaptive_limit(&self) -> Option<u32> {
        self.adaptive.moved()
    }

    /// Requests under way that were counted.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Requests that wait.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Begins a request, if there may be one more.
    fn begin(&self, policy: &ConcurrencyPolicy, priority: Priority) -> bool {
        let most = priority.share(self.limit(policy));
        let more = |n| (n < most).then_some(n + 1);
        self.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok()
    }

    /// Ends one, and lets whoever waits see.
    fn release(&self) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.wake();
    }

    /// Lets a worker whose requests wait see whether one can go on; the workers take turns.
    fn wake(&self) {
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        for i in 0..self.count {
            let worker = turn.wrapping_add(i) % self.count;
            if let Some(waiting) = self.workers.of(worker).filter(|w| w.count.load(Ordering::SeqCst) > 0) {
                return waiting.first.wake();
            }
        }
    }

    /// Notes how long a request took until the head of its answer.
    pub(crate) fn took(&self, policy: &ConcurrencyPolicy, time: Duration, at: Instant) {
        if let Limit::Adaptive(policy) = &policy.limit {
            self.adaptive.sample(policy, time, self.in_flight(), at);
        }
    }
}

impl super::service::ServiceState {
    /// Begins a request, if there may be one more. Where others wait this one has to, too.
    pub(crate) fn permit(self: &Arc<Self>, policy: &ConcurrencyPolicy, priority: Priority) -> Option<Permit> {
        let others_wait = policy.queue.is_some() && self.concurrency.waiting.load(Ordering::SeqCst) > 0;
        (!others_wait && self.concurrency.begin(policy, priority)).then(|| Permit(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::service::ServiceState;

    fn fixed(limit: u32) -> ConcurrencyPolicy {
        ConcurrencyPolicy { limit: Limit::Fixed(limit), per_endpoint: None, queue: None }
    }

    #[test]
    fn low_priority_gets_four_fifths_of_a_limit_and_at_least_one() {
        let shares: Vec<_> = [1, 2, 4, 5, 10, 100].map(|limit| Priority::Low.share(limit)).into();
        assert_eq!(shares, [1, 2, 4, 4, 8, 80]);
        assert_eq!(Priority::Normal.share(10), 10);
    }

    #[test]
    fn there_are_never_more_than_the_limit_and_all_permits_come_back_also_on_a_panic() {
        let (state, policy) = (Arc::new(ServiceState::new(4)), fixed(7));
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (state, policy) = (state.clone(), policy.clone());
                std::thread::spawn(move || {
                    let mut held = Vec::new();
                    for i in 0..5_000u32 {
                        held.extend(state.permit(&policy, Priority::Normal));
                        assert!(state.concurrency.in_flight() <= 7);
                        if i % 3 == thread % 3 {
                            held.clear();
                        }
                        if i % 1_000 == 0 {
                            let permit = state.permit(&policy, Priority::Normal);
                            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                                let _permit = permit;
                                std::panic::resume_unwind(Box::new(()));
                            }));
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(state.concurrency.in_flight(), 0);
    }

    proptest! {
        #[test]
        fn a_lower_limit_holds_at_once_for_new_requests(limits in prop::collection::vec(1u32..20, 1..50)) {
            let state = Arc::new(ServiceState::new(1));
            let mut held = Vec::new();
            for limit in limits {
                let before = state.concurrency.in_flight();
                held.extend(std::iter::from_fn(|| state.permit(&fixed(limit), Priority::Normal)));
                prop_assert_eq!(state.concurrency.in_flight(), before.max(limit));
                held.pop();
            }
            held.clear();
            prop_assert_eq!(state.concurrency.in_flight(), 0);
        }
    }
}
