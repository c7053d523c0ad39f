//! Counters: each cell has one writer, the worker; readers sum over the workers.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use crate::GrpcStatus;
use crate::mirror::MirrorCells;
use crate::retry::Cause;
use crate::trace::Verdict;

/// A number that one worker adds to and others read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds. Not a locked instruction: there is one writer.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Takes away, for gauges.
    pub fn sub(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(n), Ordering::Relaxed);
    }

    /// Replaces the value.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One `T` per worker, made when the worker first needs it.
#[derive(Debug)]
pub struct PerWorker<T> {
    cells: Box<[OnceLock<Box<T>>]>,
}

impl<T: Default> PerWorker<T> {
    /// Room for this many workers.
    pub fn new(workers: usize) -> Self {
        Self { cells: (0..workers.max(1)).map(|_| OnceLock::new()).collect() }
    }

    /// The cell of a worker.
    pub fn of(&self, worker: usize) -> Option<&T> {
        self.cells.get(worker).map(|c| &**c.get_or_init(Box::default))
    }

    /// The cells made so far.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.cells.iter().filter_map(|c| c.get().map(|b| &**b))
    }

    /// The sum of one counter over all workers.
    pub fn sum(&self, counter: impl Fn(&T) -> &Counter) -> u64 {
        self.iter().map(|c| counter(c).get()).fold(0, u64::wrapping_add)
    }
}

/// Upper bounds of the latency histogram, in microseconds.
pub const LATENCY_BOUNDS: [u64; 14] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
    30_000_000,
];

/// A latency histogram.
#[derive(Debug, Default)]
pub struct Latency {
    /// One cell for each bound, and one for what is above.
    pub buckets: [Counter; LATENCY_BOUNDS.len() + 1],
    /// The sum in microseconds.
    pub sum: Counter,
}

impl Latency {
    /// Adds one observation.
    pub fn record(&self, micros: u64) {
        let at = LATENCY_BOUNDS.partition_point(|b| *b < micros);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.add(1);
        }
        self.sum.add(micros);
    }
}

/// How many different statuses one route counts apart; requests with further ones are counted together.
const STATUSES: usize = 24;

/// What is counted for a route by one worker.
#[derive(Debug, Default)]
pub struct RouteCells {
    statuses: [(AtomicU16, Counter); STATUSES],
    other_statuses: Counter,
    /// Made for the first call of gRPC.
    grpc: OnceLock<Box<[Counter; GrpcStatus::COUNT]>>,
    /// Made for the first request that is to be copied.
    mirror: OnceLock<Box<MirrorCells>>,
    /// Content bytes received from clients.
    pub received: Counter,
    /// Content bytes sent to clients.
    pub sent: Counter,
    /// The whole time of exchanges.
    pub latency: Latency,
}

impl RouteCells {
    /// Counts a finished exchange by its status.
    pub fn count(&self, status: u16) {
        for (known, counter) in &self.statuses {
            let seen = known.load(Ordering::Relaxed);
            if seen == 0 {
                known.store(status, Ordering::Relaxed);
            }
            if seen == 0 || seen == status {
                return counter.add(1);
            }
        }
        self.other_statuses.add(1);
    }

    /// Counts a finished call of gRPC by the status of its service.
    pub fn count_call(&self, status: GrpcStatus) {
        if let Some(counter) = self.grpc.get_or_init(Box::default).get(usize::from(status.number())) {
            counter.add(1);
        }
    }

    /// What is counted of the copies of its requests.
    pub fn mirror(&self) -> &MirrorCells {
        self.mirror.get_or_init(Box::default)
    }

    /// The same, if there was ever a request to copy.
    pub fn mirrored(&self) -> Option<&MirrorCells> {
        self.mirror.get().map(|cells| &**cells)
    }

    /// The statuses of gRPC counted so far.
    pub fn calls(&self) -> impl Iterator<Item = (GrpcStatus, u64)> {
        let counts = self.grpc.get().into_iter().flat_map(|counts| counts.iter().map(Counter::get));
        GrpcStatus::all().zip(counts).filter(|(_, count)| *count > 0)
    }

    /// The statuses counted so far; 0 stands for all that found no place.
    pub fn statuses(&self) -> impl Iterator<Item = (u16, u64)> {
        let known = self
            .statuses
            .iter()
            .map(|(s, c)| (s.load(Ordering::Relaxed), c.get()))
            .take_while(|(s, _)| *s != 0);
        let others = self.other_statuses.get();
        known.chain((others > 0).then_some((0, others)))
    }
}

/// Counters of a route over all workers; they outlive reloads.
pub type RouteStats = PerWorker<RouteCells>;

