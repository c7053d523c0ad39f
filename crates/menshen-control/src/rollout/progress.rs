//! How far a rollout is: a function of its age, until it is stopped.

use std::time::{Duration, Instant};

use menshen_proxy::split::Stage;

use super::replies::{Counted, Replies, WINDOW};

/// Fewer replies than this say nothing.
const LEAST_REQUESTS: u64 = 20;
/// Nor does an odd one: so many must be bad.
const LEAST_BAD: u64 = 3;

/// What a rollout is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// The share at first, in millionths.
    pub from: u32,
    /// The share in the end, in millionths.
    pub to: u32,
    /// How long it takes to get there.
    pub over: Duration,
    /// The share of bad replies, from 0 to 1, that is too much.
    pub stop_above: Option<f64>,
}

/// Something that the log should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Stopped,
    Completed,
}

/// How far a rollout is.
#[derive(Debug)]
pub(super) struct Progress {
    plan: Plan,
    /// Its age when this process met it, and when that was.
    met: (Duration, Instant),
    /// Why it was stopped, if it was.
    stopped: Option<String>,
    is_told_complete: bool,
    replies: Replies,
}

impl Progress {
    /// A rollout that begins now.
    pub(super) fn new(plan: Plan, now: Instant) -> Self {
        Self::continued(plan, Duration::ZERO, None, now)
    }

    /// A rollout that began before.
    pub(super) fn continued(plan: Plan, age: Duration, stopped: Option<String>, now: Instant) -> Self {
        let is_told_complete = age >= plan.over;
        Self { plan, met: (age, now), stopped, is_told_complete, replies: Replies::default() }
    }

    /// How long ago it began.
    pub(super) fn age(&self, now: Instant) -> Duration {
        let (age, met) = self.met;
        age.saturating_add(now.saturating_duration_since(met))
    }

    /// The share now, in millionths.
    pub(super) fn width(&self, now: Instant) -> u32 {
        let Plan { from, to, over, .. } = self.plan;
        match self.stage(now) {
            Stage::Stopped => 0,
            Stage::Complete => to,
            Stage::Growing => {
                let (age, over) = (self.age(now).as_millis(), over.as_millis().max(1));
                let grown = u128::from(to.saturating_sub(from)) * age / over;
                from.saturating_add(u32::try_from(grown).unwrap_or(u32::MAX)).min(to)
            }
        }
    }

    /// How far it is.
    pub(super) fn stage(&self, now: Instant) -> Stage {
        match self.stopped {
            Some(_) => Stage::Stopped,
            None if self.age(now) >= self.plan.over => Stage::Complete,
            None => Stage::Growing,
        }
    }

    /// Why it was stopped, if it was.
    pub(super) fn why(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Looks at the replies.
    pub(super) fn tick(&mut self, total: Counted, now: Instant) -> Option<Event> {
        let recent = self.replies.recent(total, now);
        if self.stopped.is_some() {
            return None;
        }
        if let Some(above) = self.plan.stop_above
            && is_bad(recent, above)
        {
            self.stopped = Some(figures(recent, above, self.width(now)));
            return Some(Event::Stopped);
        }
        let is_complete = self.stage(now) == Stage::Complete;
        (is_complete && !std::mem::replace(&mut self.is_told_complete, is_complete))
            .then_some(Event::Completed)
    }

    /// Begins anew, from the first share; what was counted before does not count any more.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self::new(self.plan, now);
        self.replies.clear();
    }
}

fn is_bad(recent: Counted, above: f64) -> bool {
    recent.requests >= LEAST_REQUESTS
        && recent.bad >= LEAST_BAD
        && recent.bad as f64 > recent.requests as f64 * above
}

fn figures(recent: Counted, above: f64, width: u32) -> String {
    let Counted { requests, bad } = recent;
    let (is, limit) = (percent(bad as f64 / requests as f64), percent(above));
    let (minutes, share) = (WINDOW.as_secs() / 60, percent(f64::from(width) / 1e6));
    format!(
        "{bad} of {requests} replies of the last {minutes} minutes were bad ({is} > {limit}) at a share of {share}"
    )
}

/// `0.5` as `50%`, with as many digits as matter.
pub(crate) fn percent(share: f64) -> String {
    format!("{}%", (share * 1e4).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const PLAN: Plan =
        Plan { from: 10_000, to: 500_000, over: Duration::from_secs(7200), stop_above: Some(0.01) };

    fn counted(requests: u64, bad: u64) -> Counted {
        Counted { requests, bad }
    }

    #[test]
    fn a_share_grows_in_a_straight_line_and_stays_at_its_end() {
        let now = Instant::now();
        let rollout = Progress::new(PLAN, now);
        let widths = [0, 1, 2, 3].map(|hours| rollout.width(now + HOUR * hours));
        assert_eq!(widths, [10_000, 255_000, 500_000, 500_000]);
        assert_eq!((rollout.stage(now), rollout.stage(now + 2 * HOUR)), (Stage::Growing, Stage::Complete));
    }

    #[test]
    fn a_share_that_does_not_grow_is_complete_at_once() {
        let now = Instant::now();
        let plan = Plan { from: 50_000, to: 50_000, over: Duration::ZERO, ..PLAN };
        let mut rollout = Progress::new(plan, now);
        assert_eq!((rollout.width(now), rollout.stage(now)), (50_000, Stage::Complete));
        assert_eq!(rollout.tick(counted(0, 0), now), None);
    }

    #[test]
    fn too_many_bad_replies_end_it_until_it_is_resumed() {
        let now = Instant::now();
        let mut rollout = Progress::new(PLAN, now);
        assert_eq!(rollout.tick(counted(5000, 5000), now), None, "what was before is no fault of this one");
        let later = now + HOUR;
        assert_eq!(rollout.tick(counted(5200, 5003), later), Some(Event::Stopped));
        assert_eq!((rollout.width(later), rollout.stage(later)), (0, Stage::Stopped));
        assert_eq!(
            rollout.why().unwrap(),
            "3 of 200 replies of the last 5 minutes were bad (1.5% > 1%) at a share of 25.5%"
        );
        assert_eq!(
            rollout.tick(counted(5200, 5003), later + 9 * HOUR),
            None,
            "it stays so, and is told once"
        );
        rollout.restart(later);
        assert_eq!(rollout.tick(counted(5200, 5003), later), None);
        assert_eq!((rollout.width(later), rollout.why()), (10_000, None));
    }

    #[test]
    fn few_replies_or_an_odd_one_say_nothing() {
        let now = Instant::now();
        for (requests, bad, is_stopped) in [(19, 19, false), (20, 2, false), (20, 3, true), (1000, 10, false)]
        {
            let mut rollout = Progress::new(PLAN, now);
            rollout.tick(counted(0, 0), now);
            let event = rollout.tick(counted(requests, bad), now + Duration::from_secs(1));
            assert_eq!(event == Some(Event::Stopped), is_stopped, "{bad} of {requests}");
        }
    }

    #[test]
    fn its_end_is_told_once() {
        let now = Instant::now();
        let mut rollout = Progress::new(PLAN, now);
        let events = [0, 1, 2, 3].map(|hours| rollout.tick(counted(0, 0), now + HOUR * hours));
        assert_eq!(events, [None, None, Some(Event::Completed), None]);
        let mut known = Progress::continued(PLAN, 3 * HOUR, None, now);
        assert_eq!(known.tick(counted(0, 0), now), None);
    }
}
