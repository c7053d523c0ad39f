//! Where copies of a route's requests go, and what is counted of them. The copies themselves are made in `serve/mirror.rs`.

use std::sync::Arc;
use std::time::Duration;

use crate::Failure;
use crate::snapshot::{HostPolicy, ServiceId};
use crate::stats::{Codes, Counter, Latency, RouteStats};

/// Where copies of a route's requests go.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// The service that gets them.
    pub service: ServiceId,
    /// What is put in front of their paths, without trailing slash; may be empty.
    pub base: Box<str>,
    /// Which Host it sees.
    pub host: HostPolicy,
    /// The share of the requests that is copied, from 0 to 1.
    pub share: f64,
    /// The most content of a request that is copied, in bytes.
    pub content: usize,
    /// The whole time of a copy, from its start until its answer is read.
    pub time: Duration,
    /// The most copies under way at once over all workers; workers that start one in the same instant may exceed it by one
    /// each. As much content as that many copies could have may be held beside for those that have not begun.
    pub at_most: u64,
}

impl Mirror {
    /// True when the request that drew this number is one to copy.
    pub(crate) fn is_drawn(&self, random: u64) -> bool {
        // As many bits as a fraction has.
        const DRAWS: u64 = 1 << 53;
        ((random % DRAWS) as f64) < self.share * DRAWS as f64
    }
}

/// Why a request that was to be copied was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omission {
    /// As many copies are under way as may be.
    Busy,
    /// There is more content than is copied.
    ContentTooLarge,
    /// The request was over before all of its content had come.
    ContentCut,
    /// The content took longer to come than a copy may take.
    ContentLate,
    /// A filter changes the content while it passes.
    ContentChanged,
    /// The request asks for another protocol, such as WebSocket.
    Upgrade,
    /// The request is a copy itself.
    Copy,
    /// The service cannot take it: what a request to it would have been told.
    Service(Failure),
}

impl Omission {
    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::ContentTooLarge => "content-too-large",
            Self::ContentCut => "content-cut",
            Self::ContentLate => "content-late",
            Self::ContentChanged => "content-changed",
            Self::Upgrade => "upgrade",
            Self::Copy => "copy",
            Self::Service(failure) => failure.code(),
        }
    }
}

/// What one worker counts of the copies of a route's requests.
#[derive(Debug, Default)]
pub struct MirrorCells {
    /// Copies that were sent.
    pub sent: Counter,
    /// Those of them that were answered with a status from 500 on.
    pub errors: Counter,
    /// Those of them that got no whole answer, by [`Failure::code`].
    pub failed: Codes<24>,
    /// Requests that were drawn and not copied, by [`Omission::code`].
    pub dropped: Codes<16>,
    /// Copies under way now.
    pub active: Counter,
    /// Content held for copies that have not begun, in bytes.
    pub held: Counter,
    /// Time until the response head.
    pub latency: Latency,
}

/// A copy is counted as under way as long as this lives.
pub(crate) struct Place {
    stats: Arc<RouteStats>,
    worker: usize,
}

impl Place {
    /// A place for one more copy, if there is one.
    pub(crate) fn take(mirror: &Mirror, stats: &Arc<RouteStats>, worker: usize) -> Option<Self> {
        if !has_room(mirror, stats) {
            return None;
        }
        stats.of(worker)?.mirror().active.add(1);
        Some(Self { stats: stats.clone(), worker })
    }

    /// Where its worker counts.
    pub(crate) fn cells(&self) -> Option<&MirrorCells> {
        self.stats.of(self.worker).map(|cells| cells.mirror())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(cells) = self.cells() {
            cells.active.sub(1);
        }
    }
}

/// True when so many more bytes of content may be held: no more than all copies that may be under way could have.
pub(crate) fn has_memory(mirror: &Mirror, stats: &RouteStats, bytes: usize) -> bool {
    let held = sum(stats, |cells| &cells.held).saturating_add(bytes as u64);
    held <= mirror.at_most.saturating_mul(mirror.content as u64)
}

/// True when one more copy may be under way.
pub(crate) fn has_room(mirror: &Mirror, stats: &RouteStats) -> bool {
    sum(stats, |cells| &cells.active) < mirror.at_most
}

/// Over all workers.
fn sum(stats: &RouteStats, counter: fn(&MirrorCells) -> &Counter) -> u64 {
    stats.iter().filter_map(|cells| cells.mirrored()).map(|cells| counter(cells).get()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(share: f64, at_most: u64) -> Mirror {
        let (service, host) = (ServiceId(0), HostPolicy::default());
        let (base, time) = (Box::default(), Duration::from_secs(1));
        Mirror { service, base, host, share, content: 0, time, at_most }
    }

    #[test]
    fn nothing_is_drawn_of_no_share_and_everything_of_a_whole_one() {
        for random in [0, 1, u64::MAX >> 11, u64::MAX] {
            assert!(!mirror(0.0, 1).is_drawn(random), "{random}");
            assert!(mirror(1.0, 1).is_drawn(random), "{random}");
        }
        let drawn = (0..1000u64).filter(|n| mirror(0.25, 1).is_drawn(n * (1 << 53) / 1000)).count();
        assert_eq!(drawn, 250);
    }

    #[test]
    fn places_are_counted_over_all_workers_and_come_back() {
        let (mirror, stats) = (mirror(1.0, 2), Arc::new(RouteStats::new(2)));
        let first = Place::take(&mirror, &stats, 0).unwrap();
        let _second = Place::take(&mirror, &stats, 1).unwrap();
        assert!(Place::take(&mirror, &stats, 0).is_none());
        drop(first);
        assert!(has_room(&mirror, &stats));
        assert!(Place::take(&mirror, &stats, 1).is_some());
    }
}