/// What is counted for a service by one worker.
#[derive(Debug, Default)]
pub struct ServiceCells {
    /// Requests sent.
    pub attempts: Counter,
    /// Attempts that failed.
    pub failures: Counter,
    /// Connections opened.
    pub connects: Counter,
    /// Requests on a connection used before.
    pub reuses: Counter,
    /// Attempts under way now.
    pub active: Counter,
    /// Requests that were sent again, by [`Cause`](crate::retry::Cause).
    pub retries: [Counter; Cause::ALL.len()],
    /// Requests that were not, because the budget was used up.
    pub over_budget: Counter,
    /// Second attempts that were made because the first took long.
    pub hedges: Counter,
    /// Those of them whose answer came first.
    pub hedges_won: Counter,
    /// Requests refused because the circuit was open.
    pub short_circuited: Counter,
    /// Requests refused because there were as many as may be.
    pub overloaded: Counter,
    /// Requests of low priority refused because there were nearly as many.
    pub shed: Counter,
    /// Requests that had to wait for others to end.
    pub queued: Counter,
    /// Time until the response head.
    pub latency: Latency,
}

/// Counters of a service over all workers.
pub type ServiceStats = PerWorker<ServiceCells>;

/// What is counted for a filter by one worker.
#[derive(Debug, Default)]
pub struct StepCells {
    /// Times it ran.
    pub runs: Counter,
    /// Times it answered.
    pub answered: Counter,
    /// Times it failed or refused.
    pub failed: Counter,
    /// Times it would have, in shadow.
    pub shadowed: Counter,
    /// Time spent, in nanoseconds.
    pub nanos: Counter,
}

/// Counters of a filter over all workers.
#[derive(Debug)]
pub struct StepStats(PerWorker<StepCells>);

impl StepStats {
    /// Room for this many workers.
    pub fn new(workers: usize) -> Self {
        Self(PerWorker::new(workers))
    }

    /// Counts one run.
    pub fn record(&self, worker: usize, verdict: Verdict, nanos: u32) {
        let Some(cells) = self.0.of(worker) else { return };
        cells.runs.add(1);
        cells.nanos.add(u64::from(nanos));
        match verdict {
            Verdict::Answered => cells.answered.add(1),
            Verdict::Failed | Verdict::Ignored => cells.failed.add(1),
            Verdict::Shadow => cells.shadowed.add(1),
            Verdict::Pass | Verdict::Skipped => {}
        }
    }

    /// The cells of the workers.
    pub fn cells(&self) -> &PerWorker<StepCells> {
        &self.0
    }
}

/// Counters by stable code: as many codes as fit, further ones not at all.
#[derive(Debug)]
pub struct Codes<const N: usize>([(OnceLock<&'static str>, Counter); N]);

impl<const N: usize> Default for Codes<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| (OnceLock::new(), Counter::default())))
    }
}

impl<const N: usize> Codes<N> {
    /// Counts one.
    pub fn count(&self, code: &'static str) {
        for (known, counter) in &self.0 {
            if *known.get_or_init(|| code) == code {
                return counter.add(1);
            }
        }
    }

    /// What was counted so far.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map_while(|(code, counter)| Some((*code.get()?, counter.get())))
    }
}

/// What one worker counts beside routes, services and filters.
#[derive(Debug, Default)]
pub struct WorkerCells {
    /// Connections accepted.
    pub accepted: Counter,
    /// Connections open now.
    pub connections: Counter,
    /// Connections refused because a limit was reached.
    pub refused: Counter,
    /// Exchanges under way now.
    pub exchanges: Counter,
    /// Exchanges finished.
    pub finished: Counter,
    /// Access-log lines dropped because the log could not keep up.
    pub log_dropped: Counter,
    /// Panics that cost an exchange.
    pub panics: Counter,
    /// The version of the snapshot this worker serves.
    pub version: Counter,
    /// More than 0 while connections are made that somebody wants to be there before the first request.
    pub warming: Counter,
    /// TLS handshakes with clients that succeeded.
    pub handshakes: Counter,
    /// Those of them that continued an earlier session.
    pub resumed: Counter,
    /// TLS connections that were carried to a service as they were.
    pub passed_on: Counter,
    /// TLS handshakes that came to nothing, by reason.
    pub refused_handshakes: Codes<16>,
    /// HTTP/2 connections closed because of a flood of frames.
    pub calmed_down: Counter,
    /// Failures by code.
    pub failures: Codes<96>,
}

/// Counters of all workers.
pub type WorkerStats = PerWorker<WorkerCells>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_all_workers_are_summed() {
        let stats = RouteStats::new(2);
        for (worker, status) in [(0, 200), (1, 200), (1, 404)] {
            stats.of(worker).unwrap().count(status);
            stats.of(worker).unwrap().sent.add(10);
        }
        assert_eq!(stats.sum(|c| &c.sent), 30);
        let statuses: Vec<_> = stats.iter().map(|c| c.statuses().collect::<Vec<_>>()).collect();
        assert_eq!(statuses, [vec![(200, 1)], vec![(200, 1), (404, 1)]]);
        assert!(stats.of(2).is_none());
    }

    #[test]
    fn latency_falls_into_the_first_bucket_that_holds_it() {
        let l = Latency::default();
        for micros in [1, 250, 251, 40_000_000] {
            l.record(micros);
        }
        assert_eq!((l.buckets[0].get(), l.buckets[1].get(), l.buckets[14].get()), (2, 1, 1));
    }
}
