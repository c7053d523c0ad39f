//! When a certificate is renewed, and when something that failed is tried again. Always with jitter, so that not all gateways
//! of the world ask at once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use menshen_proxy::condition::UnixSeconds;

use super::certificate::Certificate;

const HOUR: UnixSeconds = 3600;

/// When the authority would like a certificate to be renewed (ARI, RFC 9773).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: UnixSeconds,
    pub(super) end: UnixSeconds,
}

/// When to renew a certificate: as written, else as the authority likes, else when a third of its life is left.
pub(super) fn due(
    certificate: &Certificate,
    written: Option<Duration>,
    window: Option<Window>,
    now: UnixSeconds,
) -> UnixSeconds {
    let Certificate { begins, expires, got, .. } = *certificate;
    let life = (expires - begins).max(1);
    let jitter = |most: UnixSeconds| spread(certificate, most);
    // What is old when it is got, or wanted back at once, must not be ordered over and over.
    // A clock that was ahead when it was got is no reason to wait until it is right again.
    let earliest = if got > now { begins } else { got + (life / 2).min(HOUR) };
    if let Some(before) = written {
        let before = UnixSeconds::try_from(before.as_secs()).unwrap_or(UnixSeconds::MAX);
        // Longer than its life would be always.
        let before = before.min(life / 2);
        return (expires - before - jitter(before / 20)).max(earliest);
    }
    match window {
        None => (begins + life / 3 * 2 - jitter(life / 20)).max(earliest),
        Some(Window { start, end }) => {
            let wanted = start + jitter((end - start).max(0));
            // Whatever it says: a certificate that ended is of no use.
            let latest = begins + life / 6 * 5;
            wanted.min(latest).max(earliest)
        }
    }
}

/// A number up to `most` that is the same for the same certificate, so that a restart changes nothing.
fn spread(certificate: &Certificate, most: UnixSeconds) -> UnixSeconds {
    let mut hasher = DefaultHasher::new();
    certificate.leaf().map(AsRef::as_ref).hash(&mut hasher);
    let most = u64::try_from(most).unwrap_or(0);
    UnixSeconds::try_from(hasher.finish() % (most.saturating_add(1))).unwrap_or(0)
}

/// How long to wait after so many failures in a row: a minute, then three times as long each time up to six hours, a fifth
/// more or less. Authorities take few failures in an hour.
pub(super) fn retry_after(failures: u32) -> Duration {
    const FIRST: u64 = 60;
    const MOST: u64 = 6 * 3600;
    let seconds = FIRST.saturating_mul(3_u64.saturating_pow(failures.saturating_sub(1))).min(MOST);
    Duration::from_secs(fastrand::u64(seconds * 4 / 5..=seconds * 6 / 5))
}

/// The longest that an authority is left alone because it says so: whatever it means, a day later it is asked what holds now.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// A moment that was set some time ago for the next attempt, unless the clock was set back so far that nobody would have
/// set it today.
pub(super) fn still_meant(at: UnixSeconds, now: UnixSeconds) -> bool {
    at - now <= 2 * 24 * HOUR
}

/// How long to wait after so many failures in a row when the authority has said for how long it does not want to be asked:
/// so long and a little more, because others have been told the same.
pub(super) fn wait_after(failures: u32, asked: Option<Duration>) -> Duration {
    let Some(asked) = asked else { return retry_after(failures) };
    let asked = asked.min(LONGEST_WAIT);
    let more = fastrand::u64(1..=asked.as_secs() / 20 + 2);
    retry_after(failures).max(asked + Duration::from_secs(more))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acme::certificate::tests::made;

    const DAY: UnixSeconds = 24 * HOUR;
    /// Later than everything here was got.
    const NOW: UnixSeconds = 85 * DAY;

    fn certificate(days: UnixSeconds) -> Certificate {
        made("https://ca", &["a.example"], 0..days * DAY).0
    }

    #[test]
    fn a_third_before_the_end_where_nobody_says_otherwise() {
        for _ in 0..5 {
            let due = due(&certificate(90), None, None, NOW);
            assert!((55 * DAY + DAY / 2..=60 * DAY).contains(&due), "{due}");
        }
    }

    #[test]
    fn as_long_before_the_end_as_is_written_but_not_always() {
        let due_before =
            |days: u64| due(&certificate(90), Some(Duration::from_secs(days * 24 * 3600)), None, NOW);
        assert!((69 * DAY..=70 * DAY).contains(&due_before(20)));
        assert!((42 * DAY..=45 * DAY).contains(&due_before(100)), "half its life at most");
    }

    #[test]
    fn within_the_window_of_the_authority_and_at_the_same_moment_after_a_restart() {
        let certificate = certificate(90);
        let window = Window { start: 30 * DAY, end: 32 * DAY };
        let first = due(&certificate, None, Some(window), NOW);
        assert!((30 * DAY..=32 * DAY).contains(&first), "{first}");
        assert_eq!(due(&certificate, None, Some(window), NOW), first);
    }

    #[test]
    fn a_window_in_the_past_is_at_once_but_not_for_what_was_got_just_now() {
        let mut certificate = certificate(90);
        let past = Some(Window { start: -2 * DAY, end: -DAY });
        assert_eq!(due(&certificate, None, past, NOW), HOUR);
        certificate.got = 10 * DAY;
        assert_eq!(due(&certificate, None, past, NOW), 10 * DAY + HOUR);
    }

    #[test]
    fn what_is_old_when_it_is_got_is_not_ordered_over_and_over() {
        let mut certificate = certificate(90);
        certificate.got = 80 * DAY;
        assert_eq!(due(&certificate, None, None, NOW), 80 * DAY + HOUR);
        assert_eq!(due(&certificate, Some(Duration::from_secs(40 * 24 * 3600)), None, NOW), 80 * DAY + HOUR);
    }

    #[test]
    fn a_clock_that_was_wrong_when_it_was_got_does_not_keep_it_from_being_renewed() {
        let mut certificate = certificate(90);
        certificate.got = 4_000 * DAY;
        assert!((55 * DAY..=60 * DAY).contains(&due(&certificate, None, None, NOW)));
        assert!(still_meant(NOW + DAY, NOW) && !still_meant(NOW + 30 * DAY, NOW));
    }

    #[test]
    fn a_window_after_the_end_is_not_waited_for() {
        let late = Some(Window { start: 95 * DAY, end: 99 * DAY });
        assert_eq!(due(&certificate(90), None, late, NOW), 75 * DAY);
    }

    #[test]
    fn what_an_authority_asks_for_is_waited_for_within_a_day() {
        let secs = Duration::from_secs;
        assert!(wait_after(1, Some(Duration::ZERO)) >= secs(48), "not sooner than without");
        assert!((secs(7_201)..=secs(7_562)).contains(&wait_after(1, Some(secs(7_200)))));
        assert!(wait_after(9, Some(Duration::MAX)) <= secs(24 * 3600 * 21 / 20 + 2));
    }

    #[test]
    fn failures_are_tried_again_less_and_less_often() {
        let expected = [60, 180, 540, 1_620, 4_860, 14_580, 21_600, 21_600];
        for (failures, seconds) in (1..).zip(expected) {
            let wait = retry_after(failures).as_secs();
            assert!((seconds * 4 / 5..=seconds * 6 / 5).contains(&wait), "{failures}: {wait}");
        }
        assert!(retry_after(u32::MAX).as_secs() <= 21_600 * 6 / 5);
    }
}
